//! Reads a `tokenizer.json`.

use serde::Deserialize;
use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use tokenizers::{DecoderWrapper, ModelWrapper, NormalizerWrapper, PreTokenizerWrapper};

use super::{charsmap, oniguruma};
use crate::error::{Result, bail, err};

/// Maximum token id. It is far above any real id and far below any value that could overflow.
pub(super) const MAX_ID: u64 = 1 << 24;

/// Parses a `tokenizer.json`, and disables its truncation, its padding, and the dropout of merges, which would split the same text
/// differently each time.
pub(crate) fn parse(bytes: &[u8], file_name: &str) -> Result<tokenizers::Tokenizer> {
    let mut parts = probe(bytes, file_name)?;
    let unreadable =
        |e: &dyn std::fmt::Display| err!(FileCorrupt, "{file_name}: expected a tokenizer, found: {e}");
    let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(|e| unreadable(&e))?;
    if oniguruma::translate_all(&mut parts.normalizer) {
        let normalizer: NormalizerWrapper =
            serde_json::from_value(parts.normalizer).map_err(|e| unreadable(&e))?;
        inner.with_normalizer(Some(normalizer));
    }
    if oniguruma::translate_all(&mut parts.pre_tokenizer) {
        let pre_tokenizer: PreTokenizerWrapper =
            serde_json::from_value(parts.pre_tokenizer).map_err(|e| unreadable(&e))?;
        inner.with_pre_tokenizer(Some(pre_tokenizer));
    }
    if oniguruma::translate_all(&mut parts.decoder) {
        let decoder: DecoderWrapper = serde_json::from_value(parts.decoder).map_err(|e| unreadable(&e))?;
        inner.with_decoder(Some(decoder));
    }
    inner.with_truncation(None).map_err(|e| err!(FileCorrupt, "{file_name}: {e}"))?;
    inner.with_padding(None);
    if let ModelWrapper::BPE(bpe) = inner.get_model()
        && bpe.dropout.is_some()
    {
        let mut bpe = bpe.clone();
        bpe.dropout = None;
        inner.with_model(bpe);
    }
    Ok(inner)
}

/// The parts of a tokenizer.json that the crate `tokenizers` does not check and that could make it panic, and those with regular
/// expressions.
#[derive(Deserialize)]
struct Probe {
    model: ModelProbe,
    #[serde(default)]
    added_tokens: Vec<AddedProbe>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    /// Parsing it is also the only way to find invalid strings and numbers, on which the crate panics.
    #[serde(default)]
    decoder: Value,
}

#[derive(Deserialize)]
struct ModelProbe {
    #[serde(rename = "type")]
    kind: Option<String>,
    continuing_subword_prefix: Option<String>,
    #[serde(default)]
    vocab: MaxId,
}

#[derive(Deserialize)]
struct AddedProbe {
    id: u64,
}

/// The largest id in a vocabulary, which is parsed without storing the vocabulary.
#[derive(Default)]
struct MaxId(u64);

impl<'de> Deserialize<'de> for MaxId {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Walk;
        impl<'de> Visitor<'de> for Walk {
            type Value = MaxId;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a vocabulary of tokens and ids")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<MaxId, A::Error> {
                let mut max = 0;
                while let Some((_, id)) = map.next_entry::<IgnoredAny, u64>()? {
                    max = max.max(id);
                }
                Ok(MaxId(max))
            }
            // A Unigram vocabulary is a list in the order of the ids.
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<MaxId, A::Error> {
                let mut count = 0;
                while seq.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(MaxId(count))
            }
        }
        deserializer.deserialize_any(Walk)
    }
}

fn probe(bytes: &[u8], file_name: &str) -> Result<Probe> {
    let probe: Probe = serde_json::from_slice(bytes)
        .map_err(|e| err!(FileCorrupt, "{file_name}: expected a tokenizer.json, found: {e}"))?;
    let max = probe.added_tokens.iter().map(|t| t.id).chain([probe.model.vocab.0]).max().unwrap_or(0);
    if max > MAX_ID {
        bail!(FileCorrupt, "{file_name}: expected token ids up to {MAX_ID}, found {max}");
    }
    check_normalizer(&probe.normalizer, file_name)?;
    check_post_processor(&probe.post_processor, file_name)?;
    let wordpiece = probe.model.kind.as_deref() == Some("WordPiece");
    let prefix = probe.model.continuing_subword_prefix.as_ref();
    if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty() && !wordpiece) {
        bail!(
            ModelUnsupported,
            "{file_name}: model.continuing_subword_prefix: expected none except for WordPiece, found {prefix:?}"
        );
    }
    Ok(probe)
}

/// Checks SentencePiece's rules in a normalizer and in the normalizers that it consists of.
fn check_normalizer(normalizer: &Value, file_name: &str) -> Result<()> {
    for part in normalizer["normalizers"].as_array().into_iter().flatten() {
        check_normalizer(part, file_name)?;
    }
    let rules = normalizer.get("precompiled_charsmap");
    if rules.is_none() && normalizer["type"] != "Precompiled" {
        return Ok(());
    }
    let place = format!("{file_name}: normalizer.precompiled_charsmap");
    let Some(bytes) = rules.and_then(Value::as_str).and_then(from_base64) else {
        bail!(FileCorrupt, "{place}: expected normalization rules in base64");
    };
    charsmap::read(&bytes, &place).map(drop)
}

/// Checks that templates only use special tokens that the post-processor defines, and that the template for a single text has no
/// place for a second one.
fn check_post_processor(processor: &Value, file_name: &str) -> Result<()> {
    for part in processor["processors"].as_array().into_iter().flatten() {
        check_post_processor(part, file_name)?;
    }
    let tokens = &processor["special_tokens"];
    for template in ["single", "pair"] {
        let place = format!("{file_name}: post_processor.{template}");
        for piece in processor[template].as_array().into_iter().flatten() {
            if template == "single" && piece["Sequence"]["id"] == "B" {
                bail!(FileCorrupt, "{place}: expected one text, found a second one");
            }
            if let Some(id) = piece["SpecialToken"]["id"].as_str().filter(|id| tokens.get(id).is_none()) {
                bail!(FileCorrupt, "{place}: expected tokens of special_tokens, found {id:?}");
            }
        }
    }
    Ok(())
}

/// Decodes base64 (RFC 4648).
fn from_base64(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let digits = text.trim_end_matches('=').bytes().map(digit).collect::<Option<Vec<u8>>>()?;
    let bytes = digits.chunks(4).flat_map(|group| {
        let word =
            group.iter().fold(0_u32, |word, digit| word << 6 | u32::from(*digit)) << (6 * (4 - group.len()));
        word.to_be_bytes()[1..group.len()].to_vec()
    });
    Some(bytes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn base64_is_decoded() {
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmE=", "fooba")]
        {
            assert_eq!(from_base64(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(from_base64("Zm9v!"), None);
    }

    /// Each of these makes the crate `tokenizers` panic.
    #[test]
    fn parts_at_which_the_crate_panics_are_refused() {
        let model = r#""model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}"#;
        for part in [
            r#""decoder":{"type":"Metaspace","replacement":"\ud800"}"#,
            r#""decoder":{"type":"Strip","content":" ","start":1e999}"#,
            r#""normalizer":{"type":"Precompiled"}"#,
            r#""post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"b","type_id":0}}],"pair":[],"special_tokens":{}}"#,
            r#""post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"B","type_id":0}}],"pair":[],"special_tokens":{}}"#,
            r#""normalizer":{"type":"Precompiled","precompiled_charsmap":null}"#,
            r#""normalizer":{"type":"Sequence","normalizers":[{"type":"Precompiled","precompiled_charsmap":"AAAA"}]}"#,
        ] {
            let file = format!("{{{part},{model}}}");
            let error = parse(file.as_bytes(), "tokenizer.json").unwrap_err();
            assert_eq!(error.code(), Code::FileCorrupt, "{part}: {error}");
            assert!(error.message().contains("tokenizer.json"), "{error}");
        }
        let whole = format!("{{\"version\":\"1.0\",{model},\"added_tokens\":[]}}");
        assert!(parse(whole.as_bytes(), "tokenizer.json").is_ok());
    }
}
