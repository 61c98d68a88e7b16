//! Converts a user's file to packed tokens with targets.
//!
//! - [`dataset`] reads [`rows`] from CSV, TSV, JSONL or plain text.
//! - [`layout`] finds the columns of files that do not name them.
//! - [`template`] puts a row's text into a prompt.
//! - [`tokenizer`] converts text to token ids and back, with the same ids natively and in a browser
//!   tab.
//! - [`encode`] combines these into examples whose targets are (position, label) pairs.
//! - [`batch`] packs examples end to end.
//! - [`stream`] converts generated ids to text as they arrive.
//! - [`task`] has the tasks of the MeZO paper by name.
//! - [`chat`] renders conversations with a model's own template.
//! - [`metrics`] scores predictions, and [`figures`] says what the scores of labels mean.
//!
//! Invariants: this module imports only from floor 0; nothing here panics, or allocates by a number from outside without checking
//! it; an error about a row names the file, the row and the field.

pub mod batch;
pub mod chat;
mod columns;
pub mod dataset;
mod decode;
mod delimited;
pub mod encode;
pub mod figures;
pub mod gguf_vocab;
mod guess;
mod json_rows;
pub mod layout;
pub mod metrics;
pub(crate) mod python_json;
pub mod rows;
mod shape;
mod sniff;
pub mod stream;
pub mod task;
pub mod template;
pub mod tokenizer;
pub mod tokenizer_files;
