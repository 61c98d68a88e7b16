//! Token ids against Hugging Face's `tokenizers`, for the tokenizers in `tests/text_golden/` (written by its
//! `make.py`) and for those in the folder that POCKETLLM_TEXT_GOLDEN names, if any.
//!
//! Equality is exact: a model fed other ids than it was trained on is another model.
#![cfg(not(target_arch = "wasm32"))]
// clippy.toml allows it in tests, which to clippy are only the functions marked so.

use std::path::{Path, PathBuf};

use crate::common::compare::numbers;
use pocketllm::text::stream::Detokenizer;
use pocketllm::text::tokenizer::{GgufVocab, Tokenizer};
use serde_json::Value;

fn folders() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/text_golden");
    std::iter::once(own).chain(std::env::var_os("POCKETLLM_TEXT_GOLDEN").map(PathBuf::from)).collect()
}

/// Each golden file's name, tokenizer and cases.
fn goldens() -> Vec<(String, Tokenizer, Vec<Value>)> {
    let mut out = Vec::new();
    for folder in folders() {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        paths.retain(|p| p.extension().is_some_and(|e| e == "json"));
        paths.sort();
        for path in paths {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let golden: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            let tokenizer = match golden.get("gguf") {
                Some(fields) => Tokenizer::from_gguf(gguf(fields)),
                None => Tokenizer::from_json(golden["tokenizer"].to_string().as_bytes(), &name),
            };
            out.push((name, tokenizer.unwrap(), golden["cases"].as_array().unwrap().clone()));
        }
    }
    assert!(out.len() >= 7, "golden files are missing");
    out
}

fn gguf(fields: &Value) -> GgufVocab {
    let texts = |key: &str| -> Vec<String> { serde_json::from_value(fields[key].clone()).unwrap() };
    let id = |key: &str| fields[key].as_u64().map(|id| id as u32);
    GgufVocab {
        model: fields["model"].as_str().unwrap().into(),
        pre: fields["pre"].as_str().unwrap().into(),
        tokens: texts("tokens"),
        merges: texts("merges"),
        token_types: serde_json::from_value(fields["token_types"].clone()).unwrap(),
        bos: id("bos"),
        eos: id("eos"),
        unk: id("unk"),
        add_bos: fields["add_bos"].as_bool().unwrap(),
        add_eos: fields["add_eos"].as_bool().unwrap(),
    }
}

#[test]
fn ids_and_texts_are_those_of_hugging_face() {
    for (name, tokenizer, cases) in goldens() {
        for case in &cases {
            let text = case["text"].as_str().unwrap();
            let plain = tokenizer.encode(text, false).unwrap();
            assert_eq!(plain, numbers(&case["ids"]), "{name}: {text:?}");
            assert_eq!(tokenizer.encode(text, true).unwrap(), numbers(&case["special"]), "{name}: {text:?}");
            assert_eq!(tokenizer.decode(&plain, false).unwrap(), case["decoded"], "{name}: {text:?}");
        }
        println!("{name}: {} texts", cases.len());
    }
}

#[test]
fn a_stream_joins_to_the_whole_text() {
    for (name, tokenizer, cases) in goldens() {
        // WordPiece rewrites what it has shown ("don ' t"), and no model that generates uses it.
        if tokenizer.token_to_id("[CLS]").is_some() {
            continue;
        }
        for case in &cases {
            let ids = numbers(&case["ids"]);
            let whole = tokenizer.decode(&ids, false).unwrap();
            let text = case["text"].as_str().unwrap();
            if whole != text {
                continue; // bytes that the vocabulary lacks, or text that its normaliser changes
            }
            let mut stream = Detokenizer::new(&tokenizer, false);
            let mut joined = String::new();
            for &id in &ids {
                let piece = stream.push(id).unwrap().unwrap_or_default();
                assert!(text.contains('\u{FFFD}') || !piece.contains('\u{FFFD}'), "{name}: {text:?}");
                joined += &piece;
            }
            joined += &stream.finish().unwrap().unwrap_or_default();
            assert_eq!(joined, whole, "{name}: {text:?}");
        }
    }
}
