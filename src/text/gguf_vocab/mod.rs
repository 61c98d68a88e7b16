//! The tokenizer of a GGUF file: byte-level BPE, rebuilt from the tokens, the merges and the name
//! of the pre-tokenizer.
//!
//! The pre-tokenizers are those that llama.cpp's `tokenizer.ggml.pre` names. If the original
//! tokenizer also normalizes text (Qwen2: NFC), so does this one, because the model was trained
//! that way.

use tokenizers::models::bpe::{BPE, Merges, Vocab};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior};

use crate::error::{Result, bail, err};

/// GPT-2's pattern for words. Text that no alternative matches (a single space before a word) is a
/// word of its own.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
pub(super) const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// llama.cpp's fallback for files that name no pre-tokenizer.
const DEFAULT: [&str; 4] = [r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"];

/// `tokenizer.ggml.token_type` of a special token, which is never part of a text.
const CONTROL: i32 = 3;
/// `tokenizer.ggml.token_type` of a token that the model's authors added. It is matched as a whole,
/// and is part of a text.
const USER_DEFINED: i32 = 4;

/// The `tokenizer.ggml.*` fields of a GGUF file.
#[derive(Clone, Debug, Default)]
pub struct GgufVocab {
    /// `model`: the type of tokenizer; `gpt2` is byte-level BPE.
    pub model: String,
    /// `pre`: the name of the pre-tokenizer; empty if the file has none.
    pub pre: String,
    /// `tokens`: the tokens in the order of their ids.
    pub tokens: Vec<String>,
    /// `merges`: the merges as `left right`, in order of priority.
    pub merges: Vec<String>,
    /// `token_type`: the type of each token; empty if all are ordinary tokens.
    pub token_types: Vec<i32>,
    /// `bos_token_id`: the token that begins a text.
    pub bos: Option<u32>,
    /// `eos_token_id`: the token that ends a text.
    pub eos: Option<u32>,
    /// `unknown_token_id`: the unknown token. Byte-level BPE can spell everything; bytes that are
    /// not in the vocabulary are left out, as in Hugging Face and llama.cpp.
    pub unk: Option<u32>,
    /// `add_bos_token`: whether a text starts with `bos`.
    pub add_bos: bool,
    /// `add_eos_token`: whether a text ends with `eos`.
    pub add_eos: bool,
}

impl GgufVocab {
    pub(crate) fn build(self) -> Result<tokenizers::Tokenizer> {
        if self.model != "gpt2" {
            bail!(
                ModelUnsupported,
                "tokenizer.ggml.model: expected gpt2 (byte-level BPE), found {:?}",
                self.model
            );
        }
        let pre = pre_tokenizer(&self.pre)?;
        self.check()?;

        let special: Vec<AddedToken> = self
            .tokens
            .iter()
            .zip(&self.token_types)
            .filter(|(token, kind)| matches!(**kind, CONTROL | USER_DEFINED) && !token.is_empty())
            .map(|(token, &kind)| AddedToken::from(token.clone(), kind == CONTROL).normalized(false))
            .collect();
        let merges = self.merges.iter().enumerate().map(|(i, m)| merge(i, m)).collect::<Result<Merges>>()?;
        let count = self.tokens.len();
        let vocab: Vocab = self.tokens.into_iter().zip(0u32..).collect();
        if vocab.len() != count {
            let twice = count - vocab.len();
            bail!(
                FileCorrupt,
                "tokenizer.ggml.tokens: expected distinct tokens, found {twice} that occur twice"
            );
        }
        let bpe = BPE::builder()
            .vocab_and_merges(vocab, merges)
            // In Llama 3, a word that is a token is not split, whatever its merges.
            .ignore_merges(is_llama3(&self.pre))
            .build()
            .map_err(|e| err!(FileCorrupt, "tokenizer.ggml.merges: expected merges of tokens, found: {e}"))?;

        let mut inner = tokenizers::Tokenizer::new(bpe);
        if self.pre == "qwen2" {
            inner.with_normalizer(Some(NFC));
        }
        inner.with_pre_tokenizer(Some(pre));
        inner.with_decoder(Some(ByteLevel::default()));
        inner.add_tokens(&special);
        Ok(inner)
    }

    /// Checks that the parts of the vocabulary match.
    fn check(&self) -> Result<()> {
        let count = self.tokens.len();
        if count == 0 {
            bail!(FileCorrupt, "tokenizer.ggml.tokens: expected a vocabulary, found none");
        }
        if !self.token_types.is_empty() && self.token_types.len() != count {
            let found = self.token_types.len();
            bail!(FileCorrupt, "tokenizer.ggml.token_type: expected {count} entries, found {found}");
        }
        for (field, id) in [("bos", self.bos), ("eos", self.eos), ("unknown", self.unk)] {
            if let Some(id) = id.filter(|&id| id as usize >= count) {
                bail!(
                    FileCorrupt,
                    "tokenizer.ggml.{field}_token_id: expected an id below {count}, found {id}"
                );
            }
        }
        for (field, add, id) in [("bos", self.add_bos, self.bos), ("eos", self.add_eos, self.eos)] {
            if add && id.is_none() {
                bail!(
                    FileCorrupt,
                    "tokenizer.ggml.{field}_token_id: expected an id, because add_{field}_token is set, found none"
                );
            }
        }
        Ok(())
    }
}

fn is_llama3(pre: &str) -> bool {
    matches!(pre, "llama-bpe" | "llama3" | "llama-v3")
}

/// Parses `left right`. The only space is between the two, because byte-level tokens spell a space
/// in another way.
fn merge(index: usize, text: &str) -> Result<(String, String)> {
    match text.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => {
            Ok((left.into(), right.into()))
        }
        _ => bail!(FileCorrupt, "tokenizer.ggml.merges[{index}]: expected two tokens, found {text:?}"),
    }
}

fn pre_tokenizer(pre: &str) -> Result<Sequence> {
    let splits = match pre {
        "smollm" => vec![Digits::new(true).into(), split(GPT2)?],
        "gpt-2" => vec![split(GPT2)?],
        "default" | "" => DEFAULT.into_iter().map(split).collect::<Result<Vec<_>>>()?,
        "qwen2" => vec![split(QWEN2)?],
        _ if is_llama3(pre) => vec![split(LLAMA3)?],
        _ => bail!(
            ModelUnsupported,
            "tokenizer.ggml.pre: expected smollm, gpt-2, default, llama-bpe or qwen2, found {pre:?}"
        ),
    };
    let bytes = PreTokenizerWrapper::from(ByteLevel::new(false, true, false));
    Ok(Sequence::new(splits.into_iter().chain([bytes]).collect()))
}

pub(super) fn split(regex: &str) -> Result<PreTokenizerWrapper> {
    Split::new(SplitPattern::Regex(regex.into()), SplitDelimiterBehavior::Isolated, false)
        .map(PreTokenizerWrapper::from)
        .map_err(|e| err!(ModelUnsupported, "tokenizer.ggml.pre: the pattern {regex} does not compile: {e}"))
}
