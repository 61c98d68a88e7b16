//! Tasks and chat data end to end, with the compiled binary on the CPU reference kernels: published file formats and tiny golden models.
#![cfg(not(target_arch = "wasm32"))]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::common::golden;
use serde_json::{Value, json};

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pocketllm"));
    command.args(["--json", "--device", "cpu"]).args(args).output().unwrap()
}

/// The output of a command that must succeed.
fn done(args: &[&str]) -> Value {
    let output = run(args);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{args:?}: {text} {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&text).unwrap()
}

/// The code and message of a command that must fail.
fn refused(args: &[&str]) -> (String, String) {
    let output = run(args);
    assert!(!output.status.success(), "{args:?}");
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |key: &str| value["error"][key].as_str().unwrap().to_owned();
    (text("code"), text("message"))
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }
}

fn sst2(folder: &Folder) -> String {
    let rows: String = (0..24)
        .map(|i| format!("{} movie {} \t{}\n", ["a good", "the bad"][i % 2], "it ".repeat(i % 5), 1 - i % 2))
        .collect();
    folder.file("train.tsv", &format!("sentence\tlabel\n{rows}"))
}

fn header(run: &str) -> Value {
    let bytes = std::fs::read(PathBuf::from(run).join("trajectory.pocket")).unwrap();
    let trajectory = pocketllm::train::Trajectory::parse("t", &bytes).unwrap();
    serde_json::to_value(trajectory.header).unwrap()
}

#[test]
fn a_masked_model_learns_a_task_from_its_published_file() {
    let folder = Folder::new();
    let (model, data, out) = (golden::path("bert"), sst2(&folder), folder.path("run"));
    let common = ["--model", &model, "--task", "SST2", "--shots", "4", "--data-seed", "5"];
    let mut args = vec![
        "finetune",
        "--train",
        &data,
        "--hold-out",
        "8",
        "--steps",
        "3",
        "--batch-size",
        "4",
        "--out",
        &out,
    ];
    args.extend(common);
    let summary = done(&args);
    assert!(summary["eval_loss"].as_f64().unwrap().is_finite() && summary["eval_f1"].is_null(), "{summary}");
    let header = header(&out);
    assert_eq!(header["task"], "sst-2");
    assert_eq!(header["template"], "{text} It was [MASK].");
    assert_eq!(header["labels"], json!(["terrible", "great"]));
    // Values that are not given come from the preset for a model as small as this.
    let number = |key: &str| header[key].as_f64().unwrap() as f32;
    assert_eq!((number("learning_rate"), number("epsilon")), (2e-5, 1e-3));

    // The trajectory records the task, and the same rows are held out again.
    let trajectory = folder.path("run/trajectory.pocket");
    let again = done(&[
        "evaluate",
        "--model",
        &model,
        "--trajectory",
        &trajectory,
        "--eval",
        &data,
        "--shots",
        "4",
        "--hold-out",
        "8",
        "--data-seed",
        "5",
    ]);
    assert_eq!(again["examples"], 8);
    assert_eq!(again["loss"], summary["eval_loss"]);
    assert_eq!(again["accuracy"], summary["eval_accuracy"]);

    // The same prompt given explicitly, on other rows.
    let own = folder.file("own.csv", "text,label\na good movie,great\nthe bad movie,terrible\n");
    let by_task = done(&["evaluate", "--model", &model, "--task", "sst-2", "--eval", &own]);
    let by_hand = done(&[
        "evaluate",
        "--model",
        &model,
        "--template",
        "{text} It was [MASK].",
        "--labels",
        "terrible,great",
        "--eval",
        &own,
    ]);
    assert_eq!(by_task, by_hand);
    // Resumed with the same flags, the run is complete; with a different number of shots, it is a different run.
    args.push("--resume");
    assert_eq!(done(&args)["steps"], 3);
    let (code, message) = refused(&args.iter().map(|a| if *a == "4" { "5" } else { a }).collect::<Vec<_>>());
    assert_eq!(code, "trajectory-mismatch", "{message}");
}

#[test]
fn a_causal_model_answers_by_likelihood() {
    let folder = Folder::new();
    let (model, data, out) = (golden::path("llama-gguf"), sst2(&folder), folder.path("run"));
    let mut args = vec![
        "finetune", "--model", &model, "--task", "sst-2", "--train", &data, "--eval", &data, "--steps", "2",
    ];
    args.extend(["--batch-size", "4", "--out", &out]);
    let summary = done(&args);
    let accuracy = summary["eval_accuracy"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&accuracy));
    assert_eq!(header(&out)["labels"], json!([]));

    // A single candidate's loss is that of the same text as a completion, except for the end of the text.
    let one = folder.file("one.tsv", "sentence\tlabel\ngood\t1\n");
    let report = done(&["evaluate", "--model", &model, "--task", "sst-2", "--eval", &one]);
    assert_eq!(report["examples"], 1);
    assert!(report["accuracy"] == 0.0 || report["accuracy"] == 1.0);
    let other = folder.file("other.tsv", "sentence\tlabel\ngood\t0\n");
    let flipped = done(&["evaluate", "--model", &model, "--task", "sst-2", "--eval", &other]);
    assert_eq!(report["accuracy"].as_f64().unwrap() + flipped["accuracy"].as_f64().unwrap(), 1.0);
    assert_ne!(report["loss"], flipped["loss"]);
}

#[test]
fn candidates_and_text_are_evaluated() {
    let folder = Folder::new();
    let model = golden::path("llama-gguf");
    let copa = folder.file(
        "val.jsonl",
        "{\"premise\":\"It fell.\",\"choice1\":\"It broke.\",\"choice2\":\"The sun rose early that day.\",\"question\":\"effect\",\"label\":0}\n",
    );
    let report = done(&["evaluate", "--model", &model, "--task", "copa", "--eval", &copa]);
    assert!(report["f1"].is_null() && report["accuracy"].as_f64().is_some(), "{report}");
    let squad = folder.file(
        "dev.json",
        "{\"data\":[{\"title\":\"T\",\"paragraphs\":[{\"context\":\"The sky is blue.\",\"qas\":[{\"question\":\"Colour?\",\"answers\":[{\"text\":\"blue\"}]}]}]}]}",
    );
    let report = done(&["evaluate", "--model", &model, "--task", "squad", "--eval", &squad]);
    let f1 = report["f1"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&f1) && report["loss"].as_f64().unwrap().is_finite(), "{report}");
}

/// A causal golden model with a tokenizer of a few words, and a chat template.
fn chatting(folder: &Folder, template: Option<&str>) -> String {
    let from = golden::path("llama");
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(Path::new(&from).join(name), folder.path(name)).unwrap();
    }
    let words = ["<unk>", "<s>", "</s>", "user", "assistant", "hello", "there", "what", "is", "this", "fine"];
    let vocab: serde_json::Map<_, _> =
        words.iter().enumerate().map(|(i, w)| ((*w).to_owned(), Value::from(i))).collect();
    let special = |id: usize| json!({"id": id, "content": words[id], "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true});
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [special(0), special(1), special(2)],
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>"}
    });
    folder.file("tokenizer.json", &tokenizer.to_string());
    if let Some(template) = template {
        let config = json!({"bos_token": "<s>", "eos_token": "</s>", "chat_template": template});
        folder.file("tokenizer_config.json", &config.to_string());
    }
    folder.path("")
}

/// A row with a question and the answer "hello there".
fn chat_row(question: &str) -> String {
    let message = |role: &str, content: &str| json!({"role": role, "content": content});
    format!("{}\n", json!({"messages": [message("user", question), message("assistant", "hello there")]}))
}

#[test]
fn conversations_are_learned_by_the_models_own_template() {
    let folder = Folder::new();
    let template = "{{ bos_token }}{% for m in messages %}{{ m.role + '\\n' + m.content + eos_token + '\\n' }}{% endfor %}\
                    {% if add_generation_prompt %}{{ 'assistant\\n' }}{% endif %}";
    let model = chatting(&folder, Some(template));
    let questions = ["what is this", "what is there", "is this fine"];
    let chat = folder.file("chat.jsonl", &questions.map(chat_row).concat());
    let out = folder.path("run");
    let summary = done(&[
        "finetune",
        "--model",
        &model,
        "--train",
        &chat,
        "--steps",
        "2",
        "--batch-size",
        "2",
        "--hold-out",
        "1",
        "--out",
        &out,
    ]);
    assert_eq!(summary["steps"], 2);
    // The same, written out: the prompt as the template renders it, and the answer with its end marker.
    let report = done(&["evaluate", "--model", &model, "--eval", &chat]);
    let row = |question: &str| {
        let prompt = format!("<s>user\n{question}</s>\nassistant\n");
        format!("{}\n", json!({"prompt": prompt, "completion": "hello there</s>"}))
    };
    let by_hand = folder.file("completion.jsonl", &questions.map(row).concat());
    let expected = done(&["evaluate", "--model", &model, "--eval", &by_hand]);
    assert_eq!(report, expected);
}

#[test]
fn refusals_say_what_to_do() {
    let folder = Folder::new();
    let (bert, data) = (golden::path("bert"), sst2(&folder));
    let evaluate = |more: &[&str]| {
        let mut args = vec!["evaluate", "--model", &bert, "--eval", &data];
        args.extend(more);
        refused(&args)
    };
    for (args, code, says) in [
        (&["--task", "imdb"][..], "invalid-argument", "sst-2, sst-5, snli, mnli, rte, trec"),
        (&["--task", "boolq"], "invalid-argument", "expected a task for masked language models"),
        (&["--task", "rte"], "data-invalid", "row 2"),
        (
            &["--task", "sst-2", "--template", "{text}", "--labels", "a,b"],
            "invalid-argument",
            "cannot be used with",
        ),
        (&["--task", "sst-2", "--shots", "13"], "invalid-argument", "expected 13 rows of the class"),
    ] {
        let (found, message) = evaluate(args);
        assert_eq!(found, code, "{message}");
        assert!(message.contains(says), "{message}");
    }
    let out = folder.path("run");
    let both = [
        "finetune",
        "--model",
        &bert,
        "--train",
        &data,
        "--eval",
        &data,
        "--task",
        "sst-2",
        "--hold-out",
        "3",
        "--out",
        &out,
    ];
    assert!(refused(&both).1.contains("--hold-out"));

    let model = chatting(&folder, None);
    let chat = folder.file("chat.jsonl", &chat_row("what is this"));
    let (code, message) = refused(&["evaluate", "--model", &model, "--eval", &chat]);
    assert_eq!(code, "model-unsupported");
    assert!(
        message.contains("chat_template.jinja") && message.contains("`prompt` and `completion`"),
        "{message}"
    );
    let own = folder.file("own.csv", "text,label\ngood,great\n");
    let (_, message) = refused(&["evaluate", "--model", &bert, "--eval", &own]);
    assert!(message.contains("a template and labels, a task, or method readout"), "{message}");
}
