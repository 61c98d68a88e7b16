//! Reads the vocabulary files of older models: `vocab.json`, `merges.txt` and `vocab.txt`.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use tokenizers::models::bpe::{Merges, Vocab};

use super::json::MAX_ID;
use crate::error::{Result, bail, err};

/// Every file that may contain the vocabulary of a model without a `tokenizer.json`.
pub const VOCABULARY_FILES: [&str; 7] = [
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
    "spm.model",
];

/// The bytes of a file that a class needs.
///
/// # Errors
/// `model-unsupported`, naming the class and the existing files, if it is not among `files`.
pub(super) fn required<'a>(
    files: &'a BTreeMap<String, Vec<u8>>,
    name: &str,
    class: &str,
) -> Result<&'a [u8]> {
    files.get(name).map(Vec::as_slice).ok_or_else(|| {
        let found: Vec<&str> =
            VOCABULARY_FILES.into_iter().filter(|name| files.contains_key(*name)).collect();
        err!(ModelUnsupported, "{class} without tokenizer.json: expected {name}, found {}", found.join(", "))
    })
}

/// Reads `vocab.json`: an object that maps tokens to their ids.
///
/// # Errors
/// `file-corrupt` if it does not follow the format.
pub(super) fn json(bytes: &[u8], name: &str) -> Result<Vocab> {
    struct Walk;
    impl<'de> Visitor<'de> for Walk {
        type Value = Vocab;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of tokens and ids")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Vocab, A::Error> {
            let mut vocab = Vocab::default();
            while let Some((token, id)) = map.next_entry::<String, u32>()? {
                vocab.insert(token, id);
            }
            Ok(vocab)
        }
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let vocab = reader.deserialize_map(Walk).and_then(|vocab| reader.end().map(|()| vocab));
    let vocab = vocab.map_err(|e| err!(FileCorrupt, "{name}: expected tokens with their ids, found: {e}"))?;
    if let Some((token, id)) = vocab.iter().find(|(_, id)| u64::from(**id) > MAX_ID) {
        bail!(FileCorrupt, "{name}: expected token ids up to {MAX_ID}, found {id} for {token:?}");
    }
    Ok(vocab)
}

/// Reads `merges.txt`: two tokens on each line, highest priority first.
///
/// # Errors
/// `file-corrupt`, naming the line.
pub(super) fn merges(bytes: &[u8], name: &str) -> Result<Merges> {
    let mut merges = Merges::new();
    for (number, line) in text(bytes, name)?.lines().enumerate() {
        if line.starts_with("#version") || line.is_empty() {
            continue;
        }
        match line.split_once(' ') {
            Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains(' ') => {
                merges.push((left.to_owned(), right.to_owned()));
            }
            _ => bail!(FileCorrupt, "{name}, line {}: expected two tokens, found {line:?}", number + 1),
        }
    }
    Ok(merges)
}

/// Reads `vocab.txt`: one token on each line, in the order of the ids.
///
/// # Errors
/// `file-corrupt` if it does not follow the format.
pub(super) fn lines(bytes: &[u8], name: &str) -> Result<Vocab> {
    Ok(text(bytes, name)?.lines().zip(0u32..).map(|(line, id)| (line.trim_end().to_owned(), id)).collect())
}

fn text<'a>(bytes: &'a [u8], name: &str) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|e| err!(FileCorrupt, "{name}: expected UTF-8: {e}"))
}
