//! SentencePiece vocabularies in GGUF files: `llama`, whose pieces are merged by their scores, and `t5`, which uses the most
//! probable segmentation. Also `bert`, whose words are split greedily.

use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::strip::Strip;
use tokenizers::decoders::{self, DecoderWrapper};
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{self, BertNormalizer, NormalizerWrapper, Prepend, Replace};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;

use super::{CONTROL, GgufVocab, UNKNOWN};
use crate::error::{Result, bail, err};
use crate::text::tokenizer_files::{charsmap, merges};

/// SentencePiece's marker for a space.
const MARK: &str = "▁";

impl GgufVocab {
    /// A vocabulary of the type `llama`.
    pub(super) fn merged(mut self) -> Result<tokenizers::Tokenizer> {
        if self.scores.len() != self.tokens.len() {
            let (count, found) = (self.tokens.len(), self.scores.len());
            bail!(FileCorrupt, "tokenizer.ggml.scores: expected {count} numbers, found {found}");
        }
        // Among the pieces that neighbors could be merged to, the one with the highest score is merged first.
        let mut order: Vec<usize> = (0..self.tokens.len()).collect();
        order.sort_by(|a, b| self.scores[*b].total_cmp(&self.scores[*a]));
        let merges = merges::of_pieces(order.iter().map(|&i| self.tokens[i].as_str()));
        let vocab = self.take_vocabulary()?;
        let has_bytes = vocab.contains_key("<0x00>");
        let unk =
            self.unk.and_then(|unk| vocab.iter().find(|(_, id)| **id == unk)).map(|(text, _)| text.clone());
        let mut bpe = BPE::builder().vocab_and_merges(vocab, merges).fuse_unk(true).byte_fallback(has_bytes);
        if let Some(unk) = unk {
            bpe = bpe.unk_token(unk);
        }
        let bpe = bpe.build().map_err(|e| err!(FileCorrupt, "tokenizer.ggml.tokens: {e}"))?;
        self.marked(tokenizers::Tokenizer::new(bpe), Vec::new())
    }

    /// A vocabulary of the type `t5`.
    pub(super) fn scored(mut self) -> Result<tokenizers::Tokenizer> {
        let count = self.tokens.len();
        if self.scores.len() != count || self.scores.iter().any(|score| !score.is_finite()) {
            let found = self.scores.len();
            bail!(FileCorrupt, "tokenizer.ggml.scores: expected {count} finite numbers, found {found}");
        }
        if self.tokens.iter().any(|token| token.is_empty() || token.len() > merges::MAX_PIECE_BYTES) {
            let most = merges::MAX_PIECE_BYTES;
            bail!(FileCorrupt, "tokenizer.ggml.tokens: expected tokens of 1 to {most} bytes");
        }
        let tokens = std::mem::take(&mut self.tokens);
        let scored = tokens.into_iter().zip(self.scores.iter().map(|score| f64::from(*score))).collect();
        let unk = self.unk.map(|unk| unk as usize);
        let unigram =
            Unigram::from(scored, unk, false).map_err(|e| err!(FileCorrupt, "tokenizer.ggml.tokens: {e}"))?;
        let mut rules = Vec::new();
        if !self.charsmap.is_empty() {
            rules.push(charsmap::read(&self.charsmap, "tokenizer.ggml.precompiled_charsmap")?.into());
        }
        if self.remove_extra_whitespaces {
            rules.push(replace(ReplacePattern::Regex("^ +| +$".into()), "")?);
            rules.push(replace(ReplacePattern::Regex(" {2,}".into()), " ")?);
        }
        self.marked(tokenizers::Tokenizer::new(unigram), rules)
    }

    /// Sets SentencePiece's normalizer and decoder: a space is replaced by its marker, and a text starts with one.
    fn marked(
        &self,
        mut inner: tokenizers::Tokenizer,
        mut rules: Vec<NormalizerWrapper>,
    ) -> Result<tokenizers::Tokenizer> {
        let mut decoder: Vec<DecoderWrapper> = vec![
            Replace::new(MARK, " ").map_err(no_rule)?.into(),
            ByteFallback::new().into(),
            Fuse::new().into(),
        ];
        if self.add_space_prefix.unwrap_or(self.model == "llama") {
            rules.push(Prepend::new(MARK.to_owned()).into());
            decoder.push(Strip::new(' ', 1, 0).into());
        }
        rules.push(replace(ReplacePattern::String(" ".to_owned()), MARK)?);
        inner.with_normalizer(Some(normalizers::Sequence::new(rules)));
        inner.with_decoder(Some(decoders::sequence::Sequence::new(decoder)));
        Ok(inner)
    }

    /// A vocabulary of the type `bert`. The file marks the start of a word, while BERT marks the continuation.
    pub(super) fn words(mut self) -> Result<tokenizers::Tokenizer> {
        for (i, token) in self.tokens.iter_mut().enumerate() {
            let kind = self.token_types.get(i).copied().unwrap_or_default();
            if let Some(word) = token.strip_prefix(MARK) {
                *token = word.to_owned();
            } else if !matches!(kind, CONTROL | UNKNOWN) {
                token.insert_str(0, "##");
            }
        }
        let unk = self.unk.and_then(|unk| self.tokens.get(unk as usize)).cloned().unwrap_or_default();
        let vocab = self.take_vocabulary()?;
        let model = WordPiece::builder().vocab(vocab).unk_token(unk).build();
        let mut inner = tokenizers::Tokenizer::new(model.map_err(no_rule)?);
        inner.with_normalizer(Some(BertNormalizer::new(
            true,
            true,
            Some(self.strip_accents),
            self.lowercase,
        )));
        inner.with_pre_tokenizer(Some(BertPreTokenizer));
        inner.with_decoder(Some(decoders::wordpiece::WordPiece::new("##".to_owned(), true)));
        Ok(inner)
    }

    /// The tokens with their ids. The list of tokens is empty afterwards.
    ///
    /// # Errors
    /// `file-corrupt` if a token occurs twice.
    pub(super) fn take_vocabulary(&mut self) -> Result<Vocab> {
        let count = self.tokens.len();
        let vocab: Vocab = std::mem::take(&mut self.tokens).into_iter().zip(0u32..).collect();
        if vocab.len() != count {
            let twice = count - vocab.len();
            bail!(
                FileCorrupt,
                "tokenizer.ggml.tokens: expected distinct tokens, found {twice} that occur twice"
            );
        }
        Ok(vocab)
    }
}

fn no_rule(e: impl std::fmt::Display) -> crate::error::Error {
    err!(ModelUnsupported, "tokenizer.ggml: {e}")
}

fn replace(pattern: ReplacePattern, content: &str) -> Result<NormalizerWrapper> {
    Replace::new(pattern, content).map(NormalizerWrapper::from).map_err(no_rule)
}
