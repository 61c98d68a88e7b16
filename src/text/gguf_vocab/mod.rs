//! The tokenizer of a GGUF file, rebuilt from its `tokenizer.ggml.*` fields.
//!
//! - `gpt2` is byte-level BPE with the pre-tokenizers of `pre`.
//! - `llama` and `t5` are SentencePiece vocabularies, and `bert` is WordPiece: `pieces`.
//!
//! Defaults follow llama.cpp (`llama_vocab::impl::load` in `src/llama-vocab.cpp`).

mod pieces;
mod pre;

use tokenizers::AddedToken;
use tokenizers::models::bpe::{BPE, Merges};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

use self::pre::Pre;
pub(crate) use self::pre::{QWEN2, split};
use crate::error::{Result, bail, err};

/// `tokenizer.ggml.token_type` of the token for text that the vocabulary cannot represent.
const UNKNOWN: i32 = 2;
/// `tokenizer.ggml.token_type` of a special token, which never comes from text.
const CONTROL: i32 = 3;
/// `tokenizer.ggml.token_type` of a token that the model's authors added. It is matched as a whole, and comes from text.
const USER_DEFINED: i32 = 4;

/// The `tokenizer.ggml.*` fields of a GGUF file.
#[derive(Clone, Debug)]
pub struct GgufVocab {
    /// `model`: the type of tokenizer: `gpt2`, `llama`, `t5` or `bert`.
    pub model: String,
    /// `pre`: the name of the pre-tokenizer; empty if the file has none.
    pub pre: String,
    /// `tokens`: the tokens in the order of their ids.
    pub tokens: Vec<String>,
    /// `scores`: the score of each token, for SentencePiece vocabularies.
    pub scores: Vec<f32>,
    /// `merges`: the merges as `left right`, in order of priority.
    pub merges: Vec<String>,
    /// `token_type`: the type of each token; empty if all are ordinary tokens.
    pub token_types: Vec<i32>,
    /// `bos_token_id`: the token that begins a text.
    pub bos: Option<u32>,
    /// `eos_token_id`: the token that ends a text.
    pub eos: Option<u32>,
    /// `unknown_token_id`: the unknown token. Byte-level BPE can represent everything; bytes that are not in the vocabulary are
    /// left out, as in Hugging Face and llama.cpp.
    pub unk: Option<u32>,
    /// `seperator_token_id` (spelled this way in the format): the token after a text, for BERT.
    pub sep: Option<u32>,
    /// `mask_token_id`: the token for a masked word.
    pub mask: Option<u32>,
    /// `add_bos_token`: whether a text starts with `bos`.
    pub add_bos: Option<bool>,
    /// `add_eos_token`: whether a text ends with `eos`.
    pub add_eos: Option<bool>,
    /// `add_space_prefix`: whether a SentencePiece text starts with a space. The default is yes for `llama`, and no for `t5`.
    pub add_space_prefix: Option<bool>,
    /// `remove_extra_whitespaces`: whether runs of spaces are collapsed to one, for `t5`.
    pub remove_extra_whitespaces: bool,
    /// `precompiled_charsmap`: the normalization rules of `t5`; empty if there are none.
    pub charsmap: Vec<u8>,
    /// `normalizer.lowercase`, for `bert`.
    pub lowercase: bool,
    /// `normalizer.strip_accents`, for `bert`.
    pub strip_accents: bool,
}

impl Default for GgufVocab {
    fn default() -> Self {
        GgufVocab {
            model: String::new(),
            pre: String::new(),
            tokens: Vec::new(),
            scores: Vec::new(),
            merges: Vec::new(),
            token_types: Vec::new(),
            bos: None,
            eos: None,
            unk: None,
            sep: None,
            mask: None,
            add_bos: None,
            add_eos: None,
            add_space_prefix: None,
            remove_extra_whitespaces: false,
            charsmap: Vec::new(),
            lowercase: true,
            strip_accents: true,
        }
    }
}

/// The tokens before and after a text.
type Frame = (Option<u32>, Option<u32>);

impl GgufVocab {
    /// Fills in the defaults of the tokenizer's type for missing fields, and returns the tokens before and after a text.
    ///
    /// # Errors
    /// `model-unsupported`, naming the field, if the type or the pre-tokenizer is unknown; `file-corrupt`, naming the field, if
    /// fields contradict each other.
    pub(crate) fn complete(&mut self) -> Result<Frame> {
        let count = self.tokens.len();
        let within = |id: u32| Some(id).filter(|id| (*id as usize) < count);
        let (add_bos, add_eos) = match self.model.as_str() {
            "gpt2" => (Pre::named(&self.pre)?.add_bos && self.bos.is_some(), false),
            "llama" => {
                self.bos = self.bos.or(within(1));
                self.eos = self.eos.or(within(2));
                self.unk = self.unk.or(within(0));
                (true, false)
            }
            "t5" => {
                self.eos = self.eos.or(within(1));
                self.unk = self.unk.or(within(2));
                (false, true)
            }
            "bert" => {
                self.bos = self.bos.or(within(101));
                self.sep = self.sep.or(within(102));
                self.unk = self.unk.or(within(100));
                self.mask = self.mask.or(within(103));
                (true, false)
            }
            other => bail!(
                ModelUnsupported,
                "tokenizer.ggml.model: expected gpt2 (byte-level BPE), llama or t5 (SentencePiece) or bert (WordPiece), found {other:?}"
            ),
        };
        self.check()?;
        if self.model == "bert" {
            return Ok((self.bos, self.sep));
        }
        let (add_bos, add_eos) = (self.add_bos.unwrap_or(add_bos), self.add_eos.unwrap_or(add_eos));
        for (field, add, id) in [("bos", add_bos, self.bos), ("eos", add_eos, self.eos)] {
            if add && id.is_none() {
                bail!(
                    FileCorrupt,
                    "tokenizer.ggml.{field}_token_id: expected an id, because this token is added to texts, found none"
                );
            }
        }
        Ok((self.bos.filter(|_| add_bos), self.eos.filter(|_| add_eos)))
    }

    /// Builds the tokenizer from complete fields.
    pub(crate) fn build(self) -> Result<tokenizers::Tokenizer> {
        let byte_level = self.model == "gpt2";
        let special = |kind: i32| kind == CONTROL || kind == UNKNOWN && !byte_level;
        let added: Vec<AddedToken> = self
            .tokens
            .iter()
            .zip(&self.token_types)
            .filter(|(token, kind)| {
                !token.is_empty() && (special(**kind) || **kind == USER_DEFINED && self.model != "bert")
            })
            .map(|(token, &kind)| AddedToken::from(token.clone(), special(kind)).normalized(false))
            .collect();
        let mut inner = match self.model.as_str() {
            "llama" => self.merged()?,
            "t5" => self.scored()?,
            "bert" => self.words()?,
            _ => self.byte_level()?,
        };
        inner.add_tokens(&added);
        Ok(inner)
    }

    fn byte_level(mut self) -> Result<tokenizers::Tokenizer> {
        let pre = Pre::named(&self.pre)?;
        let merges = std::mem::take(&mut self.merges);
        let merges = merges.iter().enumerate().map(|(i, m)| merge(i, m)).collect::<Result<Merges>>()?;
        let vocab = self.take_vocabulary()?;
        let bpe =
            BPE::builder().vocab_and_merges(vocab, merges).ignore_merges(pre.ignore_merges).build().map_err(
                |e| err!(FileCorrupt, "tokenizer.ggml.merges: expected merges of tokens, found: {e}"),
            )?;
        let mut inner = tokenizers::Tokenizer::new(bpe);
        if pre.nfc {
            inner.with_normalizer(Some(NFC));
        }
        inner.with_pre_tokenizer(Some(pre.build()?));
        inner.with_decoder(Some(ByteLevel::default()));
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
        for (field, id) in [
            ("bos", self.bos),
            ("eos", self.eos),
            ("unknown", self.unk),
            ("seperator", self.sep),
            ("mask", self.mask),
        ] {
            if let Some(id) = id.filter(|&id| id as usize >= count) {
                bail!(
                    FileCorrupt,
                    "tokenizer.ggml.{field}_token_id: expected an id below {count}, found {id}"
                );
            }
        }
        Ok(())
    }
}

/// Parses `left right`. There is only one space, because byte-level tokens represent spaces by another character.
fn merge(index: usize, text: &str) -> Result<(String, String)> {
    match text.split_once(' ') {
        Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => {
            Ok((left.into(), right.into()))
        }
        _ => bail!(FileCorrupt, "tokenizer.ggml.merges[{index}]: expected two tokens, found {text:?}"),
    }
}
