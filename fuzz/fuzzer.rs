//! Runs one target on one input, with a bound on its memory.

#[path = "targets.rs"]
mod targets;
#[path = "../tests/common/watched.rs"]
mod watched;

/// Bytes that a target may have allocated at one time, beyond its input.
const MOST: usize = 64 << 20;

/// Calls the target.
pub(crate) fn run(name: &str, bytes: &[u8]) {
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
