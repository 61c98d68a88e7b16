//! File operations that fail on purpose: the disk is full, or a read or a write fails, is interrupted, or is shorter than
//! requested. A library between the binary and the C library (`shim.rs`) makes them fail. On the CPU reference kernels.
//!
//! The test lets a few calls of each command fail. `POCKETLLM_FAULTS=all cargo test --test it calls_on_files -- --nocapture` lets
//! every call fail with every error that it can have.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::binary::{TEMPLATE, done, json, on_cpu, stderr};
use crate::campaign::{files, same, unit};
use crate::common::golden;

const FULL: i32 = 28;
const BROKEN: i32 = 5;
const INTERRUPTED: i32 = 4;
/// Not an error: fewer bytes are read or written than requested.
const SHORT: i32 = 0;

/// Number of faults for each command, unless the environment requests all.
const FEW: usize = 6;

const COMMANDS: &[&str] =
    &["full", "lora", "readout", "adapter from a readout", "resume", "replay", "evaluate", "logits"];

/// The files of the test: inputs, and the directory that commands write into.
struct Place {
    root: PathBuf,
    shim: PathBuf,
}

impl Place {
    fn path(&self, name: &str) -> String {
        self.root.join(name).to_str().unwrap().to_owned()
    }

    fn out(&self) -> PathBuf {
        self.root.join("run")
    }

    fn command(&self, name: &str) -> Command {
        let (model, data, out) = (self.path("model"), self.path("train.csv"), self.path("run"));
        let mut command = on_cpu(&[]);
        let finetune: &[&str] = match name {
            "two steps" => &["--steps", "2"],
            "full" => &["--steps", "3"],
            "lora" => &["--steps", "3", "--method", "lora"],
            "readout" => &["--method", "readout"],
            "adapter from a readout" => &["--steps", "2", "--readout", "--method", "lora"],
            // The existing run has two steps.
            "resume" => &["--steps", "4"],
            _ => &[],
        };
        match name {
            "replay" => command.args(["replay", "--trajectory", &self.path("two.pocket"), "--out", &out]),
            "evaluate" => {
                command.args(["evaluate", "--trajectory", &self.path("two.pocket"), "--eval", &data])
            }
            "logits" => {
                command.args(["logits", "--ids", "5,6", "--out", &self.path("run/logits.safetensors")])
            }
            _ => {
                command.args([
                    "finetune",
                    "--train",
                    &data,
                    "--seed",
                    "7",
                    "--resume",
                    "--save-model",
                    "--out",
                    &out,
                ]);
                if !name.contains("readout") {
                    command.args(["--template", TEMPLATE, "--labels", "great,terrible"]);
                }
                if name != "readout" {
                    command.args(["--batch-size", "2", "--lr", "1e-3", "--eval", &data, "--eval-every", "2"]);
                }
                command.args(finetune)
            }
        };
        command.args(["--model", &model]);
        command
    }

    /// Removes what a command has written, and prepares the files that it continues from.
    fn begin(&self, name: &str) {
        let _ = std::fs::remove_dir_all(self.out());
        match name {
            "resume" => copy(&self.root.join("two"), &self.out()),
            "logits" => std::fs::create_dir(self.out()).unwrap(),
            _ => {}
        }
    }

    /// Runs a command with a fault. Also returns the calls on files.
    fn run(&self, name: &str, call: usize, errno: i32) -> (Output, Vec<String>) {
        let log = self.root.with_extension("log");
        let _ = std::fs::remove_file(&log);
        let output = self
            .command(name)
            .env("LD_PRELOAD", &self.shim)
            .env("FAULT_ROOT", &self.root)
            .env("FAULT_LOG", &log)
            .env("FAULT_CALL", call.to_string())
            .env("FAULT_ERRNO", errno.to_string())
            .output()
            .unwrap();
        let calls = std::fs::read_to_string(&log).unwrap();
        (output, calls.lines().map(str::to_owned).collect())
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What a command has written to stdout, without the memory figures.
fn result(output: &Output) -> Value {
    let mut value = json(output);
    if let Some(object) = value.as_object_mut() {
        object.retain(|name, _| name != "gpu_bytes" && name != "plan");
    }
    value
}

/// The errors that a call can return.
fn errors(call: &str) -> &'static [i32] {
    match call.split(' ').next().unwrap() {
        "read" | "write" | "pread64" | "pwrite64" => &[FULL, BROKEN, INTERRUPTED, SHORT],
        "open" | "fsync" => &[FULL, BROKEN, INTERRUPTED],
        _ => &[FULL, BROKEN],
    }
}

#[test]
fn calls_on_files_that_fail_lose_nothing() {
    let all = std::env::var("POCKETLLM_FAULTS").is_ok_and(|count| count == "all");
    let temporary = tempfile::tempdir().unwrap();
    let place = Place { root: temporary.path().join("root"), shim: temporary.path().join("shim.so") };
    let built = Command::new("rustc")
        .args(["--edition", "2024", "--crate-type", "cdylib", "-O", "tests/it/file_faults/shim.rs", "-o"])
        .arg(&place.shim)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    done("the shim", &built);
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        std::fs::create_dir_all(place.root.join("model")).unwrap();
        std::fs::write(place.root.join("model").join(name), golden::file("bert", name)).unwrap();
    }
    std::fs::write(place.root.join("train.csv"), golden::file("bert", "train.csv")).unwrap();
    done("two steps", &place.command("two steps").output().unwrap());
    std::fs::copy(place.out().join("trajectory.pocket"), place.root.join("two.pocket")).unwrap();
    std::fs::rename(place.out(), place.root.join("two")).unwrap();

    for (index, name) in COMMANDS.iter().enumerate() {
        place.begin(name);
        let (reference, calls) = place.run(name, 0, SHORT);
        done(name, &reference);
        let expected = result(&reference);
        let writes = place.out().exists();
        let whole = writes.then(|| files(&place.out()));
        let mut faults: Vec<(usize, i32)> = (0..calls.len())
            .flat_map(|call| errors(&calls[call]).iter().map(move |errno| (call, *errno)))
            .collect();
        if !all {
            let any = |turn| faults[(unit(40 + index as u32, turn) * faults.len() as f64) as usize];
            faults = (0..FEW).map(any).collect();
        }
        let (mut refused, mut unharmed) = (0, 0);
        for &(call, errno) in &faults {
            let what = format!("{name}: errno {errno} at call {}, {}", call + 1, calls[call]);
            place.begin(name);
            let (output, _) = place.run(name, call + 1, errno);
            let said = stderr(&output);
            assert!(!said.contains("panicked"), "{what}: {said}");
            if output.status.success() {
                unharmed += 1;
                assert_eq!(result(&output), expected, "{what}");
            } else {
                refused += 1;
                assert!(errno == FULL || errno == BROKEN, "{what}: {said}");
                named(&what, &calls[call], &json(&output)["error"]);
                let left = files(&place.out());
                assert!(!left.names().any(|path| path.extension().is_some_and(|e| e == "partial")), "{what}");
                let again = place.command(name).output().unwrap();
                done(&what, &again);
            }
            if calls[call].starts_with("unlink") {
                // If a file could not be deleted, it is still there. A lock file means nothing.
                let _ = std::fs::remove_file(place.out().join("run.lock"));
            }
            if let Some(expected) = &whole {
                same(&what, &files(&place.out()), expected);
            }
        }
        println!(
            "{name}: {} calls, {} faults: {refused} refused, {unharmed} without harm",
            calls.len(),
            faults.len()
        );
    }
}

/// Checks that an error names the file of the call, and identifies a full disk.
fn named(what: &str, call: &str, error: &Value) {
    let (kind, path) = call.split_once(' ').unwrap();
    let file = Path::new(path).file_name().unwrap().to_str().unwrap();
    // A file that is being written has the id of its process in its name.
    let file = file.strip_suffix(".partial").map_or(file, |name| name.rsplit_once('.').unwrap().0);
    assert!(error["message"].as_str().is_some_and(|text| text.contains(file)), "{what}: {error}");
    if what.contains("errno 28") && ["write", "fsync", "fdatasync"].contains(&kind) {
        assert_eq!(error["code"], "storage-full", "{what}");
    }
}
