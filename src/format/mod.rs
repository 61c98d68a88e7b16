//! Floor 1: model files. What a byte source, a weight file and a `config.json` are, natively and in
//! a tab.
//!
//! - [`source`]: random access to one file's bytes, wherever they lie.
//! - [`files`]: a directory of such files, looked up by name.
//! - [`safetensors`], [`gguf`]: headers parsed into a [`checkpoint::Checkpoint`], which hands out
//!   tensors as f32 in Hugging Face's names, layout and element order, a chunk at a time.
//! - [`config`]: `config.json` as a checked view.
//! - [`model_files`]: all of it together, found in a directory or a `.gguf` file.
//! - [`safetensors_writer`]: the way back, streamed.
//! - [`peft`]: adapters, both ways.
//!
//! Invariants: no file is ever held whole (config and tokenizer excepted, whose sizes are bounded);
//! no number from a file sizes an allocation before it has been checked against the file's length;
//! nothing here panics on malformed input.

pub mod checkpoint;
pub mod config;
pub mod files;
pub mod gguf;
pub mod model_files;
pub mod peft;
pub mod safetensors;
pub mod safetensors_writer;
pub mod source;
