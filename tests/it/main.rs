//! Tests of the crate from its users' perspective, in one binary, which is linked only once and has all fixtures in one place.
//!
//! The tests run natively and, unless a module says otherwise, in a browser's dedicated worker, like the engine in a tab. There are
//! two other binaries: `tests/kernels`, whose tests run on a page's main thread, and `tests/refusals.rs`, whose allocator records
//! the largest allocation of the process.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;

mod binary;
mod campaign;
mod chat_golden;
mod cli;
mod cli_commands;
mod cli_notes;
mod cli_readout;
mod cli_runs;
mod cli_said;
mod cpu;
mod device;
mod directions;
mod exploding;
mod failing_backend;
#[cfg(not(target_arch = "wasm32"))]
mod families;
mod features;
mod file_faults;
mod fit;
mod fixtures;
mod floors;
mod format_models;
mod format_web;
mod goldens;
mod gpu_faults;
#[cfg(not(target_arch = "wasm32"))]
mod imports;
mod in_context;
mod methods;
mod mezo;
mod numbers;
mod opt_published;
mod options;
mod paper_size;
mod peft;
mod plan;
mod probe;
mod prompts;
mod published;
mod readout;
mod readout_export;
mod readout_steps;
mod refused_models;
mod replays;
mod run_properties;
mod saved_model;
mod shaders;
mod soak;
#[cfg(not(target_arch = "wasm32"))]
mod split_gguf;
mod statistics;
mod steps;
mod storage;
mod streamed;
mod tasks;
mod text_golden;
mod text_properties;
mod webgpu_probe;
mod words;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);
