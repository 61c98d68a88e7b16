//! How runs treat the files around them: two runs in one directory, outputs that would overwrite inputs, unwritable directories,
//! readers that close their pipe, and runs that are extended. On the CPU reference kernels, so that the tests need no GPU.
#![cfg(not(target_arch = "wasm32"))]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::binary::{TEMPLATE, done, on_cpu, text};
use crate::common::golden;
use pocketllm::train::Trajectory;
use serde_json::Value;

fn finetune(model: &str, out: &Path, more: &[&str]) -> Command {
    let data = golden::path("bert/train.csv");
    let args =
        ["finetune", "--model", model, "--train", &data, "--batch-size", "4", "--lr", "1e-3", "--seed", "7"];
    let prompt = ["--template", TEMPLATE, "--labels", "great,terrible", "--out", text(out)];
    on_cpu(&[&args[..], &prompt, more].concat())
}

/// The message of an error, which must have this code.
fn refused(mut command: Command, code: &str) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{command:?}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let value: Value = serde_json::from_str(&stdout).unwrap_or_else(|e| panic!("{command:?}: {e}: {stdout}"));
    assert_eq!(value["error"]["code"], code, "{command:?}: {value}");
    value["error"]["message"].as_str().unwrap().to_owned()
}

/// Waits until a child has started to write its records.
fn begun(child: &mut Child, out: &Path) {
    let start = Instant::now();
    while std::fs::read(out.join("log.jsonl")).map_or(true, |log| log.is_empty()) {
        assert!(child.try_wait().unwrap().is_none(), "the run ended");
        assert!(start.elapsed() < Duration::from_secs(60), "the run does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A copy of a golden model that a test may write into.
fn copy(model: &str, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(golden::path(model)).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn two_runs_never_share_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let (model, out) = (golden::path("bert"), dir.path().join("run"));
    let mut first = finetune(&model, &out, &["--steps", "100000"]).spawn().unwrap();
    begun(&mut first, &out);
    let id = format!("process {}", first.id());
    for more in [&["--steps", "100000"][..], &["--steps", "100000", "--resume"], &["--method", "readout"]] {
        let mut second = finetune(&model, &out, more);
        if more[0] == "--method" {
            second = on_cpu(&["finetune", "--model", &model, "--train", &golden::path("bert/train.csv")]);
            second.args(["--method", "readout", "--resume", "--out", text(&out)]);
        }
        let message = refused(second, "invalid-argument");
        assert!(message.contains("run.lock") && message.contains("--out"), "{message}");
        assert!(cfg!(windows) || message.contains(&id), "{message}");
    }
    // The lock ends with the process, in whatever way it ends.
    first.kill().unwrap();
    first.wait().unwrap();
    let steps =
        Trajectory::parse("t", &std::fs::read(out.join("trajectory.pocket")).unwrap()).unwrap().steps();
    let longer = (steps + 3).to_string();
    let message = refused(finetune(&model, &out, &["--steps", &longer, "--resume"]), "trajectory-mismatch");
    assert!(message.contains("steps"), "{message}");
    let path = out.join("trajectory.pocket");
    let replayed = on_cpu(&["replay", "--model", &model, "--trajectory", text(&path), "--out", text(&out)]);
    done("the command", &{ replayed }.output().unwrap());
    assert!(!out.join("run.lock").exists());
}

#[test]
fn outputs_do_not_replace_inputs() {
    let dir = tempfile::tempdir().unwrap();
    let (model, run) = (dir.path().join("model"), dir.path().join("run"));
    copy("bert", &model);
    let weights = std::fs::read(model.join("model.safetensors")).unwrap();
    let model_path = text(&model);
    done(
        "the adapter",
        &finetune(model_path, &run, &["--steps", "1", "--method", "lora", "--save-model"]).output().unwrap(),
    );
    let trajectory = run.join("trajectory.pocket");
    let around = dir.path().join("model/../model/.");
    for out in [&model, &around] {
        refused(finetune(model_path, out, &["--steps", "1"]), "invalid-argument");
        let replay = ["replay", "--model", model_path, "--trajectory", text(&trajectory), "--out", text(out)];
        let message = refused(on_cpu(&replay), "invalid-argument");
        assert!(message.contains("--model"), "{message}");
    }
    let own = model.join("model.safetensors");
    let logits = ["logits", "--model", model_path, "--ids", "1,2", "--out", text(&own)];
    assert!(refused(on_cpu(&logits), "invalid-argument").contains("--model"));
    let other = dir.path().join("model/other.safetensors");
    for (out, says) in [(&model, "found a directory"), (&other, "in the directory of --model")] {
        std::fs::write(&other, "").unwrap();
        let logits = ["logits", "--model", model_path, "--ids", "1,2", "--out", text(out)];
        let message = refused(on_cpu(&logits), "invalid-argument");
        assert!(message.contains(says) && !message.contains("reads it"), "{message}");
        std::fs::remove_file(&other).unwrap();
    }
    let mut again = on_cpu(&["finetune", "--model", model_path, "--train", &golden::path("bert/train.csv")]);
    again.args(["--template", "{text} [MASK]", "--labels", "great,terrible", "--steps", "1"]);
    again.args(["--adapter", text(&run), "--out", text(&run), "--resume"]);
    assert!(refused(again, "invalid-argument").contains("--adapter"));
    // A copied trajectory would be replaced by the run's own.
    #[cfg(unix)]
    {
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&model, &link).unwrap();
        refused(finetune(model_path, &link, &["--steps", "1"]), "invalid-argument");
        let other = dir.path().join("other");
        std::fs::create_dir(&other).unwrap();
        std::os::unix::fs::symlink(&own, other.join("model.safetensors")).unwrap();
        refused(finetune(model_path, &other, &["--steps", "1", "--save-model"]), "invalid-argument");
    }
    assert!(std::fs::read(&own).unwrap() == weights, "the weights were changed");
    assert_eq!(
        std::fs::read_dir(&model).unwrap().count(),
        std::fs::read_dir(golden::path("bert")).unwrap().count()
    );
}

#[test]
fn a_place_that_cannot_be_written_is_found_before_the_model_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (file, model) = (dir.path().join("file"), golden::path("bert"));
    std::fs::write(&file, "kept").unwrap();
    let inside = file.join("run");
    for out in [&file, &inside] {
        let mut run = finetune(&model, out, &["--steps", "1"]);
        let output = run.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(text(out)) && !said.contains(": at most"), "{said}");
    }
    let nowhere = dir.path().join("none/logits.safetensors");
    let logits = ["logits", "--model", &model, "--ids", "1", "--out", text(&nowhere)];
    assert!(refused(on_cpu(&logits), "invalid-argument").contains("none"));
    // A rejected run leaves nothing behind.
    let out = dir.path().join("out");
    refused(finetune(&model, &out, &["--steps", "1", "--max-gpu-bytes", "1"]), "out-of-memory");
    assert!(!out.exists());
    assert_eq!(std::fs::read(&file).unwrap(), b"kept");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_said() {
    let logits = ["logits", "--model", &golden::path("bert"), "--ids", "1", "--out", "/dev/full"];
    refused(on_cpu(&logits), "storage-full");
}

/// A system ends a program that writes beyond this limit, unless the program looks first.
#[cfg(unix)]
#[test]
fn a_limit_on_the_size_of_files_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let (model, logits) = (golden::path("bert"), dir.path().join("logits.safetensors"));
    let ids = ["5"; 120].join(",");
    for (command, name) in [
        (on_cpu(&["logits", "--model", &model, "--ids", &ids, "--out", text(&logits)]), "logits.safetensors"),
        (finetune(&model, &dir.path().join("run"), &["--steps", "400"]), "log.jsonl"),
    ] {
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -f 16; exec \"$0\" \"$@\""]).arg(command.get_program());
        limited.args(command.get_args());
        let message = refused(limited, "storage-full");
        assert!(message.contains(name) && message.contains("ulimit -f"), "{message}");
    }
    assert!(!logits.exists());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let (bert, llama) = (golden::path("bert"), golden::path("llama-gguf/model.gguf"));
    let data = golden::path("bert/train.csv");
    let out = dir.path().join("run");
    let evaluate = ["--template", "{text} [MASK]", "--labels", "great,terrible", "--eval", &data];
    let evaluate = [&["evaluate", "--model", &bert][..], &evaluate].concat();
    for (args, all) in [
        (vec!["--json", "generate", "--model", &llama, "--prompt", "one", "--max-tokens", "5"], false),
        (vec!["generate", "--model", &llama, "--prompt", "one", "--max-tokens", "40", "--ignore-eos"], false),
        ([&["--json"][..], &evaluate].concat(), false),
        (evaluate.clone(), false),
        (vec!["--help"], false),
        (vec!["--json", "evaluate", "--model", "none", "--eval", "none"], true),
        ([&evaluate[..], &["--limit"]].concat(), true),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pocketllm"));
        command.args(["--device", "cpu"]).args(&args).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(if all { 2 } else { 0 }), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{args:?}: {said}");
    }
    // Training continues if nobody reads its notes.
    let mut child = finetune(&bert, &out, &["--steps", "2", "--eval", &data]).spawn().unwrap();
    drop(child.stderr.take());
    done("the command", &child.wait_with_output().unwrap());
}

#[test]
fn a_finished_run_is_made_longer() {
    let dir = tempfile::tempdir().unwrap();
    let model = golden::path("bert");
    let read = |out: &Path, name: &str| std::fs::read(out.join(name)).unwrap();
    for (at, method) in [
        &["--save-model"][..],
        &["--method", "lora", "--optimizer", "adam", "--probes", "2", "--save-model"],
        &["--estimator", "low-rank", "--interval", "2"],
        &["--momentum", "0.5"],
    ]
    .into_iter()
    .enumerate()
    {
        let run = |name: &str, steps: &[&str]| {
            let out = dir.path().join(format!("{name}{at}"));
            for (index, steps) in steps.iter().enumerate() {
                let more = [method, &["--steps", steps], &["--resume"][..usize::from(index > 0)]].concat();
                done("the command", &finetune(&model, &out, &more).output().unwrap());
            }
            out
        };
        let (whole, parts) = (run("whole", &["21"]), run("parts", &["17", "19", "21"]));
        for file in ["trajectory.pocket", "model.safetensors", "adapter_model.safetensors"] {
            if whole.join(file).exists() {
                assert!(read(&whole, file) == read(&parts, file), "{method:?}: {file} differs");
            }
        }
        let lines = |out: &Path| read(out, "log.jsonl").iter().filter(|b| **b == b'\n').count();
        assert_eq!(lines(&whole), lines(&parts));
    }
    let out = dir.path().join("linear");
    let linear = |more: &[&str]| finetune(&model, &out, &[&["--schedule", "linear"][..], more].concat());
    done("the command", &linear(&["--steps", "3"]).output().unwrap());
    let message = refused(linear(&["--steps", "5", "--resume"]), "trajectory-mismatch");
    assert!(message.contains("schedule linear") && message.contains("constant"), "{message}");
    // The basis of a short run is computed from fewer batches than that of a longer one.
    let short = dir.path().join("short");
    let lora = |more: &[&str]| finetune(&model, &short, &[&["--method", "lora"][..], more].concat());
    done("the command", &lora(&["--steps", "2"]).output().unwrap());
    assert!(refused(lora(&["--steps", "3", "--resume"]), "trajectory-mismatch").contains("factor A"));
    let shorter = ["--steps", "2", "--resume"];
    assert!(refused(linear(&shorter), "trajectory-mismatch").contains("steps"));
}
