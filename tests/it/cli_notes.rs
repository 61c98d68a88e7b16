//! What `finetune` and the commands that use its result say on stderr, and what they refuse, so that no option is ignored silently.
#![cfg(not(target_arch = "wasm32"))]

use std::path::Path;
use std::process::Output;

use crate::binary::{TEMPLATE, device, done, json, path, run, stderr};
use crate::common::golden;

const ROWS: &str =
    "text,label\na good film,great\na bad film,terrible\na fine film,great\na dull film,terrible\n";

struct Place {
    dir: tempfile::TempDir,
    model: String,
    data: String,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let data = path(dir.path(), "rows.csv");
        std::fs::write(&data, ROWS).unwrap();
        Place { model: golden::path("bert"), data, dir }
    }

    fn finetune(&self, out: &str, more: &[&str]) -> Output {
        let out = path(self.dir.path(), out);
        let begin = ["--json", "--device", "cpu", "finetune", "--model", &self.model, "--train", &self.data];
        run(&[&begin, &["--out", &out][..], more].concat())
    }

    /// Runs steps on label words.
    fn steps(&self, out: &str, steps: &str, more: &[&str]) -> Output {
        let prompt = ["--template", TEMPLATE, "--labels", "great,terrible", "--batch-size", "2"];
        self.finetune(out, &[&prompt, &["--steps", steps][..], more].concat())
    }
}

fn refused(output: &Output, says: &[&str]) {
    let error = json(output)["error"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(!output.status.success() && says.iter().all(|part| error.contains(part)), "{error}");
}

#[test]
fn columns_of_a_table_are_those_of_its_header() {
    let place = Place::new();
    let row = |at: usize| {
        format!("The message number {at},{},2024-05-0{}\n", ["friend", "shop"][at % 2], 1 + at / 4)
    };
    let table = format!("message,sender_type,date\n{}", (0..32).map(row).collect::<String>());
    std::fs::write(&place.data, table).unwrap();
    let readout = |more: &[&str]| place.finetune("run", &[&["--method", "readout"], more].concat());
    let names = ["`message`, `sender_type`, `date`", "--text-column", "--label-column"];
    refused(&readout(&[]), &names);
    refused(&readout(&["--label-column", "sender"]), &["`sender_type`", "found `sender`"]);
    let named = readout(&["--label-column", "sender_type"]);
    done("finetune", &named);
    assert_eq!(json(&named)["labels"], serde_json::json!(["friend", "shop"]));
    let said = stderr(&named);
    assert!(said.contains("the column \"sender_type\" (2 labels"), "{said}");
    // A readout takes no steps, so nothing is said about Adam. The processor has no GPU memory.
    assert!(said.contains("memory on the processor: at most") && !said.contains("Adam"), "{said}");
}

#[test]
fn held_out_rows_that_were_trained_on_are_counted() {
    let place = Place::new();
    let eval = path(place.dir.path(), "eval.csv");
    std::fs::write(&eval, "text,label\na bad film,terrible\na new one,great\n").unwrap();
    for (name, more) in [("steps", &[][..]), ("readout", &["--method", "readout"])] {
        let output = match more {
            [] => place.steps(name, "1", &["--eval", &eval]),
            more => place.finetune(name, &[more, &["--eval", &eval]].concat()),
        };
        done(name, &output);
        let said = stderr(&output);
        assert!(said.contains("1 of 2 held-out rows are also in the training data"), "{said}");
        assert_eq!(json(&output)["eval_in_training"], 1);
    }
    let none = place.steps("none", "1", &[]);
    assert!(!stderr(&none).contains("held-out") && json(&none)["eval_in_training"].is_null());
}

#[test]
fn a_continued_run_says_where_it_continues_and_which_file_is_older() {
    let place = Place::new();
    done("finetune", &place.steps("run", "3", &["--lr", "2e-5", "--save-model"]));
    let said = stderr(&place.steps("run", "5", &["--lr", "2e-5", "--resume"]));
    assert!(said.contains("the run continues after step 3 of 5"), "{said}");
    assert!(said.contains("model.safetensors: ") && said.contains("lacks the steps after step 3"), "{said}");
    assert!(said.contains("backpropagation with Adam would take"), "{said}");
    let saved = stderr(&place.steps("run", "6", &["--lr", "2e-5", "--resume", "--save-model"]));
    assert!(!saved.contains("lacks the steps"), "{saved}");
    let log = std::fs::read_to_string(place.dir.path().join("run/log.jsonl")).unwrap();
    assert!(log.contains("\"lr\":2e-5,") || log.contains("\"lr\":0.00002,"), "{log}");
    // Another method is named before the settings that differ because of it.
    let other = place.finetune("run", &["--method", "readout", "--resume"]);
    refused(&other, &["method"]);
}

#[test]
fn a_run_that_took_no_step_does_not_occupy_its_directory() {
    let place = Place::new();
    let exploded = place.steps("run", "9", &["--lr", "1e30"]);
    refused(&exploded, &["No step is kept"]);
    assert!(!stderr(&exploded).contains("at the first one"));
    done("finetune", &place.steps("run", "2", &[]));
    refused(&place.steps("run", "2", &[]), &["--resume"]);
}

#[test]
fn options_without_an_effect_are_refused_by_name() {
    let place = Place::new();
    refused(&place.steps("run", "1", &["--eval-every", "1"]), &["--eval-every", "--eval nor --hold-out"]);
    refused(&place.steps("run", "1", &["--data-seed", "3"]), &["--data-seed", "--shots nor --hold-out"]);
    let text = path(place.dir.path(), "text.txt");
    std::fs::write(&text, "some words without a label\n").unwrap();
    let out = path(place.dir.path(), "out");
    let begin = ["--json", "--device", "cpu", "finetune", "--model", &place.model, "--out", &out];
    refused(&run(&[&begin[..], &["--train", &text, "--balanced"]].concat()), &["--balanced", "labels"]);
    // What is out of range is refused as that.
    refused(&place.steps("run", "1", &["--lr", "-1"]), &["-1"]);
    refused(&place.steps("run", "1", &["--eps", "-1"]), &["-1"]);
    refused(&place.steps("run", "1", &["--max-gpu-bytes", "1000"]), &["the limit is 1000 bytes"]);
    let evaluate = ["--json", "--device", "cpu", "evaluate", "--model", &place.model, "--eval", &place.data];
    let nope = run(&[&evaluate[..], &["--adapter", "/nope"]].concat());
    refused(&nope, &["/nope: expected the directory of an adapter", "found nothing"]);
    refused(&run(&[&evaluate[..], &["--data-seed", "3"]].concat()), &["--data-seed"]);
}

#[test]
fn a_gpu_in_software_is_named() {
    let place = Place::new();
    let prompt = ["--template", TEMPLATE, "--labels", "great,terrible", "--text", "good"];
    let classify = |device: &str| {
        let output = run(&[&["--device", device, "classify", "--model", &place.model], &prompt[..]].concat());
        done("classify", &output);
        stderr(&output)
    };
    assert!(!classify("cpu").contains("in software"));
    let said = classify(device());
    let is_software = ["llvmpipe", "SwiftShader"].iter().any(|name| said.contains(name));
    assert_eq!(
        said.contains("emulates a GPU in software: --device cpu is usually faster"),
        is_software,
        "{said}"
    );
    assert!(Path::new(&place.data).exists());
}
