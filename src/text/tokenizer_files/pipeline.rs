//! Builds the tokenizer of each class: its model, normalizer, pre-tokenizer and decoder.
//!
//! Each function follows the class of the same name in transformers 5 (`models/*/tokenization_*.py`), so that texts get the same ids.

use std::collections::BTreeMap;

use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::{self, DecoderWrapper};
use tokenizers::models::bpe::BPE;
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::{self, BertNormalizer, NormalizerWrapper, Replace};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;
use tokenizers::{AddedToken, SplitDelimiterBehavior, Tokenizer};

use super::class::{Class, Rule};
use super::declared::Declared;
use super::sentencepiece::{Algorithm, PieceType, SentencePiece};
use super::{charsmap, merges, vocabulary};
use crate::error::{Result, bail, err};
use crate::text::gguf_vocab::{QWEN2, split};

/// SentencePiece's marker for a space.
const MARK: char = '▁';

type Files = BTreeMap<String, Vec<u8>>;

/// The tokenizer of a class without its added tokens, the file that its vocabulary was read from, and the tokens that this file
/// declares as special or user-defined.
pub(super) fn build(
    rule: &Rule,
    files: &Files,
    declared: &Declared,
) -> Result<(Tokenizer, &'static str, Vec<AddedToken>)> {
    match rule.class {
        Class::Bert | Class::Mpnet => Ok((bert(rule, files, declared)?, "vocab.txt", Vec::new())),
        Class::Gpt2 | Class::GptNeoX | Class::Qwen2 | Class::Roberta => {
            Ok((byte_level(rule, files, declared)?, "vocab.json", Vec::new()))
        }
        Class::Gemma | Class::Llama => merged_pieces(rule, files, declared),
        Class::Albert | Class::Camembert | Class::DebertaV2 | Class::T5 | Class::XlmRoberta => {
            scored_pieces(rule, files, declared)
        }
    }
}

fn corrupt(file: &str, e: impl std::fmt::Display) -> crate::error::Error {
    err!(FileCorrupt, "{file}: expected a vocabulary, found: {e}")
}

fn bert(rule: &Rule, files: &Files, declared: &Declared) -> Result<Tokenizer> {
    const FILE: &str = "vocab.txt";
    let vocab = vocabulary::lines(vocabulary::required(files, FILE, rule.names[0])?, FILE)?;
    let unk = rule.role(declared, "unk_token").map_or_else(|| "[UNK]".to_owned(), |token| token.content);
    let model = WordPiece::builder().vocab(vocab).unk_token(unk).build().map_err(|e| corrupt(FILE, e))?;
    let mut inner = Tokenizer::new(model);
    inner.with_normalizer(Some(BertNormalizer::new(
        true,
        declared.flag("tokenize_chinese_chars")?.unwrap_or(true),
        declared.flag("strip_accents")?,
        declared.flag("do_lower_case")?.unwrap_or(true),
    )));
    inner.with_pre_tokenizer(Some(BertPreTokenizer));
    inner.with_decoder(Some(decoders::wordpiece::WordPiece::new("##".to_owned(), true)));
    Ok(inner)
}

fn byte_level(rule: &Rule, files: &Files, declared: &Declared) -> Result<Tokenizer> {
    const VOCAB: &str = "vocab.json";
    const MERGES: &str = "merges.txt";
    let vocab = vocabulary::json(vocabulary::required(files, VOCAB, rule.names[0])?, VOCAB)?;
    let merges = vocabulary::merges(vocabulary::required(files, MERGES, rule.names[0])?, MERGES)?;
    let bpe = BPE::builder().vocab_and_merges(vocab, merges).build().map_err(|e| corrupt(MERGES, e))?;
    let mut inner = Tokenizer::new(bpe);
    if matches!(rule.class, Class::GptNeoX | Class::Qwen2) {
        inner.with_normalizer(Some(normalizers::NFC));
    }
    let add_prefix_space = declared.flag("add_prefix_space")?.unwrap_or(false);
    if rule.class == Class::Qwen2 {
        let bytes = PreTokenizerWrapper::from(ByteLevel::new(add_prefix_space, true, false));
        inner.with_pre_tokenizer(Some(Sequence::new(vec![split(QWEN2)?, bytes])));
    } else {
        inner.with_pre_tokenizer(Some(ByteLevel::new(add_prefix_space, true, true)));
    }
    inner.with_decoder(Some(ByteLevel::default()));
    Ok(inner)
}

/// Reads the SentencePiece model of a class, which must have been trained with `algorithm`.
fn pieces(
    rule: &Rule,
    files: &Files,
    algorithm: Algorithm,
) -> Result<(SentencePiece, &'static str, Vec<AddedToken>)> {
    let own = match rule.class {
        Class::Albert | Class::T5 => "spiece.model",
        Class::Camembert | Class::XlmRoberta => "sentencepiece.bpe.model",
        Class::DebertaV2 => "spm.model",
        _ => "tokenizer.model",
    };
    let any = || {
        vocabulary::VOCABULARY_FILES
            .into_iter()
            .find(|name| name.ends_with(".model") && files.contains_key(*name))
    };
    let name = if files.contains_key(own) { own } else { any().unwrap_or(own) };
    let model = SentencePiece::parse(vocabulary::required(files, name, rule.names[0])?, name)?;
    if model.algorithm != algorithm {
        bail!(
            ModelUnsupported,
            "{name}: expected a model of the type {algorithm:?} for {}, found {:?}",
            rule.names[0],
            model.algorithm
        );
    }
    let added = model.pieces.iter().filter(|piece| piece.kind != PieceType::Plain).map(|piece| AddedToken {
        normalized: false,
        ..AddedToken::from(piece.text.clone(), piece.kind == PieceType::Control)
    });
    let added = added.collect();
    Ok((model, name, added))
}

/// A class whose pieces are merged in the order of their ids, with bytes as a fallback.
fn merged_pieces(
    rule: &Rule,
    files: &Files,
    declared: &Declared,
) -> Result<(Tokenizer, &'static str, Vec<AddedToken>)> {
    let (model, name, own) = pieces(rule, files, Algorithm::Bpe)?;
    let count = model.pieces.len();
    let merges = merges::of_pieces(model.pieces.iter().map(|piece| piece.text.as_str()));
    let vocab: tokenizers::models::bpe::Vocab =
        model.pieces.into_iter().map(|piece| piece.text).zip(0u32..).collect();
    if vocab.len() != count {
        bail!(
            FileCorrupt,
            "{name}: expected distinct pieces, found {} that occur twice",
            count - vocab.len()
        );
    }
    let mut bpe = BPE::builder().vocab_and_merges(vocab, merges).fuse_unk(true).byte_fallback(true);
    let gemma = rule.class == Class::Gemma;
    if let Some(unk) = rule.role(declared, "unk_token").filter(|_| gemma) {
        bpe = bpe.unk_token(unk.content);
    }
    let mut inner = Tokenizer::new(bpe.build().map_err(|e| corrupt(name, e))?);
    let mut decoder: Vec<DecoderWrapper> =
        vec![replace(MARK.to_string(), " ")?.into(), ByteFallback::new().into(), Fuse::new().into()];
    if gemma {
        inner.with_normalizer(Some(replace(" ", MARK.to_string())?));
    } else {
        let add_prefix_space = declared.flag("add_prefix_space")?.unwrap_or(true);
        let scheme = match (add_prefix_space, declared.flag("legacy")?.unwrap_or(false)) {
            (false, _) => PrependScheme::Never,
            (true, true) => PrependScheme::Always,
            (true, false) => PrependScheme::First,
        };
        inner.with_pre_tokenizer(Some(Metaspace::new(MARK, scheme, false)));
        if add_prefix_space {
            decoder.push(decoders::strip::Strip::new(' ', 1, 0).into());
        }
    }
    inner.with_decoder(Some(decoders::sequence::Sequence::new(decoder)));
    Ok((inner, name, own))
}

/// A class that uses the most probable segmentation into pieces.
fn scored_pieces(
    rule: &Rule,
    files: &Files,
    declared: &Declared,
) -> Result<(Tokenizer, &'static str, Vec<AddedToken>)> {
    let (model, name, mut own) = pieces(rule, files, Algorithm::Unigram)?;
    let token = |role: &str| {
        let token = rule.role(declared, role);
        token
            .map(|token| token.content)
            .ok_or_else(|| err!(FileCorrupt, "expected a {role} for {}, found null", rule.names[0]))
    };
    let proto_unk = model.unk;
    let scored = model.pieces.into_iter().map(|piece| (piece.text, f64::from(piece.score)));
    let plain = |text: String| (text, 0.0);
    let mut vocab: Vec<(String, f64)> = match rule.class {
        // fairseq's vocabulary: four special tokens before SentencePiece's pieces, and the mask after them.
        Class::XlmRoberta => {
            let before = ["bos_token", "pad_token", "eos_token", "unk_token"].map(token);
            let before = before.into_iter().collect::<Result<Vec<_>>>()?.into_iter().map(plain);
            before.chain(scored.skip(3)).chain([plain(token("mask_token")?)]).collect()
        }
        Class::Camembert => {
            let before = [
                plain("<s>NOTUSED".to_owned()),
                plain(token("pad_token")?),
                plain("</s>NOTUSED".to_owned()),
                plain(token("unk_token")?),
                ("<unk>NOTUSED".to_owned(), -100.0),
            ];
            before.into_iter().chain(scored.skip(1)).chain([plain(token("mask_token")?)]).collect()
        }
        _ => scored.collect(),
    };
    if rule.class == Class::T5 {
        // The masks of T5's pretraining have the last ids, in reverse.
        let masks: Vec<String> = (0..declared.count("extra_ids", 1 << 16)?.unwrap_or(100))
            .map(|i| format!("<extra_id_{i}>"))
            .collect();
        own.extend(masks.iter().map(|mask| AddedToken::from(mask.clone(), true)));
        vocab.extend(masks.into_iter().rev().map(plain));
    }
    let unk = match rule.class {
        Class::Albert => 1,
        Class::T5 => 2,
        Class::XlmRoberta | Class::Camembert => 3,
        _ => {
            let unk = (token("unk_token")?, 0.0);
            let found = vocab.iter().position(|piece| *piece == unk);
            found.or(proto_unk.map(|id| id as usize)).unwrap_or_default()
        }
    };
    let mut inner = Tokenizer::new(Unigram::from(vocab, Some(unk), false).map_err(|e| corrupt(name, e))?);
    let rules = if model.charsmap.is_empty() { None } else { Some(charsmap::read(&model.charsmap, name)?) };
    let rules = rules.map(NormalizerWrapper::from);
    let normalizer: Vec<NormalizerWrapper> = match rule.class {
        Class::Albert => {
            let mut list = vec![replace("``", "\"")?.into(), replace("''", "\"")?.into()];
            if !declared.flag("keep_accents")?.unwrap_or(false) {
                list.extend([normalizers::NFKD.into(), normalizers::StripAccents.into()]);
            }
            if declared.flag("do_lower_case")?.unwrap_or(true) {
                list.push(normalizers::Lowercase.into());
            }
            list.into_iter().chain(rules).collect()
        }
        // transformers 5 does not use the file's rules for this class.
        Class::DebertaV2 => {
            let lower = declared.flag("do_lower_case")?.unwrap_or(false);
            let spaces = normalizers::replace::ReplacePattern::Regex(r"\s{2,}|[\n\r\t]".to_owned());
            let spaces = Replace::new(spaces, " ").map_err(|e| err!(ModelUnsupported, "{e}"))?;
            let lower = lower.then(|| normalizers::Lowercase.into());
            let rest = [spaces.into(), normalizers::NFC.into(), normalizers::Strip::new(false, true).into()];
            lower.into_iter().chain(rest).collect()
        }
        _ => rules.into_iter().collect(),
    };
    if !normalizer.is_empty() {
        inner.with_normalizer(Some(normalizers::Sequence::new(normalizer)));
    }
    let add_prefix_space = rule.class == Class::T5 || declared.flag("add_prefix_space")?.unwrap_or(true);
    let deberta = rule.class == Class::DebertaV2;
    let scheme = match (add_prefix_space, deberta) {
        (true, _) => PrependScheme::Always,
        (false, true) => PrependScheme::First,
        (false, false) => PrependScheme::Never,
    };
    let first: Option<PreTokenizerWrapper> = match deberta {
        false => Some(WhitespaceSplit.into()),
        true if declared.flag("split_by_punct")?.unwrap_or(false) => {
            Some(Punctuation::new(SplitDelimiterBehavior::Isolated).into())
        }
        true => None,
    };
    let metaspace = Metaspace::new(MARK, scheme, true);
    let list: Vec<PreTokenizerWrapper> = first.into_iter().chain([metaspace.clone().into()]).collect();
    inner.with_pre_tokenizer(Some(Sequence::new(list)));
    inner.with_decoder(Some(metaspace));
    Ok((inner, name, own))
}

fn replace(
    pattern: impl Into<normalizers::replace::ReplacePattern>,
    content: impl Into<String>,
) -> Result<Replace> {
    Replace::new(pattern, content).map_err(|e| err!(ModelUnsupported, "cannot build a normalizer: {e}"))
}

/// Applies the settings in `tokenizer_config.json` to the parts of a `tokenizer.json`, as the tokenizer classes of transformers do. They
/// also override the parts with the class's default for a setting that is not in the file. The generic class leaves a normalizer alone.
pub(super) fn override_settings(
    inner: &mut Tokenizer,
    declared: &Declared,
    class: Option<Class>,
) -> Result<()> {
    if let Some(NormalizerWrapper::BertNormalizer(bert)) = inner.get_normalizer()
        && matches!(class, Some(Class::Bert | Class::Mpnet))
    {
        let mut bert = *bert;
        bert.lowercase = declared.flag("do_lower_case")?.unwrap_or(true);
        bert.strip_accents = declared.flag("strip_accents")?;
        bert.handle_chinese_chars = declared.flag("tokenize_chinese_chars")?.unwrap_or(true);
        inner.with_normalizer(Some(bert));
    }
    if class == Some(Class::Llama) && declared.flag("add_prefix_space")? == Some(false) {
        without_prefix_space(inner);
    }
    let has_default = matches!(class, Some(Class::Gpt2 | Class::GptNeoX | Class::Roberta));
    let default = (has_default && !declared.has("add_prefix_space")).then_some(false);
    if let (Some(PreTokenizerWrapper::ByteLevel(bytes)), Some(add_prefix_space)) =
        (inner.get_pre_tokenizer(), declared.flag("add_prefix_space")?.or(default))
    {
        let bytes = bytes.add_prefix_space(add_prefix_space);
        inner.with_pre_tokenizer(Some(bytes));
    }
    Ok(())
}

/// Removes what puts SentencePiece's marker before a text, which is a normalizer or the setting of a pre-tokenizer, and what removes the
/// space again when a text is decoded.
fn without_prefix_space(inner: &mut Tokenizer) {
    let is_prefix = |normalizer: &NormalizerWrapper| matches!(normalizer, NormalizerWrapper::Prepend(_));
    let normalizer = match inner.get_normalizer() {
        Some(NormalizerWrapper::Sequence(parts)) => {
            let others: Vec<_> = parts.as_ref().iter().filter(|part| !is_prefix(part)).cloned().collect();
            Some(NormalizerWrapper::Sequence(normalizers::Sequence::new(others)))
        }
        Some(part) if is_prefix(part) => None,
        other => other.cloned(),
    };
    inner.with_normalizer(normalizer);
    if let Some(PreTokenizerWrapper::Metaspace(metaspace)) = inner.get_pre_tokenizer() {
        let mut metaspace = metaspace.clone();
        metaspace.set_prepend_scheme(PrependScheme::Never);
        inner.with_pre_tokenizer(Some(metaspace));
    }
    let decoder = match inner.get_decoder() {
        Some(DecoderWrapper::Sequence(parts)) => {
            let is_strip = |decoder: &DecoderWrapper| matches!(decoder, DecoderWrapper::Strip(_));
            let others = parts.get_decoders().iter().filter(|part| !is_strip(part)).cloned().collect();
            Some(DecoderWrapper::Sequence(decoders::sequence::Sequence::new(others)))
        }
        other => other.cloned(),
    };
    inner.with_decoder(decoder);
}
