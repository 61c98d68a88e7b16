//! Converts text to token ids and back with the crate `tokenizers`, using the tokenizer files of a directory or the vocabulary of a
//! GGUF file.

use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, Encoding, ModelWrapper};

use crate::error::{Result, bail, err};
pub use crate::text::gguf_vocab::GgufVocab;
pub use crate::text::tokenizer_files::TokenizerFiles;
use crate::text::tokenizer_files::{self, TOKENIZER_FILE, json};

/// The spellings of the mask token in the supported families.
const MASKS: [&str; 2] = ["[MASK]", "<mask>"];

/// The spellings of an end-of-text token, most likely first. A `tokenizer.json` does not say which token it is.
const ENDS: [&str; 7] =
    ["</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>", "<|eot_id|>", "<|im_end|>", "<end_of_turn>"];

/// Text longer than this many bytes is tokenized in chunks of about this size, if the tokenizer
/// allows it.
const STREAM_CHUNK: usize = 64 << 10;

/// A tokenizer. It is immutable, and gives the same ids on every target.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The file that the tokenizer was read from, for messages.
    source: String,
    /// The ids that a GGUF's `add_bos` and `add_eos` add before and after a text. A
    /// `tokenizer.json` has its own post-processor instead.
    prefix: Option<u32>,
    suffix: Option<u32>,
    mask: Option<(String, u32)>,
    eos: Option<u32>,
    /// Whether transformers' class gives a model the types of tokens. Otherwise all tokens are of type 0.
    typed: bool,
    vocab_size: usize,
}

/// One token of a text or a pair of texts with special tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Framed {
    pub(crate) id: u32,
    /// The text that the token comes from, 0 or 1; `None` for a special token.
    pub(crate) of: Option<usize>,
    /// The token's type, by which BERT's models tell the two texts apart.
    pub(crate) kind: u32,
}

/// One token of an encoded text, with its byte range in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) id: u32,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Whether the post-processor added the token (`[CLS]`, bos ...), so that it is not from the
    /// text.
    pub(crate) added: bool,
}

impl Tokenizer {
    /// Reads a Hugging Face `tokenizer.json`. Its truncation and padding settings are disabled.
    ///
    /// # Errors
    /// `file-corrupt`, naming `file_name`, if the bytes are not a tokenizer; `model-unsupported` if
    /// the tokenizer has a feature that is not implemented.
    pub fn from_json(bytes: &[u8], file_name: &str) -> Result<Self> {
        let inner = json::parse(bytes, file_name)?;
        let mask = likely_mask(&inner);
        Tokenizer::new(inner, file_name, mask, None)
    }

    /// Reads the tokenizer of a Hugging Face directory: a `tokenizer.json` or the vocabulary of an older model, with what the other
    /// files declare. Returns `None` if there is neither.
    ///
    /// # Errors
    /// `file-corrupt`, naming the file, if one does not follow its format; `model-unsupported` if the tokenizer has a feature that
    /// is not implemented, or if there is no `tokenizer.json` and its class is unknown.
    pub fn from_files(of: TokenizerFiles<'_>) -> Result<Option<Self>> {
        let typed = tokenizer_files::returns_types(of)?;
        let Some(bytes) = of.files.get(TOKENIZER_FILE) else {
            let Some(built) = tokenizer_files::build(of)? else { return Ok(None) };
            let tokenizer = Tokenizer::new(built.inner, built.source, built.mask, built.eos)?;
            return Ok(Some(Tokenizer { typed, ..tokenizer }));
        };
        let mut inner = json::parse(bytes, TOKENIZER_FILE)?;
        let (mask, eos) = tokenizer_files::complete(&mut inner, of)?;
        let mask = mask.or_else(|| likely_mask(&inner));
        let tokenizer = Tokenizer::new(inner, TOKENIZER_FILE, mask, eos)?;
        Ok(Some(Tokenizer { typed, ..tokenizer }))
    }

    /// A tokenizer that was read from the file `source`. The spellings of its mask and its end-of-text token are given if the files
    /// name them.
    fn new(
        mut inner: tokenizers::Tokenizer,
        source: &str,
        mask: Option<String>,
        eos: Option<String>,
    ) -> Result<Self> {
        let mask = mask.and_then(|mask| inner.token_to_id(&mask).map(|id| (mask, id)));
        if let Some((spelling, id)) = &mask {
            // Some files have the mask only in the vocabulary, so that the text `[MASK]` would be
            // split.
            if !inner.get_added_tokens_decoder().contains_key(id) {
                inner.add_special_tokens(&[AddedToken::from(spelling.clone(), true)]);
            }
        }
        let added = inner.get_added_tokens_decoder();
        let named = eos.and_then(|eos| inner.token_to_id(&eos));
        let guessed = || ENDS.iter().find_map(|e| inner.token_to_id(e).filter(|id| added.contains_key(id)));
        let eos = named.or_else(guessed);
        let vocab_size = inner.get_vocab_size(true);
        if vocab_size == 0 {
            bail!(FileCorrupt, "{source}: expected a vocabulary, found none");
        }
        let source = source.into();
        Ok(Tokenizer { inner, source, prefix: None, suffix: None, mask, eos, typed: false, vocab_size })
    }

    /// Builds the tokenizer from the `tokenizer.ggml.*` fields of a GGUF file.
    ///
    /// # Errors
    /// `model-unsupported`, naming the field, if the type of the tokenizer or its pre-tokenizer is
    /// unknown; `file-corrupt`, naming the field, if the fields contradict each other.
    pub fn from_gguf(mut vocab: GgufVocab) -> Result<Self> {
        let (prefix, suffix) = vocab.complete()?;
        let (eos, mask, vocab_size) = (vocab.eos, vocab.mask, vocab.tokens.len());
        let inner = vocab.build()?;
        let mask = mask.and_then(|id| Some((inner.id_to_token(id)?, id)));
        let source = "tokenizer.ggml".to_string();
        Ok(Tokenizer { inner, source, prefix, suffix, mask, eos, typed: false, vocab_size })
    }

    /// Serializes the tokenizer as a `tokenizer.json`.
    ///
    /// # Errors
    /// `model-unsupported` if it cannot be written.
    pub fn to_json(&self) -> Result<String> {
        let failed = |e: &dyn std::fmt::Display| {
            err!(ModelUnsupported, "{}: the tokenizer cannot be written: {e}", self.source)
        };
        let mut inner = self.inner.clone();
        if self.prefix.is_some() || self.suffix.is_some() {
            let token = |id: Option<u32>| id.and_then(|id| Some((self.id_to_token(id)?, id)));
            let (before, after) = (token(self.prefix), token(self.suffix));
            let around = |sequence: &str| -> Vec<String> {
                let name = |token: &Option<(String, u32)>| token.as_ref().map(|(name, _)| name.clone());
                [name(&before), Some(sequence.to_owned()), name(&after)].into_iter().flatten().collect()
            };
            let special: Vec<(String, u32)> = before.iter().chain(&after).cloned().collect();
            let template = TemplateProcessing::builder()
                .try_single(around("$A:0"))
                .and_then(|builder| builder.try_pair([around("$A:0"), around("$B:1")].concat()))
                .map_err(|e| failed(&e))?
                .special_tokens(special)
                .build()
                .map_err(|e| failed(&e))?;
            inner.with_post_processor(Some(template));
        }
        inner.to_string(false).map_err(|e| failed(&e))
    }

    /// Encodes `text` as ids. `special` adds the special tokens around it (`[CLS]` ... `[SEP]`, bos
    /// ...).
    ///
    /// The spelling of a special token in `text` becomes that token, as in Hugging Face's
    /// tokenizers.
    ///
    /// # Errors
    /// `file-corrupt` if the tokenizer cannot encode the text because it lacks an unknown token.
    pub fn encode(&self, text: &str, special: bool) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, special).map_err(|e| self.cannot_encode(e))?;
        let mut ids = Vec::with_capacity(encoding.len() + 2);
        ids.extend(self.prefix.filter(|_| special));
        ids.extend_from_slice(encoding.get_ids());
        ids.extend(self.suffix.filter(|_| special));
        Ok(ids)
    }

    /// Encodes a long text, without a special token at its end. To limit memory use, the text is split at line ends, if that does
    /// not change the tokenizer's ids.
    pub(crate) fn encode_stream(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids: Vec<u32> =
            self.pieces("a", true)?.iter().take_while(|p| p.added).map(|p| p.id).collect();
        let mut rest = text;
        // A tokenizer that marks the start of a text (SentencePiece's dummy prefix) must receive it as a whole.
        let whole = self.encode("a.\nb", false)?;
        let parts = [self.encode("a.\n", false)?, self.encode("b", false)?].concat();
        while whole == parts && rest.len() > STREAM_CHUNK {
            let Some(end) = line_end_after(rest, STREAM_CHUNK) else { break };
            let (head, tail) = rest.split_at(end);
            ids.extend(self.encode(head, false)?);
            rest = tail;
        }
        ids.extend(self.encode(rest, false)?);
        Ok(ids)
    }

    /// The special tokens that a text starts with.
    pub(crate) fn opening(&self) -> Result<Vec<u32>> {
        Ok(self.pieces("a", true)?.iter().take_while(|p| p.added).map(|p| p.id).collect())
    }

    /// Like [`Tokenizer::pieces`] with special tokens, but only those before the text, because the
    /// tokens after it will be predicted.
    pub(crate) fn open_pieces(&self, text: &str) -> Result<Vec<Piece>> {
        let mut pieces = self.pieces(text, true)?;
        let end = match pieces.iter().rposition(|p| !p.added) {
            Some(last) => last + 1,
            None => self.opening()?.len(),
        };
        pieces.truncate(end);
        Ok(pieces)
    }

    /// Like [`Tokenizer::encode`], with each token's byte range in `text`.
    pub(crate) fn pieces(&self, text: &str, special: bool) -> Result<Vec<Piece>> {
        let encoding: Encoding = self.inner.encode(text, special).map_err(|e| self.cannot_encode(e))?;
        let frame = |id: u32| Piece { id, start: 0, end: 0, added: true };
        let mut pieces = Vec::with_capacity(encoding.len() + 2);
        pieces.extend(self.prefix.filter(|_| special).map(frame));
        let tokens =
            encoding.get_ids().iter().zip(encoding.get_offsets()).zip(encoding.get_special_tokens_mask());
        pieces.extend(tokens.map(|((&id, &(start, end)), &added)| Piece {
            id,
            start,
            end,
            added: added != 0,
        }));
        pieces.extend(self.suffix.filter(|_| special).map(frame));
        Ok(pieces)
    }

    /// Encodes a text, or a pair of texts as the tokenizer joins them, with special tokens.
    pub(crate) fn framed(&self, text: &str, text_b: Option<&str>) -> Result<Vec<Framed>> {
        let encoding = match text_b {
            Some(text_b) => self.inner.encode((text, text_b), true),
            None => self.inner.encode(text, true),
        };
        let encoding = encoding.map_err(|e| self.cannot_encode(e))?;
        let ids = encoding.get_ids().iter().zip(encoding.get_type_ids());
        let sequences = encoding.get_sequence_ids().into_iter().zip(encoding.get_special_tokens_mask());
        let tokens = ids.zip(sequences).map(|((&id, &kind), (of, &added))| Framed {
            id,
            of: of.filter(|_| added == 0),
            kind: if self.typed { kind } else { 0 },
        });
        let frame = |id: Option<u32>| id.map(|id| Framed { id, of: None, kind: 0 });
        let found: Vec<_> = frame(self.prefix).into_iter().chain(tokens).chain(frame(self.suffix)).collect();
        match text_b {
            Some(text_b) if found.iter().all(|token| token.of.is_some()) => self.joined(text, text_b),
            _ => Ok(found),
        }
    }

    /// Encodes a pair with a tokenizer that adds special tokens around a text but has no rule for pairs. The second text follows
    /// the first one's special tokens, and is followed by its own.
    fn joined(&self, text: &str, text_b: &str) -> Result<Vec<Framed>> {
        let mut tokens = self.framed(text, None)?;
        let second = self.framed(text_b, None)?.into_iter().skip_while(|token| token.of.is_none());
        let kind = u32::from(self.typed);
        tokens.extend(second.map(|token| Framed { of: token.of.map(|_| 1), kind, ..token }));
        Ok(tokens)
    }

    /// Decodes `ids` to text; `skip_special` leaves special tokens out. Bytes that are not UTF-8
    /// become U+FFFD. Ids outside the vocabulary (padding rows of an embedding) are ignored.
    ///
    /// # Errors
    /// `file-corrupt` if the tokenizer's own decoder fails.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        self.inner
            .decode(ids, skip_special)
            .map_err(|e| err!(FileCorrupt, "{}: cannot decode {} tokens: {e}", self.source, ids.len()))
    }

    /// The id of the token with exactly this spelling in the vocabulary (`##ing`, `Ġgreat`,
    /// `[MASK]`).
    pub fn token_to_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The spelling of a token in the vocabulary.
    pub fn id_to_token(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The number of tokens of a text that replace something that the vocabulary cannot represent.
    ///
    /// # Errors
    /// The errors of [`Tokenizer::encode`].
    pub fn unknown_tokens(&self, text: &str) -> Result<usize> {
        let is_unknown = |id: &u32| self.id_to_token(*id).is_some_and(|token| is_unknown(&token));
        Ok(self.encode(text, false)?.iter().filter(|id| is_unknown(id)).count())
    }

    /// Whether a token is a special token and not text (`</s>`, `<|im_end|>`).
    pub fn is_special(&self, id: u32) -> bool {
        self.inner.get_added_tokens_decoder().get(&id).is_some_and(|token| token.special)
    }

    /// Number of tokens, including special ones. A model's embedding may have more rows.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// The mask token's spelling and id, if the vocabulary has one.
    pub fn mask(&self) -> Option<(String, u32)> {
        self.mask.clone()
    }

    /// The end-of-text token, from the GGUF file or guessed from the spellings in a
    /// `tokenizer.json`.
    pub fn eos(&self) -> Option<u32> {
        self.eos
    }

    /// Sets the end-of-text token from another file (`eos_token_id` of `config.json`).
    ///
    /// # Errors
    /// `file-corrupt` if `eos` is not in the vocabulary.
    pub fn with_eos(mut self, eos: Option<u32>) -> Result<Self> {
        if let Some(id) = eos.filter(|&id| self.id_to_token(id).is_none()) {
            let size = self.vocab_size;
            bail!(
                FileCorrupt,
                "eos_token_id: expected an id among the tokenizer's {size} tokens, found {id}"
            );
        }
        self.eos = eos;
        Ok(self)
    }

    /// The single token that represents `word` within a text, either after a space or directly after the preceding text.
    ///
    /// # Errors
    /// `data-invalid`, naming the word, its spelling and the tokens that it splits into.
    pub fn single_token(&self, word: &str, leading_space: bool) -> Result<u32> {
        // The word is encoded in context, because a tokenizer may treat the start of a text as the
        // start of a word.
        let (before, spelled) =
            if leading_space { ("a", format!(" {word}")) } else { ("\n", word.to_string()) };
        let context = self.encode(before, false)?;
        let full = self.encode(&format!("{before}{spelled}"), false)?;
        let ids = match full.strip_prefix(context.as_slice()) {
            Some(rest) => rest.to_vec(),
            None => self.encode(&spelled, false)?,
        };
        let names: Vec<String> = ids.iter().map(|&id| self.id_to_token(id).unwrap_or_default()).collect();
        if let ([id], [name]) = (ids.as_slice(), names.as_slice())
            && !is_unknown(name)
        {
            return Ok(*id);
        }
        bail!(
            DataInvalid,
            "label word {word:?}: expected one token of the vocabulary for {spelled:?}, found {} ({})",
            names.len(),
            names.join(", ")
        )
    }

    fn cannot_encode(&self, e: impl std::fmt::Display) -> crate::error::Error {
        err!(FileCorrupt, "{}: cannot encode the text: {e}", self.source)
    }
}

/// The spelling of the mask token, which a `tokenizer.json` does not name. In a vocabulary of merges, it must be an added token: a merge
/// may have made the same text.
fn likely_mask(inner: &tokenizers::Tokenizer) -> Option<String> {
    let merges = matches!(inner.get_model(), ModelWrapper::BPE(_));
    let added = inner.get_added_tokens_decoder();
    let is_mask = |mask: &&str| inner.token_to_id(mask).is_some_and(|id| !merges || added.contains_key(&id));
    MASKS.into_iter().find(is_mask).map(str::to_owned)
}

/// Whether a token is the unknown token, for words that the vocabulary cannot represent.
fn is_unknown(token: &str) -> bool {
    matches!(token, "[UNK]" | "<unk>" | "<|unk|>")
}

/// The first position at or after `from` that follows a single line end between two lines with
/// text, so that no run of white space is split.
fn line_end_after(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_text = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_graphic());
    (from.max(2)..bytes.len())
        .find(|&i| bytes[i - 1] == b'\n' && is_text(bytes.get(i - 2)) && is_text(bytes.get(i)))
}

#[cfg(test)]
#[path = "tokenizer_tests.rs"]
pub(crate) mod tests;
