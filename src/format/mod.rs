//! Model files: reads bytes, weight files and `config.json`, natively and in a browser tab.
//!
//! - [`source`]: random access to the bytes of one file, wherever it is stored.
//! - [`files`]: a directory of such files, looked up by name.
//! - [`safetensors`], [`gguf`], [`pickle`], [`sharded`]: parse headers into a [`checkpoint::Checkpoint`], which returns tensors as
//!   f32 with Hugging Face's names, layout and element order, a chunk at a time.
//! - [`config`]: `config.json` as a checked view.
//! - [`model_files`]: a complete model, found in a directory or a `.gguf` file.
//! - [`safetensors_writer`]: a streaming writer of safetensors files.
//! - [`peft`]: reading and writing adapters.
//!
//! Invariants: no file is ever held in memory as a whole, except the configuration and the tokenizer, whose sizes are bounded. No
//! number from a file determines the size of an allocation before it has been checked against the file's length. Nothing here
//! panics on malformed input.

pub mod checkpoint;
pub mod config;
pub mod files;
pub mod gguf;
pub mod model_files;
pub mod peft;
pub mod pickle;
pub mod safetensors;
pub mod safetensors_writer;
pub mod sharded;
pub mod source;
mod wrappers;
