//! PocketLLM: fine-tune a pretrained language model where it runs.
pub mod clock;
pub mod dtype;
pub mod error;
pub mod format;
pub mod future;
pub mod text;
