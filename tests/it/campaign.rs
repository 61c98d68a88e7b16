//! Runs that are disrupted on purpose: killed at random moments, truncated at every byte of their last records, randomly corrupted,
//! and out of disk space. On the CPU reference kernels.
//!
//! The tests are short. `POCKETLLM_KILLS=1000 cargo test --test it campaign -- --nocapture` runs the long campaign of BENCHMARKS.md.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pocketllm::error::Code;
use pocketllm::rng::threefry2x32;
use pocketllm::train::Trajectory;
use pocketllm::zo::record::RECORD_BYTES;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::binary::{TEMPLATE, on_cpu};
use crate::common::golden;

/// Kinds of run: their names and options.
const KINDS: &[(&str, &[&str])] = &[
    ("full", &["--steps", "40", "--weight-decay", "0.1"]),
    ("full in f16", &["--steps", "40", "--dtype", "f16", "--schedule", "linear"]),
    ("momentum and probes", &["--steps", "30", "--momentum", "0.8", "--probes", "2"]),
    ("one-sided", &["--steps", "30", "--estimator", "one-sided", "--probes", "3"]),
    ("low-rank", &["--steps", "30", "--estimator", "low-rank", "--interval", "7"]),
    ("lora", &["--steps", "40", "--method", "lora"]),
    ("lora in q8", &["--steps", "40", "--method", "lora", "--lora-a", "trained", "--dtype", "q8"]),
    ("lora in a balanced order", &["--steps", "40", "--method", "lora", "--balanced"]),
    ("prefix", &["--steps", "40", "--method", "prefix"]),
    ("readout", &["--method", "readout"]),
    (
        "readout on label words",
        &["--method", "readout", "--template", TEMPLATE, "--labels", "great,terrible"],
    ),
    ("steps from a readout", &["--steps", "30", "--readout"]),
    ("a readout that is fitted again", &["--steps", "30", "--readout", "--refit-every", "4"]),
    ("the best step", &["--steps", "30", "--readout", "--refit-every", "7", "--keep-best", "--eps", "1e-2"]),
];

/// Number of kills, if the environment does not specify it.
const KILLS: usize = 30;

fn finetune(kind: &[&str], out: &Path) -> Command {
    let (model, data) = (golden::path("bert"), golden::path("bert/train.csv"));
    let mut command = on_cpu(&["finetune", "--model", &model, "--train", &data, "--seed", "7"]);
    let (fits, steps) = (kind.contains(&"readout") || kind.contains(&"--readout"), kind.contains(&"--steps"));
    if !fits {
        command.args(["--template", TEMPLATE, "--labels", "great,terrible"]);
    }
    if steps {
        command.args(["--batch-size", "4", "--lr", "1e-3", "--eval", &data, "--eval-every", "10"]);
    }
    command.args(kind).args(["--resume", "--save-model", "--out"]).arg(out);
    command
}

/// The files of a complete run. Of the log, only the parts that do not depend on time.
pub(crate) struct Files {
    bytes: Vec<(PathBuf, Vec<u8>)>,
    log: Vec<BTreeMap<String, String>>,
}

impl Files {
    pub(crate) fn names(&self) -> impl Iterator<Item = &Path> {
        self.bytes.iter().map(|(path, _)| path.as_path())
    }
}

pub(crate) fn files(dir: &Path) -> Files {
    let mut bytes = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        // A command that failed may not have created a directory.
        for entry in std::fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.file_name().unwrap() != "log.jsonl" {
                bytes.push((path.strip_prefix(dir).unwrap().to_owned(), std::fs::read(&path).unwrap()));
            }
        }
    }
    bytes.sort();
    // If only a model is saved, there is no log.
    let log = std::fs::read_to_string(dir.join("log.jsonl")).unwrap_or_default();
    // Numbers are compared as they are written.
    let line = |line: &str| {
        let mut line: BTreeMap<String, Box<RawValue>> = serde_json::from_str(line).unwrap();
        line.retain(|name, _| name != "ms" && name != "tokens");
        line.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect()
    };
    Files { bytes, log: log.lines().map(line).collect() }
}

/// Compares the files of a run with those of an undisturbed one.
pub(crate) fn same(what: &str, found: &Files, reference: &Files) {
    let names = |files: &Files| files.bytes.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    assert_eq!(names(found), names(reference), "{what}: the names of the files");
    for ((path, bytes), (_, expected)) in found.bytes.iter().zip(&reference.bytes) {
        assert!(bytes == expected, "{what}: {} differs", path.display());
    }
    assert_eq!(found.log, reference.log, "{what}: the log");
}

/// Runs to the end, and returns the time that it takes.
fn complete(kind: &[&str], out: &Path) -> Duration {
    let start = Instant::now();
    let output = finetune(kind, out).output().unwrap();
    assert!(output.status.success(), "{kind:?}: {}", String::from_utf8_lossy(&output.stderr));
    start.elapsed()
}

/// Numbers in 0..1 that are the same in every campaign.
pub(crate) fn unit(stream: u32, i: usize) -> f64 {
    f64::from(threefry2x32([stream, 15], [i as u32, 0])[0]) / 4_294_967_296.0
}

#[test]
fn killed_runs_end_with_the_bits_of_runs_that_were_not() {
    let kills = std::env::var("POCKETLLM_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let root = tempfile::tempdir().unwrap();
    let references: Vec<(Files, Duration)> = (0..)
        .zip(KINDS)
        .map(|(index, (_, kind))| {
            let out = root.path().join(format!("reference-{index}"));
            complete(kind, &out);
            // The second time, the program is in the system's cache.
            std::fs::remove_dir_all(&out).unwrap();
            let took = complete(kind, &out);
            (files(&out), took)
        })
        .collect();
    let (mut done, mut runs, mut torn, mut locked) = (0, 0, 0, 0);
    let mut of_kind = vec![0; KINDS.len()];
    let mut turn = 0;
    while done < kills {
        let at = (unit(1, runs) * KINDS.len() as f64) as usize;
        let ((name, kind), (reference, took)) = (KINDS[at], &references[at]);
        let out = root.path().join("run");
        // A run is killed at most five times, and then allowed to finish.
        for _ in 0..5 {
            turn += 1;
            let mut child = finetune(kind, &out).spawn().unwrap();
            std::thread::sleep(took.mul_f64(1.05 * unit(2, turn)));
            child.kill().unwrap();
            if child.wait().unwrap().success() {
                break;
            }
            done += 1;
            of_kind[at] += 1;
            locked += usize::from(out.join("run.lock").exists());
            let record = std::fs::read(out.join("trajectory.pocket")).unwrap_or_default();
            let whole =
                &reference.bytes.iter().find(|(path, _)| path.ends_with("trajectory.pocket")).unwrap().1;
            // The record of a readout is rewritten after each fit, and the record of a run that keeps the best step is rewritten at
            // the end.
            let fitted = kind.contains(&"readout") || kind.contains(&"--keep-best");
            assert!(fitted || whole.starts_with(&record), "{name}: not the beginning of the record");
            let is_whole = whole.len().abs_diff(record.len()).is_multiple_of(RECORD_BYTES);
            torn += usize::from(!fitted && !record.is_empty() && !is_whole);
        }
        complete(kind, &out);
        same(&format!("{name}: after {done} kills"), &files(&out), reference);
        std::fs::remove_dir_all(&out).unwrap();
        runs += 1;
    }
    println!(
        "{done} kills of {runs} runs, of which {locked} left a lock file and {torn} a torn record; of each kind:"
    );
    KINDS.iter().zip(&of_kind).for_each(|((name, _), count)| println!("  {name}: {count}"));
}

/// A finished run of two probes, with few steps.
fn short_run(out: &Path) -> (&'static [&'static str], Files) {
    const KIND: &[&str] = &["--steps", "6", "--probes", "2", "--method", "lora"];
    complete(KIND, out);
    (KIND, files(out))
}

#[test]
fn a_record_that_ends_at_any_byte_of_its_last_two_is_completed() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let (kind, reference) = short_run(&out);
    let path = out.join("trajectory.pocket");
    let whole = std::fs::read(&path).unwrap();
    let cuts = 2 * RECORD_BYTES;
    for missing in 1..=cuts {
        std::fs::write(&path, &whole[..whole.len() - missing]).unwrap();
        complete(kind, &out);
        same(&format!("{missing} bytes missing"), &files(&out), &reference);
    }
    println!("{cuts} cuts of a record, every one completed");
}

#[test]
fn damage_at_random_is_noticed() {
    const FLIPS: usize = 20_000;
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let (kind, _) = short_run(&out);
    let path = out.join("trajectory.pocket");
    let whole = std::fs::read(&path).unwrap();
    let intact = Trajectory::parse("t", &whole).unwrap();
    let mut refused = 0;
    for flip in 0..FLIPS {
        let mut damaged = whole.clone();
        // One to four bytes, adjacent or far apart.
        for part in 0..1 + flip % 4 {
            let at = (unit(3, 4 * flip + part) * whole.len() as f64) as usize;
            damaged[at] ^= 1 + (unit(4, 4 * flip + part) * 255.0) as u8;
        }
        if damaged == whole {
            continue;
        }
        match Trajectory::parse("t", &damaged) {
            // Only the last record may be dropped, as one that was not written completely.
            Ok(read) => {
                assert!(read.torn_bytes > 0 && read.header == intact.header, "flip {flip}");
                assert_eq!(read.records, intact.records[..read.records.len()], "flip {flip}");
                assert!(intact.records.len() - read.records.len() <= 2, "flip {flip}");
            }
            Err(error) => {
                assert_eq!(error.code(), Code::FileCorrupt, "flip {flip}: {error}");
                refused += 1;
            }
        }
    }
    // A run does not continue from a damaged record, and leaves it unchanged.
    for at in [20, whole.len() / 2, whole.len() - 3 * RECORD_BYTES] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x41;
        std::fs::write(&path, &damaged).unwrap();
        let output = finetune(kind, &out).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "byte {at}");
        let value: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(value["error"]["code"], "file-corrupt", "byte {at}: {value}");
        assert!(std::fs::read(&path).unwrap() == damaged, "byte {at}: the file was changed");
    }
    println!("{FLIPS} damaged records: {refused} refused, the others without their last step");
}

/// A limit on file sizes simulates a disk that becomes full: writes fail at any byte.
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_becomes_full_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let reference = root.path().join("reference");
    let (kind, whole) = short_run(&reference);
    let out = root.path().join("run");
    let mut failed = 0;
    for blocks in 0..14 {
        let run = finetune(kind, &out);
        let mut limited = Command::new("sh");
        limited.args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\"", &blocks.to_string()]);
        limited.arg(run.get_program()).args(run.get_args()).stdin(Stdio::null());
        let output = limited.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("panicked"), "{blocks} blocks: {said}");
        if !output.status.success() {
            failed += 1;
            assert!(said.contains("error:"), "{blocks} blocks: {said}");
            let left = std::fs::read_dir(&out).map_or(0, |entries| {
                entries
                    .filter(|e| e.as_ref().unwrap().path().extension().is_some_and(|e| e == "partial"))
                    .count()
            });
            assert_eq!(left, 0, "{blocks} blocks: a partial file was left");
        }
        if blocks % 5 == 4 {
            let _ = std::fs::remove_dir_all(&out);
        }
    }
    complete(kind, &out);
    same("after a full disk", &files(&out), &whole);
    assert!(failed > 2, "only {failed} runs failed");
}
