//! Tokenizers: Hugging Face's `tokenizer.json`, or the vocabulary in a GGUF file's metadata.

mod gguf;

pub use gguf::GgufVocab;

use crate::error::{Result, bail, err};

/// A tokenizer with what the model's prompts need to know of it.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    mask: Option<(String, u32)>,
    eos: Option<u32>,
    unknown: Option<u32>,
    begins: Option<u32>,
}

/// What masks are called.
const MASKS: [&str; 2] = ["[MASK]", "<mask>"];

/// What text without a token is called.
const UNKNOWNS: [&str; 2] = ["[UNK]", "<unk>"];

/// What the end of a text is called, where the file does not say.
const ENDS: [&str; 5] = ["</s>", "<|im_end|>", "<|endoftext|>", "<|end_of_text|>", "<eos>"];

impl Tokenizer {
    /// From the text of a `tokenizer.json`. Its truncation and padding are left out.
    ///
    /// # Errors
    /// `file-corrupt` naming the file.
    pub fn from_json(bytes: &[u8], file_name: &str) -> Result<Self> {
        let inner =
            tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| err!(FileCorrupt, "{file_name}: {e}"))?;
        Self::of(inner, file_name, None, None)
    }

    /// From the vocabulary of a GGUF file.
    ///
    /// # Errors
    /// `model-unsupported` for a kind of vocabulary or pre-tokenizer that is not implemented; `file-corrupt`.
    pub fn from_gguf(vocab: GgufVocab) -> Result<Self> {
        let eos = vocab.eos;
        let begins = vocab.bos.filter(|_| vocab.add_bos);
        Self::of(gguf::build(vocab)?, "tokenizer.ggml", eos, begins)
    }

    fn of(
        mut inner: tokenizers::Tokenizer,
        name: &str,
        eos: Option<u32>,
        begins: Option<u32>,
    ) -> Result<Self> {
        inner.with_truncation(None).map_err(|e| err!(FileCorrupt, "{name}: truncation: {e}"))?;
        inner.with_padding(None);
        let find = |words: &[&str]| words.iter().find_map(|w| Some(((*w).to_owned(), inner.token_to_id(w)?)));
        let mask = find(&MASKS);
        let eos = eos.or_else(|| find(&ENDS).map(|(_, id)| id));
        let unknown = find(&UNKNOWNS).map(|(_, id)| id);
        Ok(Tokenizer { inner, mask, eos, unknown, begins })
    }

    /// Token ids of a text; with those that the model expects around it where `special`.
    ///
    /// # Errors
    /// `data-invalid` when the tokenizer has no token for a part of the text.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, special);
        let encoding = encoding.map_err(|e| err!(DataInvalid, "the text cannot be tokenized: {e}"))?;
        let begins = self.begins.filter(|_| special);
        Ok(begins.into_iter().chain(encoding.get_ids().iter().copied()).collect())
    }

    /// Where each token of a text ends, in bytes.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn token_ends(&self, text: &str) -> Result<Vec<usize>> {
        let encoding = self.inner.encode(text, false);
        let encoding = encoding.map_err(|e| err!(DataInvalid, "the text cannot be tokenized: {e}"))?;
        Ok(encoding.get_offsets().iter().map(|(_, end)| *end).collect())
    }

    /// The text of tokens; special ones are left out where `skip_special`.
    ///
    /// # Errors
    /// `invalid-argument` for tokens that cannot be decoded.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        self.inner.decode(ids, skip_special).map_err(|e| err!(InvalidArgument, "tokens {ids:?}: {e}"))
    }

    /// A token's id.
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// Tokens in the vocabulary, added ones included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// The mask as the model spells it, and its id.
    pub fn mask(&self) -> Option<(String, u32)> {
        self.mask.clone()
    }

    /// The token that ends a text.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// The one token that a label word is in the place where it is predicted: after a space or not.
    ///
    /// # Errors
    /// `data-invalid` saying how the word was spelled and what tokens it splits into.
    pub fn single_token(&self, word: &str, after_space: bool) -> Result<u32> {
        // A tokenizer that marks spaces gives another token to a word that begins with one.
        let spelled = if after_space { format!(" {word}") } else { word.to_owned() };
        let ids = self.encode(&spelled, false)?;
        match ids[..] {
            [id] if Some(id) != self.unknown => Ok(id),
            _ => {
                let tokens: Vec<String> = ids.iter().filter_map(|id| self.inner.id_to_token(*id)).collect();
                bail!(
                    DataInvalid,
                    "label word {word:?}: spelled {spelled:?} it is the tokens {tokens:?}, expected one token of the vocabulary"
                )
            }
        }
    }
}
