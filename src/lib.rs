//! PocketLLM: fine-tune a pretrained language model where it runs.
#[macro_use]
pub mod error;
pub mod future;
pub mod text;
