//! PocketLLM: fine-tune a pretrained language model where it runs.
pub mod clock;
pub mod error;
pub mod dtype;
pub mod format;
pub mod future;
pub mod gpu;
pub mod kernel;
pub mod reference;
