//! The small files of a saved model. With them beside `model.safetensors`, transformers and this program can open the directory.

use serde_json::{Map, Value, json};

use super::readout_export::{ReadoutFiles, json_file};
use super::session::Session;
use crate::dtype::DType;
use crate::error::Result;
use crate::format::files::{CONFIG_FILE, MAX_TOKENIZER_BYTES, TOKENIZER_FILE};
use crate::format::source::read_whole;
use crate::text::tokenizer_files::DECLARATION_FILES;

impl Session {
    /// The files beside the weights, with their paths: those of a readout, or `config.json`; and the model's original tokenizer
    /// files, chat template and generation settings. A model from a GGUF file has none of these, so tokenizer files are generated
    /// for it.
    ///
    /// # Errors
    /// `model-unsupported` if the tokenizer cannot be written; read errors.
    pub async fn small_files(&self, readout: Option<&ReadoutFiles>) -> Result<Vec<(String, Vec<u8>)>> {
        let mut files: Vec<(String, Vec<u8>)> = match readout {
            Some(readout) => {
                readout.files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.clone())).collect()
            }
            None => {
                let half = self.dtype() == DType::F16 && self.model.adapter().is_none();
                vec![(CONFIG_FILE.to_owned(), json_file(self.saved_config(half)))]
            }
        };
        if let (Some(declared), Ok(tokenizer)) = (self.tokenizer_config(), self.tokenizer()) {
            files.push((TOKENIZER_FILE.to_owned(), tokenizer.to_json()?.into_bytes()));
            files.push((DECLARATION_FILES[0].to_owned(), json_file(declared.clone())));
        }
        for (name, source) in &self.copied_files.0 {
            files.push(((*name).to_owned(), read_whole(source.as_ref(), MAX_TOKENIZER_BYTES).await?));
        }
        Ok(files)
    }

    /// The configuration of the saved model. With `half`, it tells transformers to load the weights in 16 bits.
    pub(super) fn saved_config(&self, half: bool) -> Map<String, Value> {
        let mut config = self.config().clone();
        // The file has the weights after training. They are no longer quantized, and bfloat16 would lose the last steps.
        for field in ["quantization_config", "dtype"] {
            config.remove(field);
        }
        config.insert("torch_dtype".to_owned(), json!(if half { "float16" } else { "float32" }));
        if self.tokenizer_config().is_some() {
            // The first id is the one that ends a text in training.
            let first = self.tokenizer().ok().and_then(|tokenizer| tokenizer.eos());
            let others = self.ends().iter().copied().filter(|id| Some(*id) != first);
            let ends: Vec<u32> = first.into_iter().chain(others).collect();
            config.insert("eos_token_id".to_owned(), json!(ends));
        }
        config
    }
}
