//! The chat template among a model's files.

use crate::error::{Result, bail};
use crate::format::gguf::Metadata;
use crate::format::model_files::ModelFiles;
use crate::text::chat::ChatTemplate;

/// The template that came with the model. What is wrong with it concerns only those who chat.
///
/// # Errors
/// `model-unsupported` when there is none, or it cannot be run; `file-corrupt` when its file is damaged.
pub(super) fn template(files: &ModelFiles) -> Result<ChatTemplate> {
    let found = match &files.gguf {
        Some(metadata) => of_gguf(metadata)?,
        None => ChatTemplate::from_files(&files.small_files)?,
    };
    match found {
        Some(template) => Ok(template),
        None => bail!(
            ModelUnsupported,
            "{}: expected a chat template for data with `messages`, found none: put the instruction-tuned model's tokenizer_config.json or \
             chat_template.jinja beside it, or give the data as `prompt` and `completion`",
            files.name
        ),
    }
}

fn of_gguf(metadata: &Metadata) -> Result<Option<ChatTemplate>> {
    const KEY: &str = "tokenizer.chat_template";
    let Some(source) = metadata.opt_str(KEY)? else { return Ok(None) };
    let vocabulary = metadata.strings("tokenizer.ggml.tokens")?;
    let mut tokens = Vec::new();
    for (name, key) in [
        ("bos_token", "tokenizer.ggml.bos_token_id"),
        ("eos_token", "tokenizer.ggml.eos_token_id"),
        ("unk_token", "tokenizer.ggml.unknown_token_id"),
        ("sep_token", "tokenizer.ggml.seperator_token_id"),
        ("pad_token", "tokenizer.ggml.padding_token_id"),
        ("cls_token", "tokenizer.ggml.cls_token_id"),
        ("mask_token", "tokenizer.ggml.mask_token_id"),
    ] {
        if let Some(token) = metadata.opt_u32(key)?.and_then(|id| vocabulary.get(id as usize)) {
            tokens.push((name.to_owned(), token.clone()));
        }
    }
    ChatTemplate::new(KEY, source, tokens).map(Some)
}
