//! The `pocketllm` command: see [`pocketllm::cli`].

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    pocketllm::cli::main()
}

#[cfg(target_arch = "wasm32")]
fn main() {}
