//! GPU calls that fail on purpose: the device is lost, it is out of memory, a call is invalid, a buffer cannot be mapped, or the
//! device does not respond. The binary makes them fail if it has debug assertions: see `src/gpu/faults.rs`.
//!
//! The test lets a few calls of each command fail. `POCKETLLM_FAULTS=1000 cargo test --test it gpu_calls -- --nocapture` lets 1000
//! of them fail, and `POCKETLLM_FAULTS=all` makes every call fail in every way.
#![cfg(not(target_arch = "wasm32"))]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::binary::{TEMPLATE, binary, device, done, json, path, stderr};
use crate::campaign::{files, same, unit};
use crate::common::{golden, skip};

/// Faults, and the code of the error if the command cannot recover.
const FAULTS: &[(&str, &str)] = &[
    ("lost", "device-lost"),
    ("memory", "out-of-memory"),
    ("invalid", "limit-exceeded"),
    ("map", "limit-exceeded"),
    ("timeout", "device-lost"),
];

/// Commands: their names and arguments.
const COMMANDS: &[(&str, &[&str])] = &[
    ("full", &["finetune", "--steps", "3", "--weight-decay", "0.1", "--save-model"]),
    ("lora", &["finetune", "--steps", "3", "--method", "lora", "--save-model"]),
    ("steps from a readout", &["finetune", "--steps", "2", "--readout"]),
    ("adapter from a readout", &["finetune", "--steps", "2", "--readout", "--method", "lora"]),
    ("readout", &["finetune", "--method", "readout", "--save-model"]),
    ("replay", &["replay"]),
    ("evaluate", &["evaluate"]),
    ("generate", &["generate", "--prompt-of-test"]),
];

/// Number of faults for each command, if the environment does not specify it.
const FEW: usize = 5;

/// A command on the GPU that writes to `out`, if it writes anything.
fn command(arguments: &[&str], trajectory: &str, out: &Path) -> Command {
    let (model, data) = (golden::path("bert"), golden::path("bert/train.csv"));
    let mut command = binary(&["--json", "--device", "gpu"]);
    let out = out.to_str().unwrap();
    match arguments[0] {
        "finetune" => {
            command
                .args(arguments)
                .args(["--model", &model, "--train", &data, "--seed", "7", "--resume", "--out", out]);
            let (fits, steps) = (
                arguments.contains(&"readout") || arguments.contains(&"--readout"),
                arguments.contains(&"--steps"),
            );
            if !fits {
                command.args(["--template", TEMPLATE, "--labels", "great,terrible"]);
            }
            if steps {
                command.args(["--batch-size", "4", "--lr", "1e-3", "--eval", &data, "--eval-every", "2"]);
            }
        }
        "replay" => {
            command.args(["replay", "--model", &model, "--trajectory", trajectory, "--out", out]);
        }
        "evaluate" => {
            command.args(["evaluate", "--model", &model, "--trajectory", trajectory, "--eval", &data]);
        }
        _ => {
            let model = golden::path("llama-gguf/model.gguf");
            command.args([
                "generate",
                "--model",
                &model,
                "--prompt",
                "It was a",
                "--max-tokens",
                "6",
                "--ignore-eos",
            ]);
        }
    }
    command
}

/// A command with faults in the devices that it opens.
fn faulty(arguments: &[&str], trajectory: &str, out: &Path, faults: &str) -> Output {
    command(arguments, trajectory, out).env("POCKETLLM_GPU_FAULTS", faults).output().unwrap()
}

/// The calls of each device that the command opened.
fn calls(output: &Output) -> Vec<u64> {
    stderr(output).lines().filter_map(|line| line.strip_prefix("GPU calls: ")?.parse().ok()).collect()
}

/// What a command has written to stdout, without values that depend on time and place, and without the loss, which a readout that
/// was already complete does not report again.
fn result(output: &Output) -> Value {
    let mut value = json(output);
    if let Some(object) = value.as_object_mut() {
        object
            .retain(|name, _| !["trajectory", "model", "gpu_bytes", "plan", "loss"].contains(&name.as_str()));
    }
    value
}

#[test]
fn gpu_calls_that_fail_lose_nothing() {
    if device() != "gpu" {
        return skip("gpu_calls_that_fail_lose_nothing", "there is no GPU");
    }
    let wanted = std::env::var("POCKETLLM_FAULTS").unwrap_or_else(|_| FEW.to_string());
    let root = tempfile::tempdir().unwrap();
    let trajectory = path(root.path(), "reference-0/trajectory.pocket");
    let out = root.path().join("run");
    for (index, (name, arguments)) in COMMANDS.iter().enumerate() {
        let reference_out = root.path().join(format!("reference-{index}"));
        let reference = faulty(arguments, &trajectory, &reference_out, "count@0");
        done(name, &reference);
        let [all] = calls(&reference)[..] else {
            return skip("gpu_calls_that_fail_lose_nothing", "the binary has no debug assertions");
        };
        let whole = reference_out.exists().then(|| files(&reference_out));
        let expected = result(&reference);
        let (mut recovered, mut refused, mut unharmed) = (0, 0, 0);
        let every = wanted == "all";
        let count = if every { FAULTS.len() * all as usize } else { wanted.parse().unwrap() };
        for turn in 0..count {
            let (fault, code) = FAULTS[turn % FAULTS.len()];
            let call = if every {
                turn / FAULTS.len() + 1
            } else {
                1 + (unit(20 + index as u32, turn) * all as f64) as usize
            };
            let what = format!("{name}: {fault} at call {call} of {all}");
            let output = faulty(arguments, &trajectory, &out, &format!("{fault}@{call}"));
            let said = stderr(&output);
            assert!(!said.contains("panicked"), "{what}: {said}");
            if output.status.success() {
                assert_eq!(result(&output), expected, "{what}");
                // A second device was opened, unless the fault came after anything that could notice it.
                if calls(&output).len() > 1 { recovered += 1 } else { unharmed += 1 }
            } else {
                refused += 1;
                assert_eq!(output.status.code(), Some(1), "{what}: {said}");
                let error = json(&output)["error"].clone();
                assert_eq!(error["code"], code, "{what}: {error}");
                assert!(code != "device-lost", "{what}: the command did not recover: {error}");
                let left: Vec<_> =
                    std::fs::read_dir(&out).into_iter().flatten().map(|e| e.unwrap().path()).collect();
                assert!(
                    !left.iter().any(|path| path.extension().is_some_and(|e| e == "partial")),
                    "{what}: {left:?}"
                );
                if let Some(expected) = &whole {
                    let again = command(arguments, &trajectory, &out).output().unwrap();
                    done(&what, &again);
                    same(&what, &files(&out), expected);
                }
            }
            if let Some(expected) = &whole {
                same(&what, &files(&out), expected);
                std::fs::remove_dir_all(&out).unwrap();
            }
        }
        println!(
            "{name}: {all} calls, {count} faults: {recovered} recovered, {refused} refused, {unharmed} came too late to be noticed"
        );
    }
}

#[test]
fn a_gpu_that_is_lost_again_and_again_is_an_error() {
    if device() != "gpu" {
        return skip("a_gpu_that_is_lost_again_and_again_is_an_error", "there is no GPU");
    }
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let (_, arguments) = COMMANDS[0];
    let output = faulty(arguments, "", &out, "lost@500,lost@400,lost@300,lost@200");
    if calls(&output).is_empty() {
        return skip("a_gpu_that_is_lost_again_and_again_is_an_error", "the binary has no debug assertions");
    }
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json(&output)["error"]["code"], "device-lost");
    assert_eq!(calls(&output).len(), 4, "{}", stderr(&output));
    let reference = root.path().join("reference");
    for out in [&out, &reference] {
        done("without faults", &command(arguments, "", out).output().unwrap());
    }
    same("after four losses", &files(&out), &files(&reference));
}
