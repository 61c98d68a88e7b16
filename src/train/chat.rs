//! The chat template among a model's files, and what the fields of a GGUF file say about the tokenizer.

use serde_json::{Map, Value, json};

use crate::error::{Result, bail};
use crate::format::gguf::Metadata;
use crate::format::model_files::ModelFiles;
use crate::text::chat::ChatTemplate;

/// The template that came with the model. An invalid template matters only for chat data.
///
/// # Errors
/// `model-unsupported` if there is none or it cannot be run; `file-corrupt` if its file is damaged.
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
             chat_template.jinja next to it, or give the data as `prompt` and `completion`",
            files.name
        ),
    }
}

fn of_gguf(metadata: &Metadata) -> Result<Option<ChatTemplate>> {
    const KEY: &str = "tokenizer.chat_template";
    let Some(source) = metadata.opt_str(KEY)? else { return Ok(None) };
    ChatTemplate::new(KEY, source, special_tokens(metadata)?).map(Some)
}

/// The special tokens of a GGUF file, under the names that transformers uses for them.
///
/// # Errors
/// `file-corrupt` if a field has the wrong type.
fn special_tokens(metadata: &Metadata) -> Result<Vec<(String, String)>> {
    let vocabulary = metadata.opt_strings("tokenizer.ggml.tokens")?.unwrap_or_default();
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
    Ok(tokens)
}

/// The content of a `tokenizer_config.json` for a GGUF file's tokenizer: the special tokens and the chat template.
///
/// # Errors
/// `file-corrupt` if a field has the wrong type.
pub(super) fn tokenizer_config(metadata: &Metadata) -> Result<Map<String, Value>> {
    let mut fields = Map::from_iter([
        ("tokenizer_class".to_owned(), json!("PreTrainedTokenizerFast")),
        ("clean_up_tokenization_spaces".to_owned(), json!(false)),
    ]);
    fields.extend(special_tokens(metadata)?.into_iter().map(|(name, token)| (name, json!(token))));
    if let Some(template) = metadata.opt_str("tokenizer.chat_template")? {
        fields.insert("chat_template".to_owned(), json!(template));
    }
    Ok(fields)
}
