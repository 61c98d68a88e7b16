//! The tokenizer in a GGUF file's metadata: byte-level BPE, with the pre-tokenizer that `tokenizer.ggml.pre` names.

use std::collections::HashMap;

use tokenizers::models::bpe::BPE;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

use crate::error::{Result, bail, err};

/// The fields under `tokenizer.ggml`.
#[derive(Clone, Debug, Default)]
pub struct GgufVocab {
    /// `model`: the algorithm; "gpt2" is byte-level BPE.
    pub model: String,
    /// `pre`: the pre-tokenizer.
    pub pre: String,
    /// `tokens`, in the order of their ids.
    pub tokens: Vec<String>,
    /// `merges`: pairs separated by a space, the first the strongest.
    pub merges: Vec<String>,
    /// `token_type`: 3 is a control token, 4 one defined by the user; may be empty.
    pub token_types: Vec<i64>,
    /// `bos_token_id`.
    pub bos: Option<u32>,
    /// `eos_token_id`.
    pub eos: Option<u32>,
    /// `add_bos_token`: a text begins with `bos`.
    pub add_bos: bool,
}

const CONTROL: i64 = 3;
const USER_DEFINED: i64 = 4;

/// How Llama 3 splits a text; Qwen 2 takes digits one by one.
const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
const QWEN_2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Builds the tokenizer.
pub(super) fn build(vocab: GgufVocab) -> Result<Tokenizer> {
    if vocab.model != "gpt2" {
        bail!(ModelUnsupported, "tokenizer.ggml.model {:?}, only \"gpt2\" is implemented", vocab.model);
    }
    let types = vocab.token_types.iter().copied().chain(std::iter::repeat(1));
    let mut added = Vec::new();
    for (token, kind) in vocab.tokens.iter().zip(types) {
        match kind {
            CONTROL => added.push(AddedToken::from(token.clone(), true)),
            USER_DEFINED => added.push(AddedToken::from(token.clone(), false)),
            _ => {}
        }
    }
    let merges = vocab
        .merges
        .iter()
        .map(|merge| merge.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned())))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| err!(FileCorrupt, "tokenizer.ggml.merges: a merge is no pair of tokens"))?;
    let ids: HashMap<String, u32> = vocab.tokens.into_iter().zip(0..).collect();
    let bpe = BPE::builder()
        .vocab_and_merges(ids.into_iter().collect::<ahash::AHashMap<_, _>>(), merges)
        .ignore_merges(vocab.pre == "llama-bpe")
        .build()
        .map_err(|e| err!(FileCorrupt, "tokenizer.ggml: {e}"))?;
    let mut tokenizer = Tokenizer::new(bpe);
    tokenizer.with_pre_tokenizer(Some(pre_tokenizer(&vocab.pre)?));
    tokenizer.with_decoder(Some(ByteLevel::new(false, true, true)));
    tokenizer.add_special_tokens(&added[..]);
    Ok(tokenizer)
}

fn pre_tokenizer(name: &str) -> Result<PreTokenizerWrapper> {
    let bytes = |by_words| ByteLevel::new(false, true, by_words).into();
    let split = |pattern: &str| {
        Split::new(SplitPattern::Regex(pattern.to_owned()), SplitDelimiterBehavior::Isolated, false)
            .map_err(|e| err!(ModelUnsupported, "tokenizer.ggml.pre {name:?}: {e}"))
    };
    Ok(match name {
        "" | "default" | "gpt-2" => bytes(true),
        "smollm" => Sequence::new(vec![Digits::new(true).into(), bytes(true)]).into(),
        "llama-bpe" => Sequence::new(vec![split(LLAMA_3)?.into(), bytes(false)]).into(),
        "qwen2" => Sequence::new(vec![split(QWEN_2)?.into(), bytes(false)]).into(),
        _ => bail!(ModelUnsupported, "tokenizer.ggml.pre {name:?} is not implemented"),
    })
}
