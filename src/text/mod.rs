//! Floor 1: text to tokens: tokenizers, data files, prompt templates, encoded examples, packed batches.

pub mod batch;
pub mod dataset;
pub mod encode;
pub mod stream;
pub mod template;
pub mod tokenizer;
