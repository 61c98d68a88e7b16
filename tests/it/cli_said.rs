//! What the command line says or refuses instead of ignoring it.
#![cfg(not(target_arch = "wasm32"))]

use std::path::Path;
use std::process::Output;

use crate::binary::{TEMPLATE, device, done, path, run, stderr};
use crate::common::golden;

/// A copy of a golden model that can be changed, with the tokenizer of `bert`.
fn copied(name: &str, dir: &Path) -> String {
    for file in ["config.json", "model.safetensors"] {
        std::fs::write(dir.join(file), golden::file(name, file)).unwrap();
    }
    std::fs::write(dir.join("tokenizer.json"), golden::file("bert", "tokenizer.json")).unwrap();
    dir.to_str().unwrap().to_owned()
}

fn refused(output: &Output, code: &str, says: &[&str]) {
    let error = stderr(output);
    assert!(!output.status.success(), "{error}");
    assert!(error.contains(code) && says.iter().all(|part| error.contains(part)), "{error}");
}

const ROWS: &str = "text,label\na good good good good good good movie,great\nbad,terrible\n";

#[test]
fn a_prefix_that_peft_would_ignore_is_not_saved() {
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (path(dir.path(), "rows.csv"), path(dir.path(), "run"));
    std::fs::write(&data, ROWS).unwrap();
    let model = copied("classifiers/distilbert", dir.path());
    let train = |more: &[&str]| {
        let args = ["--device", device(), "finetune", "--model", &model, "--train", &data, "--out", &out];
        let method = ["--method", "prefix", "--readout", "--steps", "1"];
        run(&[&args[..], &method, more].concat())
    };
    refused(&train(&["--save-model"]), "model-unsupported", &["distilbert", "no effect in peft"]);
    done("finetune", &train(&[]));
    let (trajectory, saved) = (path(Path::new(&out), "trajectory.pocket"), path(dir.path(), "saved"));
    let args =
        ["--device", device(), "replay", "--model", &model, "--trajectory", &trajectory, "--out", &saved];
    refused(&run(&args), "model-unsupported", &["distilbert"]);
}

#[test]
fn settings_of_generated_text_that_are_not_applied_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let model = copied("llama", dir.path());
    let generate = |settings: &str, more: &[&str]| {
        std::fs::write(dir.path().join("generation_config.json"), settings).unwrap();
        let args =
            ["--device", device(), "generate", "--model", &model, "--prompt", "a", "--max-tokens", "1"];
        let output = run(&[&args[..], more].concat());
        done("generate", &output);
        stderr(&output)
    };
    let settings = r#"{ "repetition_penalty": 1.5, "no_repeat_ngram_size": 2, "num_beams": 1, "stop_strings": ["x"],
        "bad_words_ids": [], "forced_eos_token_id": null, "do_sample": true, "top_p": 0.9, "top_k": 0 }"#;
    let named = generate(settings, &[]);
    assert!(
        named.contains("not applied: repetition_penalty, no_repeat_ngram_size, stop_strings\n"),
        "{named}"
    );
    let named = generate(settings, &["--temperature", "1"]);
    assert!(named.contains("stop_strings, top_p\n"), "{named}");
    let neutral =
        r#"{ "repetition_penalty": 1.0, "num_beams": 1, "eos_token_id": 1, "token_healing": false }"#;
    assert!(!generate(neutral, &[]).contains("not applied"));
}

#[test]
fn scores_that_are_no_numbers_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let model = copied("llama", dir.path());
    // The last tensor of the file is the weight of the last norm. Its products are beyond the range of f32.
    let mut weights = golden::file("llama", "model.safetensors").to_vec();
    let end = weights.len();
    weights[end - 64..].as_chunks_mut::<4>().0.iter_mut().for_each(|value| *value = 3e38_f32.to_le_bytes());
    std::fs::write(dir.path().join("model.safetensors"), weights).unwrap();
    let out = path(dir.path(), "logits.safetensors");
    for on in [device(), "cpu"] {
        for temperature in ["0", "1"] {
            let args = [
                "--device",
                on,
                "generate",
                "--model",
                &model,
                "--prompt",
                "a",
                "--temperature",
                temperature,
            ];
            refused(&run(&args), "non-finite-loss", &["after", "the weights have grown"]);
        }
        let args = ["--device", on, "logits", "--model", &model, "--ids", "1,2", "--out", &out];
        refused(&run(&args), "non-finite-loss", &["input 0", "the weights have grown"]);
    }
    assert!(!Path::new(&out).exists());
}

#[test]
fn truncated_examples_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (path(dir.path(), "rows.csv"), path(dir.path(), "run"));
    std::fs::write(&data, ROWS).unwrap();
    let model = golden::path("bert");
    let on_model = |command: &str, more: &[&str]| {
        let output = run(&[&["--device", device(), command, "--model", &model], more].concat());
        done(command, &output);
        stderr(&output)
    };
    let prompt = ["--template", TEMPLATE, "--labels", "great,terrible", "--max-length"];
    let one = "rows.csv: 1 of 2 examples were truncated to 8 tokens";
    let evaluate =
        |length: &str| on_model("evaluate", &[&["--eval", &data], &prompt[..], &[length]].concat());
    let said = evaluate("8");
    assert!(said.contains(one) && !said.contains("--max-length"), "{said}");
    let said = evaluate("5000");
    assert!(
        said.contains("--max-length 5000: the model takes at most") && !said.contains("truncated"),
        "{said}"
    );
    let train = ["--train", &data, "--out", &out, "--steps", "1"];
    let said = on_model("finetune", &[&train, &prompt[..], &["8"]].concat());
    assert!(said.contains(one), "{said}");
    let out = path(dir.path(), "readout");
    let readout = ["--train", &data, "--out", &out, "--method", "readout", "--max-length", "6"];
    let said = on_model("finetune", &readout);
    assert!(said.contains("rows.csv: 1 of 2 examples were truncated to 6 tokens"), "{said}");
    let texts = ["--text", "good good good good good good", "--text", "bad"];
    let said = on_model("classify", &[&texts, &prompt[..], &["8"]].concat());
    assert!(said.contains("texts: 1 of 2 examples were truncated to 8 tokens"), "{said}");
}

#[test]
fn options_without_an_effect_are_refused() {
    let model = golden::path("bert");
    for (flag, value) in
        [("--optimizer", "adam"), ("--beta1", "0.5"), ("--beta2", "0.5"), ("--adam-eps", "1e-6")]
    {
        let bench = ["bench", "--model", &model, "--method", "lora", flag, value];
        refused(&run(&bench), "invalid-argument", &[flag, "on the host"]);
    }
    for (flag, value) in [
        ("--format", "csv"),
        ("--text-column", "a"),
        ("--label-column", "a"),
        ("--shots", "2"),
        ("--hold-out", "2"),
        ("--data-seed", "2"),
    ] {
        let output = run(&["classify", "--model", &model, "--text", "a", flag, value]);
        refused(&output, "unexpected argument", &[flag]);
    }
    // Where data are read, a task still excludes a form of the data.
    let evaluate = ["evaluate", "--model", &model, "--eval", "x", "--task", "SST-2", "--format", "csv"];
    refused(&run(&evaluate), "cannot be used with", &["--format"]);
}
