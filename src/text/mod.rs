//! Floor 1, text: from a person's file to packed tokens with targets.
//!
//! [`dataset`] reads [`rows`] from CSV, TSV, JSONL or plain text; [`template`] puts a row's text into a prompt;
//! [`tokenizer`] turns text into token ids and back, the same natively and in the tab; [`encode`] joins the
//! three into examples whose targets are (position, label) pairs; [`batch`] lays examples end to end;
//! [`stream`] turns generated ids back into text as they arrive. [`task`] knows the tasks of the MeZO paper by name, [`chat`] renders
//! conversations by a model's own template, [`metrics`] counts what is right.
//!
//! Invariants: this floor imports only [`crate::error`]; nothing here panics or allocates by a number that
//! came from outside; an error about a row names the file, the row and the field.

pub mod batch;
pub mod chat;
pub mod dataset;
mod decode;
mod delimited;
pub mod encode;
pub mod gguf_vocab;
mod json_rows;
pub mod metrics;
pub mod rows;
pub mod stream;
pub mod task;
pub mod template;
pub mod tokenizer;
