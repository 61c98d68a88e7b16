//! The tokenizer of a Hugging Face directory: from `tokenizer.json`, or from the vocabulary files of older models.
//!
//! - `class` chooses the rule, like the tokenizer classes of transformers 5.
//! - `vocabulary` reads `vocab.json`, `merges.txt` and `vocab.txt`, `sentencepiece` a SentencePiece model.
//! - `pipeline` builds the tokenizer of each class from them, and `frame` adds the special tokens around a text.
//! - `oniguruma` translates the regular expressions of a `tokenizer.json`.
//! - `declared` reads the small files that add special tokens and settings, also for a `tokenizer.json`.

pub(super) mod charsmap;
mod class;
mod declared;
mod frame;
pub(crate) mod json;
pub(crate) mod merges;
pub(super) mod oniguruma;
mod pipeline;
mod sentencepiece;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::collections::{BTreeMap, HashSet};

use tokenizers::AddedToken;

use self::class::default_of;
pub use self::declared::DECLARATION_FILES;
use self::declared::{Declared, ROLES};
pub use self::vocabulary::VOCABULARY_FILES;
use crate::error::{Result, bail};

/// The file with the whole tokenizer.
pub const TOKENIZER_FILE: &str = "tokenizer.json";

/// The information about the tokenizer in a model's files.
#[derive(Clone, Copy, Debug)]
pub struct TokenizerFiles<'a> {
    /// The bytes of the small files beside the weights, by name.
    pub files: &'a BTreeMap<String, Vec<u8>>,
    /// `model_type` of config.json.
    pub model_type: Option<&'a str>,
    /// `tokenizer_class` of config.json, which tokenizer_config.json may override.
    pub class: Option<&'a str>,
}

/// A tokenizer, with the special tokens that its files name.
pub(super) struct Built {
    pub(super) inner: tokenizers::Tokenizer,
    /// The name of the file with the vocabulary, for messages.
    pub(super) source: &'static str,
    pub(super) mask: Option<String>,
    pub(super) eos: Option<String>,
}

/// Builds the tokenizer of a directory without a `tokenizer.json`. Returns `None` if there is no vocabulary either.
///
/// # Errors
/// `model-unsupported` if there is no rule for the class; `file-corrupt`, naming the file, if a file does not follow its format.
pub(super) fn build(of: TokenizerFiles<'_>) -> Result<Option<Built>> {
    let files = of.files;
    if !VOCABULARY_FILES.iter().any(|name| files.contains_key(*name)) {
        return Ok(None);
    }
    let declared = Declared::read(files)?;
    let rule = class::choose(declared.class().or(of.class), of.model_type)?;
    let (mut inner, source, own) = pipeline::build(rule, files, &declared)?;
    inner.set_encode_special_tokens(declared.flag("split_special_tokens")?.unwrap_or(false));
    let roles: Vec<AddedToken> = ROLES.into_iter().filter_map(|role| rule.role(&declared, role)).collect();
    add_tokens(&mut inner, &declared, &roles, &own)?;
    frame::add(rule, &mut inner, &declared)?;
    let spelling = |role: &str| rule.role(&declared, role).map(|token| token.content);
    Ok(Some(Built { inner, source, mask: spelling("mask_token"), eos: spelling("eos_token") }))
}

/// Adds the declarations of the other files to a tokenizer that was read from `tokenizer.json`: tokens, and settings of its
/// normalizer and pre-tokenizer. Returns the spellings of the mask and end-of-text tokens, if the files name them.
///
/// # Errors
/// `file-corrupt`, naming the file and the field.
pub(super) fn complete(
    inner: &mut tokenizers::Tokenizer,
    of: TokenizerFiles<'_>,
) -> Result<(Option<String>, Option<String>)> {
    let declared = Declared::read(of.files)?;
    let rule = class::of_tokenizer_json(declared.class().or(of.class), of.model_type);
    pipeline::override_settings(inner, &declared, rule.map(|rule| rule.class))?;
    inner.set_encode_special_tokens(declared.flag("split_special_tokens")?.unwrap_or(false));
    let defaults = declared.class().and_then(class::named).map_or(&[][..], |rule| rule.defaults);
    let role = |role: &str| {
        let default = default_of(defaults, role).filter(|text| inner.token_to_id(text).is_some());
        declared.role(role, default).map(|special| special.token)
    };
    let roles: Vec<AddedToken> = ROLES.into_iter().filter_map(role).collect();
    add_tokens(inner, &declared, &roles, &[])?;
    let spelling = |role: &str| declared.role(role, None).map(|special| special.token.content);
    Ok((spelling("mask_token"), spelling("eos_token")))
}

/// Whether transformers' class of the tokenizer gives a model the types of tokens.
///
/// # Errors
/// `file-corrupt`, naming the file and the field.
pub(super) fn returns_types(of: TokenizerFiles<'_>) -> Result<bool> {
    let declared = Declared::read(of.files)?;
    let class = declared.class().or(of.class);
    Ok(declared.returns_types().unwrap_or_else(|| class::returns_types(class, of.model_type)))
}

/// The special tokens of a directory by role, for a chat template. Roles that no file specifies have the class's default.
///
/// # Errors
/// `file-corrupt`, naming the file and the field.
pub fn special_tokens(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<(String, String)>> {
    let declared = Declared::read(files)?;
    let defaults = declared.class().and_then(class::named).map_or(&[][..], |rule| rule.defaults);
    let token =
        |role: &str| Some((role.to_owned(), declared.role(role, default_of(defaults, role))?.token.content));
    Ok(ROLES.into_iter().filter_map(token).collect())
}

/// Adds the tokens that the tokenizer does not have yet, in transformers' order: those with ids, those with a role, then the others
/// and those of the vocabulary file itself, `own`.
fn add_tokens(
    inner: &mut tokenizers::Tokenizer,
    declared: &Declared,
    roles: &[AddedToken],
    own: &[AddedToken],
) -> Result<()> {
    let existing: Vec<AddedToken> = inner.get_added_tokens_decoder().into_values().collect();
    let mut tokens: Vec<AddedToken> =
        declared.by_id().values().filter(|token| !existing.contains(token)).cloned().collect();
    let mut known: HashSet<String> =
        tokens.iter().chain(&existing).map(|token| token.content.clone()).collect();
    for token in roles.iter().chain(declared.others()).chain(own) {
        if known.insert(token.content.clone()) {
            tokens.push(token.clone());
        }
    }
    for token in &mut tokens {
        token.special |= roles.iter().any(|role| role.content == token.content);
    }
    let new = |(_, token): &(&u32, &AddedToken)| inner.token_to_id(&token.content).is_none();
    let with_new_ids: Vec<(&u32, &AddedToken)> = declared.by_id().iter().filter(new).collect();
    inner.add_tokens(&tokens);
    for (id, token) in with_new_ids {
        let found = inner.token_to_id(&token.content);
        if found != Some(*id) {
            bail!(
                ModelUnsupported,
                "added tokens: expected ids that follow the {} tokens of the vocabulary, found {id} for {:?}",
                inner.get_vocab_size(false),
                token.content
            );
        }
    }
    Ok(())
}
