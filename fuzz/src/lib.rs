//! The fuzzers, one file each in `fuzz_targets/`, call [`run`], which limits the memory of a target.

mod targets;
#[expect(dead_code, reason = "the tests of the engine use all of it")]
#[path = "../../tests/common/watched.rs"]
mod watched;

/// Maximum bytes that a target may have allocated at any time, beyond its input.
const MOST: usize = 64 << 20;

/// Calls the target with this name.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = targets::TARGETS.iter().find(|(found, _)| *found == name).expect("a known target");
    let before = watched::restart();
    target(bytes);
    let taken = watched::peak() - before;
    assert!(
        taken <= MOST + bytes.len(),
        "{taken} bytes of memory were in use for an input of {}",
        bytes.len()
    );
}
