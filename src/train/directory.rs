//! The small files of a saved model: with them beside `model.safetensors`, transformers and this program open its directory as it is.

use serde_json::{Value, json};

use super::session::Session;
use crate::dtype::DType;
use crate::error::Result;
use crate::format::files::{CONFIG_FILE, TOKENIZER_FILE};
use crate::text::tokenizer_files::DECLARATION_FILES;

impl Session {
    /// `config.json`, and for a model from a GGUF file also its tokenizer. A model from a directory has its tokenizer's files there.
    ///
    /// # Errors
    /// `model-unsupported` if the tokenizer cannot be written.
    pub fn small_files(&self) -> Result<Vec<(&'static str, Vec<u8>)>> {
        let text = |value: Value| format!("{value:#}\n").into_bytes();
        let mut config = self.config().clone();
        // The file has the weights after training. They are no longer quantized, and would lose the last steps in bfloat16.
        for field in ["quantization_config", "dtype"] {
            config.remove(field);
        }
        let half = self.dtype() == DType::F16 && self.model.adapter().is_none();
        config.insert("torch_dtype".to_owned(), json!(if half { "float16" } else { "float32" }));
        let mut files = vec![];
        if let Some(declared) = self.tokenizer_config() {
            // The first is the one that ends a text in training.
            let first = self.tokenizer().ok().and_then(|tokenizer| tokenizer.eos());
            let others = self.ends().iter().copied().filter(|id| Some(*id) != first);
            let ends: Vec<u32> = first.into_iter().chain(others).collect();
            config.insert("eos_token_id".to_owned(), json!(ends));
            if let Ok(tokenizer) = self.tokenizer() {
                files.push((TOKENIZER_FILE, tokenizer.to_json()?.into_bytes()));
                files.push((DECLARATION_FILES[0], text(Value::Object(declared.clone()))));
            }
        }
        files.push((CONFIG_FILE, text(Value::Object(config))));
        Ok(files)
    }
}
