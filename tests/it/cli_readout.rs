//! `finetune --method readout` and `classify` from a user's perspective: the compiled binary, its files and its messages. On the
//! CPU reference kernels, so that the tests need no GPU.
#![cfg(not(target_arch = "wasm32"))]

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use crate::binary::{TEMPLATE, json, on_cpu, text};
use crate::common::golden;
use serde_json::Value;

/// The flags of a readout on label words.
const WORDS: [&str; 4] = ["--template", TEMPLATE, "--labels", "great,terrible"];

fn run(args: &[&str]) -> Output {
    on_cpu(args).output().unwrap()
}

fn finetune(train: &str, out: &Path, more: &[&str]) -> Command {
    let model = golden::path("bert");
    let args = ["finetune", "--model", &model, "--method", "readout", "--train", train, "--out", text(out)];
    on_cpu(&[&args[..], more].concat())
}

fn trajectory(dir: &Path) -> Vec<u8> {
    std::fs::read(dir.join("trajectory.pocket")).unwrap()
}

#[test]
fn a_readout_from_the_first_row_to_the_answer() {
    let dir = tempfile::tempdir().unwrap();
    let (model, data) = (golden::path("bert"), golden::path("bert/train.csv"));
    let out = dir.path().join("run");
    let done = json(&finetune(&data, &out, &["--eval", &data, "--save-model"]).output().unwrap());
    assert_eq!((&done["rows"], done["labels"][1].as_str()), (&Value::from(60), Some("terrible")));
    let log = std::fs::read_to_string(out.join("log.jsonl")).unwrap();
    let log: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(log.iter().map(|line| line["rows"].as_u64().unwrap()).collect::<Vec<_>>(), [16, 32, 60]);
    assert!(log.iter().all(|line| line["ms"].is_number() && line["eval_accuracy"].is_number()), "{log:?}");
    assert_eq!(log[2]["eval_loss"], done["eval_loss"]);

    // The trajectory alone gives the same figures, the same file and the same answers.
    let path = out.join("trajectory.pocket");
    let tuned = ["--model", &model, "--trajectory", text(&path)];
    let seen = json(&run(&[&["evaluate"], &tuned[..], &["--eval", &data]].concat()));
    assert_eq!(seen["accuracy"], done["eval_accuracy"]);
    assert!((seen["loss"].as_f64().unwrap() - done["eval_loss"].as_f64().unwrap()).abs() < 1e-5);
    let again = dir.path().join("again");
    let replayed = json(&run(&[&["replay"], &tuned[..], &["--out", text(&again)]].concat()));
    let replayed = Path::new(replayed["model"].as_str().unwrap()).to_owned();
    let file = replayed.file_name().unwrap();
    assert!(std::fs::read(&replayed).unwrap() == std::fs::read(out.join(file)).unwrap());
    // So does the directory that was saved, without the base model and the trajectory.
    let saved = ["--model", text(&again)];
    let of_saved = json(&run(&[&["evaluate"], &saved[..], &["--eval", &data]].concat()));
    assert_eq!(of_saved["accuracy"], seen["accuracy"]);
    assert!((of_saved["loss"].as_f64().unwrap() - seen["loss"].as_f64().unwrap()).abs() < 1e-5);
    assert_eq!(
        json(&run(&[&["classify"], &saved[..], &["--text", "Boring"]].concat()))[0]["label"],
        "terrible"
    );
    let texts = ["--text", "this is one very happy film!", "--text", "Boring and dull"];
    let answers = json(&run(&[&["classify"], &tuned[..], &texts].concat()));
    assert_eq!(answers.as_array().unwrap().len(), 2);
    assert_eq!((&answers[0]["label"], &answers[1]["label"]), (&"great".into(), &"terrible".into()));
    let sum: f64 =
        answers[0]["probabilities"].as_object().unwrap().values().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{answers}");

    // A complete run is not repeated, and not overwritten without being asked.
    let before = trajectory(&out);
    let resumed = json(&finetune(&data, &out, &["--eval", &data, "--resume"]).output().unwrap());
    assert_eq!(resumed["eval_accuracy"], done["eval_accuracy"]);
    assert!(trajectory(&out) == before);
    let error = json(&finetune(&data, &out, &[]).output().unwrap())["error"].clone();
    assert!(error["message"].as_str().unwrap().contains("--resume"), "{error}");

    // A run that is killed ends like an undisturbed one.
    let killed = dir.path().join("killed");
    for wait in [20, 60, 120, 200] {
        let mut child = finetune(&data, &killed, &["--resume"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        // It may have ended before.
        let _ = child.kill();
        child.wait().unwrap();
    }
    let last = finetune(&data, &killed, &["--resume"]).output().unwrap();
    assert!(last.status.success(), "{}", String::from_utf8_lossy(&last.stderr));
    assert!(trajectory(&killed) == before);
}

#[test]
fn a_readout_on_label_words_from_the_first_row_to_the_exported_model() {
    let dir = tempfile::tempdir().unwrap();
    let (model, data) = (golden::path("bert"), golden::path("bert/train.csv"));
    let out = dir.path().join("run");
    let more = [&WORDS[..], &["--eval", &data, "--save-model"]].concat();
    let done = json(&finetune(&data, &out, &more).output().unwrap());
    assert_eq!((&done["rows"], done["labels"][0].as_str()), (&Value::from(60), Some("great")));

    // The trajectory has the template and the words.
    let path = out.join("trajectory.pocket");
    let tuned = ["--model", &model, "--trajectory", text(&path)];
    let seen = json(&run(&[&["evaluate"], &tuned[..], &["--eval", &data]].concat()));
    assert_eq!(seen["accuracy"], done["eval_accuracy"]);
    assert!((seen["loss"].as_f64().unwrap() - done["eval_loss"].as_f64().unwrap()).abs() < 1e-5);
    let answers =
        json(&run(&[&["classify"], &tuned[..], &["--text", "this is one very happy film!"]].concat()));
    assert_eq!(answers[0]["label"], "great");

    // The saved model is a masked language model, and gives the same answers with the template.
    let saved = json(&run(&[&["evaluate", "--model", text(&out), "--eval", &data], &WORDS[..]].concat()));
    assert_eq!(saved["accuracy"], done["eval_accuracy"]);
    assert!((saved["loss"].as_f64().unwrap() - done["eval_loss"].as_f64().unwrap()).abs() < 1e-5, "{saved}");
    let again = dir.path().join("again");
    json(&run(&[&["replay"], &tuned[..], &["--out", text(&again)]].concat()));
    let file = |dir: &Path| std::fs::read(dir.join("model.safetensors")).unwrap();
    assert!(file(&again) == file(&out));
}

#[test]
fn the_best_step_is_kept_where_the_last_one_is_worse() {
    let dir = tempfile::tempdir().unwrap();
    let (model, data) = (golden::path("bert"), golden::path("bert/train.csv"));
    let out = dir.path().join("run");
    let begin =
        ["finetune", "--model", &model, "--train", &data, "--out", text(&out), "--readout", "--keep-best"];
    let more = ["--eval", &data, "--steps", "12", "--batch-size", "2", "--eval-every", "3", "--lr", "3e-2"];
    let all = [&begin[..], &more].concat();
    let done = json(&run(&all));
    let steps = done["steps"].as_u64().unwrap();
    assert!(steps < 12 && steps.is_multiple_of(3), "{done}");
    // The kept weights are no worse than the readout alone.
    let log = std::fs::read_to_string(out.join("log.jsonl")).unwrap();
    let first: Value = serde_json::from_str(log.lines().next().unwrap()).unwrap();
    let kept = done["eval_loss"].as_f64().unwrap();
    assert!(first["step"] == 0 && kept <= first["eval_loss"].as_f64().unwrap(), "{first} and {kept}");

    // The record replays to them, and the run is not repeated.
    let whole = trajectory(&out);
    let read = pocketllm::train::Trajectory::parse("t", &whole).unwrap();
    assert_eq!((u64::from(read.steps()), read.header.kept_of), (steps, 12));
    let path = out.join("trajectory.pocket");
    let seen = json(&run(&["evaluate", "--model", &model, "--trajectory", text(&path), "--eval", &data]));
    assert_eq!(seen["loss"].as_f64().unwrap().to_bits(), kept.to_bits());
    let again = json(&run(&[&all[..], &["--resume"]].concat()));
    assert_eq!((&again["steps"], again["eval_loss"].as_f64()), (&done["steps"], Some(kept)));
    assert!(trajectory(&out) == whole);
    // A longer run continues from there.
    let longer = [&begin[..], &more, &["--resume", "--steps", "15"]].concat();
    let longer: Vec<&str> =
        longer.iter().enumerate().filter(|(at, _)| ![11, 12].contains(at)).map(|(_, arg)| *arg).collect();
    let longer = json(&run(&longer));
    assert!(longer["eval_loss"].as_f64().unwrap() <= kept, "{longer}");
    // There must be evaluations to choose from.
    let other = dir.path().join("other");
    let error = json(&run(&[
        "finetune",
        "--model",
        &model,
        "--train",
        &data,
        "--out",
        text(&other),
        "--readout",
        "--keep-best",
    ]));
    assert_eq!(error["error"]["code"], "invalid-argument");
    assert!(error["error"]["message"].as_str().unwrap().contains("held-out data"), "{error}");
}

#[test]
fn an_adapter_is_saved_with_the_readout_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let (model, data) = (golden::path("bert"), golden::path("bert/train.csv"));
    // Labels given by number, as for a classifier without label names.
    let numbered = dir.path().join("numbered.csv");
    let rows = std::fs::read_to_string(&data).unwrap();
    std::fs::write(&numbered, rows.replace(",great", ",1").replace(",terrible", ",0")).unwrap();
    let train = |pooling: &str| {
        let out = dir.path().join(pooling);
        let begin = ["finetune", "--model", &model, "--train", text(&numbered), "--eval", text(&numbered)];
        let more =
            ["--method", "lora", "--readout", "--pooling", pooling, "--out", text(&out), "--save-model"];
        let steps = ["--steps", "8", "--batch-size", "4", "--lr", "1e-2"];
        (json(&run(&[&begin[..], &more, &steps].concat())), out)
    };
    // The classification class that scores the first token has the readout as its head.
    let (done, out) = train("first");
    let config: Value =
        serde_json::from_slice(&std::fs::read(out.join("adapter_config.json")).unwrap()).unwrap();
    assert_eq!(config["task_type"], "SEQ_CLS");
    assert_eq!(config["modules_to_save"], serde_json::json!(["bert.pooler.dense", "classifier"]));
    let readout: Value = serde_json::from_slice(&std::fs::read(out.join("readout.json")).unwrap()).unwrap();
    assert_eq!(readout["pooling"], "first");
    assert_eq!(readout["labels"], serde_json::json!(["0", "1"]));
    assert!(!out.join("readout.safetensors").exists());
    let seen =
        json(&run(&["evaluate", "--model", &model, "--adapter", text(&out), "--eval", text(&numbered)]));
    let (loss, expected) = (seen["loss"].as_f64().unwrap(), done["eval_loss"].as_f64().unwrap());
    assert!((loss - expected).abs() < 1e-5, "{loss}, expected {expected}");
    // The answers have the names of the labels, and names that do not match the classifier are rejected.
    let classify =
        || run(&["classify", "--model", &model, "--adapter", text(&out), "--text", "a fine film we loved"]);
    let label = json(&classify())[0]["label"].clone();
    assert!(label == "0" || label == "1", "{label}");
    let written = std::fs::read(out.join("readout.json")).unwrap();
    for (changed, said) in [
        (r#"{"labels":["0"]}"#, "readout.json: 1 labels, but the adapter's classifier has 2 outputs"),
        (r#"{"labels":[0,1]}"#, "readout.json: labels: expected a list of strings, found [0,1]"),
        (r#"{"labels":["0","0"]}"#, "readout.json: labels: \"0\" appears twice"),
        ("{", "readout.json: EOF"),
    ] {
        std::fs::write(out.join("readout.json"), changed).unwrap();
        let error = json(&classify())["error"].clone();
        assert_eq!(error["code"], "file-corrupt");
        assert!(error["message"].as_str().unwrap().contains(said), "{error}");
    }
    std::fs::write(out.join("readout.json"), written).unwrap();
    // A replay writes the same files.
    let (again, path) = (dir.path().join("again"), out.join("trajectory.pocket"));
    json(&run(&["replay", "--model", &model, "--trajectory", text(&path), "--out", text(&again)]));
    for file in ["adapter_config.json", "adapter_model.safetensors", "readout.json"] {
        assert!(std::fs::read(again.join(file)).unwrap() == std::fs::read(out.join(file)).unwrap(), "{file}");
    }
    // No class scores the mean, so the weights are in a separate file.
    let (done, out) = train("mean");
    let config: Value =
        serde_json::from_slice(&std::fs::read(out.join("adapter_config.json")).unwrap()).unwrap();
    assert_eq!((&config["task_type"], &config["modules_to_save"]), (&Value::Null, &Value::Null));
    let weights = std::fs::read(out.join("readout.safetensors")).unwrap();
    let weights = safetensors::SafeTensors::deserialize(&weights).unwrap();
    assert_eq!(weights.tensor("linear.weight").unwrap().shape()[0], 2);
    assert_eq!(weights.tensor("linear.bias").unwrap().shape(), [2]);
    // It answers with this readout.
    let seen =
        json(&run(&["evaluate", "--model", &model, "--adapter", text(&out), "--eval", text(&numbered)]));
    let (loss, expected) = (seen["loss"].as_f64().unwrap(), done["eval_loss"].as_f64().unwrap());
    assert!((loss - expected).abs() < 1e-5, "{loss}, expected {expected}");
    let classify =
        || json(&run(&["classify", "--model", &model, "--adapter", text(&out), "--text", "a fine film"]));
    assert!(classify()[0]["probabilities"]["1"].is_number());
    for (changed, said) in [
        (r#"{"labels":["0","1"],"pooling":"all"}"#, "readout.json: pooling: expected mean, first or last"),
        (r#"{"labels":["0","1","2"],"pooling":"mean"}"#, "readout.safetensors: linear.weight has shape"),
    ] {
        std::fs::write(out.join("readout.json"), changed).unwrap();
        let error = classify()["error"].clone();
        assert!(error["message"].as_str().unwrap().contains(said), "{error}");
    }
}

#[test]
fn a_prompt_beside_a_readout_before_steps_is_refused_by_its_cause() {
    let dir = tempfile::tempdir().unwrap();
    let (model, data, out) = (golden::path("bert"), golden::path("bert/train.csv"), dir.path().join("run"));
    let begin = ["finetune", "--model", &model, "--train", &data, "--out", text(&out), "--readout"];
    let error = json(&run(&[&begin[..], &WORDS].concat()))["error"].clone();
    assert_eq!(error["code"], "invalid-argument");
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("--template cannot be combined with --readout"), "{message}");
    assert!(message.contains("steps cannot lower its loss") && !out.exists(), "{message}");
}

#[test]
fn what_a_readout_cannot_use_is_said_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let data = golden::path("bert/train.csv");
    let rows = |name: &str, content: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        text(&path).to_owned()
    };
    let one_label = rows("one.csv", "text,label\ngood,great\nfine,great\n");
    let alike = rows("alike.csv", "text,label\ngood,great\nfine,Great\n");
    let plain = rows("plain.txt", "Some text without labels.");
    let out = dir.path().join("run");
    for (train, more, code, says) in [
        (&data, &["--steps", "10"][..], "invalid-argument", "steps"),
        (&data, &["--lr", "1e-3"], "invalid-argument", "learning rate"),
        (&data, &["--pooling", "mask"], "invalid-argument", "pooling mask"),
        (&data, &[&WORDS[..], &["--pooling", "first"]].concat(), "invalid-argument", "pooling"),
        (&data, &[&WORDS[..], &["--steps", "10"]].concat(), "invalid-argument", "steps"),
        (&one_label, &WORDS, "data-invalid", "every row has the label"),
        (&data, &["--template", TEMPLATE, "--labels", "great,unheardof"], "data-invalid", "unheardof"),
        (&one_label, &[], "data-invalid", "every row has the label"),
        (&alike, &[], "data-invalid", "differ only in case or spaces"),
        (&plain, &[], "data-invalid", "text and label"),
        (&data, &["--max-length", "2"], "invalid-argument", "at least 3 tokens"),
    ] {
        let output = finetune(train, &out, more).output().unwrap();
        let error = json(&output)["error"].clone();
        assert_eq!(error["code"], code, "{more:?}: {error}");
        assert!(error["message"].as_str().unwrap().contains(says), "{says}: {error}");
        assert!(!out.exists(), "{says}: a refused run must leave nothing");
    }
}
