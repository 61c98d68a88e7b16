//! Runs the fuzz targets without a fuzzer and without a nightly compiler, on the committed inputs and on random mutations of them.
//! `tests/refusals.rs` includes these tests.
//!
//! `POCKETLLM_FUZZ=600 cargo test --test refusals changed_inputs -- --nocapture` mutates inputs of each target for 600 seconds;
//! `POCKETLLM_FUZZ_TARGET` selects a single target.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::{targets, watched};

/// Maximum bytes that may be in use beyond the input.
const MOST: usize = 64 << 20;

/// Number of mutated inputs for each target, if the environment gives no time.
const FEW: u64 = 300;

/// Byte sequences with a meaning in one of the formats.
const PIECES: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"null",
    b"true",
    b"1e999",
    b"-1",
    b"18446744073709551615",
    b"9007199254740993",
    b"\\u0000",
    b"\n",
    b"\r\n",
    b"\t",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"{{ ",
    b" }}",
    b"{% ",
    b" %}",
    b"| tojson",
    b"range(99999999)",
    b"for m in messages",
    b"{text}",
    b"[MASK]",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\0\0\0\0\0\0\0\0",
    b"\x80\x02",
    b"\x80\x80\x80\x80\x01",
    b"\n@@ ",
];

/// The committed inputs of a target.
fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = format!("{}/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder}");
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// The cost of an input: the time, and the peak number of bytes in use. The memory is that of all tests in the process.
fn measure(target: fn(&[u8]), bytes: &[u8]) -> (Duration, usize) {
    let (before, start) = (watched::restart(), Instant::now());
    target(bytes);
    (start.elapsed(), watched::peak().saturating_sub(before))
}

#[test]
fn inputs_of_the_fuzzers_are_read_or_refused() {
    for (name, target) in targets::TARGETS {
        for (path, bytes) in corpus(name) {
            let (time, taken) = measure(*target, &bytes);
            assert!(taken < MOST, "{}: {taken} bytes were in use", path.display());
            // This may be a debug build on a busy machine.
            assert!(time.as_secs() < 20, "{}: {time:?}", path.display());
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

/// An input with one to eight random changes.
fn changed(random: &mut Random, inputs: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = inputs[random.below(inputs.len())].1.clone();
    for _ in 0..1 + random.below(8) {
        let at = random.below(bytes.len() + 1);
        let end = (at + 1 + random.below(24)).min(bytes.len());
        match random.below(8) {
            0 if at < bytes.len() => bytes[at] = [0, 1, 0x20, 0x7f, 0x80, 0xff][random.below(6)],
            1 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            2 => drop(bytes.drain(at..end)),
            3 => drop(bytes.splice(at..at, PIECES[random.below(PIECES.len())].iter().copied())),
            4 => drop(bytes.splice(at..end, PIECES[random.below(PIECES.len())].iter().copied())),
            5 => {
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len() + 1);
                bytes.splice(to..to, piece.repeat(1 + random.below(4)));
            }
            6 => {
                let other = &inputs[random.below(inputs.len())].1;
                let from = random.below(other.len() + 1);
                let piece = &other[from..(from + random.below(64)).min(other.len())];
                bytes.splice(at..end, piece.iter().copied());
            }
            _ => {
                if let Some(digit) = bytes[at..].iter().position(u8::is_ascii_digit) {
                    bytes[at + digit] = b'0' + random.below(10) as u8;
                }
            }
        }
    }
    bytes
}

#[test]
fn changed_inputs_are_read_or_refused() {
    let seconds = std::env::var("POCKETLLM_FUZZ").ok().map(|seconds| seconds.parse::<u64>().unwrap());
    let only = std::env::var("POCKETLLM_FUZZ_TARGET").ok();
    let wanted = targets::TARGETS.iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name));
    let mut wrong = Vec::new();
    for (name, target) in wanted {
        let inputs = corpus(name);
        let last = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
        // A long run starts with a different seed each time.
        let begun =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
        let mut random = Random(if seconds.is_some() { begun } else { 1 });
        let start = Instant::now();
        let (mut count, mut slowest, mut largest) = (0, Duration::ZERO, 0);
        while seconds.map_or(count < FEW, |seconds| start.elapsed().as_secs() < seconds) {
            count += 1;
            let bytes = changed(&mut random, &inputs);
            if seconds.is_some() {
                // If the process dies, this file has the input.
                std::fs::write(&last, &bytes).unwrap();
            }
            let (bad, time, taken) = match catch_unwind(AssertUnwindSafe(|| measure(*target, &bytes))) {
                // Only the long run has the process to itself.
                Ok((time, taken)) => {
                    (seconds.is_some() && (time.as_secs_f64() > 1.0 || taken > MOST), time, taken)
                }
                Err(_) => (true, Duration::ZERO, 0),
            };
            slowest = slowest.max(time);
            largest = largest.max(taken);
            if bad {
                let kept = last.with_file_name(format!("fuzz-{name}-{}", wrong.len()));
                std::fs::write(&kept, &bytes).unwrap();
                wrong.push(format!("{}: {time:?}, {taken} bytes", kept.display()));
                if wrong.len() > 20 {
                    break;
                }
            }
        }
        if seconds.is_some() {
            println!("{name}: {count} inputs, the slowest took {slowest:?}, the largest {largest} bytes");
        }
    }
    assert!(wrong.is_empty(), "panics, more than a second or more than 64 MiB:\n{}", wrong.join("\n"));
}
