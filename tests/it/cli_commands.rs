//! `logits`, `evaluate` and `generate` from a user's perspective. On the GPU; if there is none and `POCKETLLM_REQUIRE_GPU` is not
//! 1, on the CPU reference kernels.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::binary::{TEMPLATE, binary, device, done, json, path, run, stderr};
use crate::common::golden;
use pocketllm::dtype::DType;
use pocketllm::format::files::FsDir;
use pocketllm::gpu::Limits;
use pocketllm::train::Session;
use serde_json::Value;

#[test]
fn logits_are_those_of_the_golden_model() {
    let dir = tempfile::tempdir().unwrap();
    let out = path(dir.path(), "logits.safetensors");
    let read = |file: &Path| -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
        let bytes = std::fs::read(file).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let tensors = tensors.tensors();
        tensors.into_iter().map(|(name, t)| (name, (t.shape().to_vec(), t.data().to_vec()))).collect()
    };
    for (model, folder) in [("bert", "bert"), ("llama-gguf/model.gguf", "llama-gguf")] {
        let text = std::fs::read_to_string(golden::path(&format!("{folder}/cases.json"))).unwrap();
        let cases: Value = serde_json::from_str(&text).unwrap();
        let ids = cases["ids"][2].to_string();
        let words = cases["texts"][0]["text"].as_str().unwrap();
        let args = [
            "--model",
            &golden::path(model),
            "--ids",
            ids.trim_matches(['[', ']']),
            "--text",
            words,
            "--out",
            &out,
        ];
        let output = run(&[&["--json", "--device", device(), "logits"], &args[..]].concat());
        done(model, &output);
        assert_eq!(json(&output)["inputs"], 2);
        let expected = read(&PathBuf::from(golden::path(&format!("{folder}/expected.safetensors"))));
        let found = read(Path::new(&out));
        // Texts come before ids.
        let (expected, found_logits) = (&expected["logits_2"], &found["logits_1"]);
        assert_eq!(found_logits.0, expected.0, "{model}");
        let floats = |bytes: &[u8]| -> Vec<f32> {
            bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
        };
        let (a, b) = (floats(&found_logits.1), floats(&expected.1));
        let mean = b.iter().sum::<f32>() / b.len() as f32;
        let deviation = (b.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / b.len() as f32).sqrt();
        let worst = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst <= 1e-4 * deviation, "{model}: {worst} of {deviation}");
        let written: Vec<u64> =
            found["input_ids_0"].1.as_chunks::<8>().0.iter().map(|b| u64::from_le_bytes(*b)).collect();
        assert_eq!(serde_json::json!(written), cases["texts"][0]["ids"], "{model}");
    }
}

#[test]
fn evaluate_says_what_an_accuracy_is_worth() {
    let dir = tempfile::tempdir().unwrap();
    let (model, data) = (golden::path("bert"), golden::path("bert/train.csv"));
    let one = path(dir.path(), "one.csv");
    std::fs::write(&one, format!("text,label\n{}", "a fine film,great\n".repeat(12))).unwrap();
    let evaluate = |data: &str, more: &[&str]| {
        let prompt = ["--template", TEMPLATE, "--labels", "great,terrible"];
        let all = ["--device", device(), "evaluate", "--model", &model, "--eval", data];
        let output = run(&[&all[..], &prompt, more].concat());
        done("evaluate", &output);
        output
    };
    let report = json(&evaluate(&data, &["--json", "--wrong"]));
    let count = |value: &Value| value.as_u64().unwrap();
    let per_label = report["per_label"].as_array().unwrap();
    let names: Vec<&str> = per_label.iter().map(|label| label["label"].as_str().unwrap()).collect();
    assert_eq!(names, ["great", "terrible"]);
    let most = per_label.iter().map(|label| count(&label["rows"])).max().unwrap();
    assert_eq!(report["baseline"].as_f64().unwrap(), most as f64 / 60.0);
    let correct: u64 = per_label.iter().map(|label| count(&label["correct"])).sum();
    assert_eq!(report["accuracy"].as_f64().unwrap(), correct as f64 / 60.0);
    let interval: Vec<f64> = serde_json::from_value(report["interval"].clone()).unwrap();
    assert!(interval[0] < correct as f64 / 60.0 && interval[1] > correct as f64 / 60.0, "{interval:?}");

    // The rows listed as wrong match the confusion counts, with their line in the file and their text.
    let wrong = report["wrong"].as_array().unwrap();
    assert_eq!(wrong.len() as u64, 60 - correct);
    let lines = std::fs::read_to_string(&data).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    for (at, label) in per_label.iter().enumerate() {
        let other = &per_label[1 - at]["label"];
        let of_cell = wrong.iter().filter(|row| row["label"] == label["label"] && &row["answered"] == other);
        assert_eq!(of_cell.count() as u64, count(&label["confusion"][1 - at]));
    }
    for row in wrong {
        let line = lines[usize::try_from(count(&row["row"])).unwrap() - 1].replace('"', "");
        assert!(
            line.contains(&row["text"].as_str().unwrap().replace('"', ""))
                && line.ends_with(row["label"].as_str().unwrap()),
            "{row}"
        );
    }

    let said = String::from_utf8(evaluate(&data, &[]).stdout).unwrap();
    for part in
        ["(95% interval ", "; always answering \"great\" gives ", "\"terrible\": ", " of 30 correct ("]
    {
        assert!(said.contains(part), "{said} lacks {part}");
    }
    assert!(!said.contains("row "), "wrong rows are listed on request only: {said}");
    let said = String::from_utf8(evaluate(&one, &["--wrong"]).stdout).unwrap();
    assert!(
        said.contains("All 12 examples have the label \"great\", so the accuracy does not show"),
        "{said}"
    );
}

#[test]
fn columns_are_understood_and_said_or_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let model = golden::path("bert");
    let evaluate = |name: &str, text: &str, more: &[&str]| {
        let data = path(dir.path(), name);
        std::fs::write(&data, text).unwrap();
        let prompt = ["--template", TEMPLATE, "--labels", "great,terrible"];
        let all = ["--json", "--device", device(), "evaluate", "--model", &model, "--eval", &data];
        run(&[&all[..], &prompt, more].concat())
    };
    let lines = "great: a fine film\nterrible: a dull film\ngreat: a good story\nterrible: a bad story\n";
    let named =
        "text,label\na fine film,great\na dull film,terrible\na good story,great\na bad story,terrible\n";
    let table = named.replace("text,label", "Kritik,Urteil");
    let expected = evaluate("named.csv", named, &[]);
    done("evaluate", &expected);
    for (name, text, says) in [
        ("lines.txt", lines, "lines.txt: The label precedes the first colon of each line (2 labels"),
        (
            "german.csv",
            &table,
            "german.csv: The text is in the column \"Kritik\" and the label in the column \"Urteil\"",
        ),
    ] {
        let found = evaluate(name, text, &[]);
        done("evaluate", &found);
        assert_eq!(json(&found), json(&expected), "{name}");
        assert!(stderr(&found).contains(says), "{}", stderr(&found));
    }
    // Two columns look like labels, so nothing is guessed.
    let source = |line: &str| match line {
        "Kritik,Urteil" => "Quelle",
        line if line.contains("film") => "a",
        _ => "b",
    };
    let three: String = table.lines().map(|line| format!("{line},{}\n", source(line))).collect();
    let refused = evaluate("three.csv", &three, &[]);
    assert!(json(&refused)["error"]["message"].as_str().unwrap().contains("Choose the text column"));
    let found = evaluate("three.csv", &three, &["--text-column", "Kritik", "--label-column", "2"]);
    done("evaluate", &found);
    assert_eq!(json(&found), json(&expected));
}

#[test]
fn generate_continues_a_prompt_the_same_way_each_time() {
    let model = golden::path("llama-gguf/model.gguf");
    let generate = |on: &str, more: &[&str]| {
        let all = ["--json", "--device", on, "generate", "--model", &model, "--max-tokens", "8"];
        let output = run(&[&all[..], &["--prompt", "The capital of France is"], more].concat());
        done("generate", &output);
        json(&output)
    };
    let greedy = generate(device(), &[]);
    let prompt = serde_json::json!([54, 260, 280, 276, 223, 40, 84, 259, 284, 273]);
    assert_eq!(greedy["prompt_ids"], prompt);
    assert!(
        greedy["text"].is_string() && greedy["ids"].as_array().is_some_and(|ids| ids.len() <= 8),
        "{greedy}"
    );
    assert_eq!(generate("cpu", &[]), greedy);
    let hot = ["--temperature", "2", "--seed", "5"];
    assert_eq!(generate(device(), &hot), generate(device(), &hot));
}

#[test]
fn generate_says_why_a_text_ends() {
    let model = golden::path("llama-gguf/model.gguf");
    for (tokens, end) in [("3", "max-tokens"), ("100000", "context")] {
        let all = ["--json", "--device", "cpu", "generate", "--model", &model, "--prompt", "The"];
        let output = run(&[&all[..], &["--ignore-eos", "--max-tokens", tokens]].concat());
        done("generate", &output);
        assert_eq!(json(&output)["end"], end);
        let said = stderr(&output).contains("fills the model's context of ");
        assert_eq!(said, end == "context", "{}", stderr(&output));
    }
}

/// A token of a byte-level vocabulary may be a part of a character. If that is the last token, the text still has everything that
/// its tokens decode to.
#[test]
fn a_text_that_ends_within_a_character_is_written_whole() {
    let model = golden::path("llama-gguf/model.gguf");
    let dir = FsDir::new(Path::new(&model)).unwrap();
    let session = pollster::block_on(Session::describe(Limits::WEBGPU_DEFAULT, &dir, DType::F32)).unwrap();
    let generate = |tokens: usize| {
        let output = binary(&["--json", "--device", "cpu", "generate", "--model", &model, "--prompt", "The"])
            .args(["--temperature", "2", "--seed", "1", "--ignore-eos"])
            .args(["--max-tokens", &tokens.to_string()])
            .output()
            .unwrap();
        done("generate", &output);
        json(&output)
    };
    let ids: Vec<u32> = serde_json::from_value(generate(64)["ids"].clone()).unwrap();
    let decode = |count: usize| session.tokenizer().unwrap().decode(&ids[..count], true).unwrap();
    let within =
        |count: &usize| decode(*count).ends_with('\u{FFFD}') && !decode(count - 1).ends_with('\u{FFFD}');
    let count = (2..ids.len()).find(within).expect("64 random tokens have a part of a character");
    assert_eq!(generate(count)["text"], decode(count));
}
