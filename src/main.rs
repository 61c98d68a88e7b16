//! The `pocketllm` command: see [`pocketllm::cli`].
fn main() {}
