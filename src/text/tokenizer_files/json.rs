//! Reads a `tokenizer.json`.

use serde::Deserialize;
use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::error::{Result, bail, err};

/// Maximum token id. It is far above every real one and far below anything that could overflow.
pub(super) const MAX_ID: u64 = 1 << 24;

/// Parses a `tokenizer.json`, and disables its truncation and padding.
pub(crate) fn parse(bytes: &[u8], file_name: &str) -> Result<tokenizers::Tokenizer> {
    probe(bytes, file_name)?;
    let mut inner = tokenizers::Tokenizer::from_bytes(bytes)
        .map_err(|e| err!(FileCorrupt, "{file_name}: expected a tokenizer, found: {e}"))?;
    inner.with_truncation(None).map_err(|e| err!(FileCorrupt, "{file_name}: {e}"))?;
    inner.with_padding(None);
    Ok(inner)
}

/// The parts of a tokenizer.json that the crate `tokenizers` does not check and on which it could
/// panic.
#[derive(Deserialize)]
struct Probe {
    model: ModelProbe,
    #[serde(default)]
    added_tokens: Vec<AddedProbe>,
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

/// The largest id of a vocabulary, which is read without storing the vocabulary.
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

fn probe(bytes: &[u8], file_name: &str) -> Result<()> {
    let probe: Probe = serde_json::from_slice(bytes)
        .map_err(|e| err!(FileCorrupt, "{file_name}: expected a tokenizer.json, found: {e}"))?;
    let max = probe.added_tokens.iter().map(|t| t.id).chain([probe.model.vocab.0]).max().unwrap_or(0);
    if max > MAX_ID {
        bail!(FileCorrupt, "{file_name}: expected token ids up to {MAX_ID}, found {max}");
    }
    let wordpiece = probe.model.kind.as_deref() == Some("WordPiece");
    if let Some(prefix) = probe.model.continuing_subword_prefix.filter(|p| !p.is_empty() && !wordpiece) {
        bail!(
            ModelUnsupported,
            "{file_name}: model.continuing_subword_prefix: expected none except for WordPiece, found {prefix:?}"
        );
    }
    Ok(())
}
