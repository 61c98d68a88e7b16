//! PocketLLM: fine-tune a pretrained language model where it runs.
pub mod clock;
pub mod dtype;
pub mod error;
pub mod format;
pub mod future;
pub mod gpu;
pub mod kernel;
pub mod model;
pub mod reference;
pub mod text;
pub mod train;
pub mod zo;

#[cfg(not(target_arch = "wasm32"))]
pub mod cli;
#[cfg(target_arch = "wasm32")]
pub mod web;
