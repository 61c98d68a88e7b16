//! The tokens that end a generated text.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::format::config::Config;
use crate::format::gguf::Metadata;

/// The fields of a GGUF file that name such tokens: the ends of a text, a turn and a message.
const GGUF_FIELDS: [&str; 3] =
    ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"];

/// The names of control tokens that end a text in a GGUF file even if no field names them, as in llama.cpp.
const GGUF_NAMES: [&str; 9] = [
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<EOT>",
    "_<EOT>",
];

/// The value of `tokenizer.ggml.token_type` for a control token.
const CONTROL: i64 = 3;

/// The ids of all tokens that end a text: the id or ids in `eos_token_id` of each configuration, and those of a GGUF file.
///
/// # Errors
/// `file-corrupt` if a field is not an id or a list of ids.
pub(super) fn ends(configs: &[&Config], gguf: Option<&Metadata>) -> Result<BTreeSet<u32>> {
    let mut ends = BTreeSet::new();
    for config in configs.iter().filter(|config| config.has("eos_token_id")) {
        ends.extend(config.u32_list("eos_token_id")?);
    }
    for field in GGUF_FIELDS {
        ends.extend(gguf.map(|metadata| metadata.opt_u32(field)).transpose()?.flatten());
    }
    if let Some(metadata) = gguf {
        let tokens = metadata.opt_strings("tokenizer.ggml.tokens")?.unwrap_or_default();
        let types = metadata.opt_ints("tokenizer.ggml.token_type")?.unwrap_or_default();
        let named = (0..).zip(tokens.iter().zip(types));
        let named =
            named.filter(|(_, (name, kind))| **kind == CONTROL && GGUF_NAMES.contains(&name.as_str()));
        ends.extend(named.map(|(id, _)| id));
    }
    Ok(ends)
}
