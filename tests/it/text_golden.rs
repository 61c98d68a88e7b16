//! Compares token ids with Hugging Face's `tokenizers`, for the tokenizers in `tests/text_golden/` (written by its `make.py`), and
//! with transformers, for the directories in `tests/text_golden/files/` (written by `files.py`). Golden files in the folder named
//! by POCKETLLM_TEXT_GOLDEN are also tested. Vocabularies in GGUF files are compared with llama.cpp (`llama_cpp/`, written by
//! `llama_cpp.py`).
//!
//! The ids must be exactly equal: a model that receives different ids than in training is a different model.
#![cfg(not(target_arch = "wasm32"))]
// clippy.toml allows it in tests, but clippy only counts functions with the test attribute as tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::common::compare::numbers;
use pocketllm::text::stream::Detokenizer;
use pocketllm::text::tokenizer::{GgufVocab, Tokenizer, TokenizerFiles};
use serde_json::Value;

fn folders() -> Vec<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/text_golden");
    let files = own.join("files");
    [own, files].into_iter().chain(std::env::var_os("POCKETLLM_TEXT_GOLDEN").map(PathBuf::from)).collect()
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
            let tokenizer = match (golden.get("gguf"), golden.get("files")) {
                (Some(fields), _) => Tokenizer::from_gguf(gguf(fields)),
                (_, Some(files)) => directory(files),
                _ => Tokenizer::from_json(golden["tokenizer"].to_string().as_bytes(), &name),
            };
            out.push((name, tokenizer.unwrap(), golden["cases"].as_array().unwrap().clone()));
        }
    }
    assert!(out.len() >= 31, "golden files are missing");
    out
}

/// The small files of a directory, including config.json.
fn small_files(files: &Value) -> BTreeMap<String, Vec<u8>> {
    let bytes = |content: &Value| match content["base64"].as_str() {
        Some(text) => base64(text),
        None => content.as_str().unwrap().as_bytes().to_vec(),
    };
    files.as_object().unwrap().iter().map(|(name, content)| (name.clone(), bytes(content))).collect()
}

fn base64(text: &str) -> Vec<u8> {
    let alphabet: Vec<u8> =
        [b'A'..=b'Z', b'a'..=b'z', b'0'..=b'9', b'+'..=b'+', b'/'..=b'/'].into_iter().flatten().collect();
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0u32, 0);
    for digit in text.bytes().filter(|byte| *byte != b'=') {
        bits = bits << 6 | alphabet.iter().position(|byte| *byte == digit).unwrap() as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

fn directory(files: &Value) -> pocketllm::error::Result<Tokenizer> {
    let files = small_files(files);
    let config: Value = serde_json::from_slice(&files["config.json"]).unwrap();
    let of = TokenizerFiles {
        files: &files,
        model_type: config["model_type"].as_str(),
        class: config["tokenizer_class"].as_str(),
    };
    Tokenizer::from_files(of).map(|tokenizer| tokenizer.unwrap())
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
        add_bos: fields["add_bos"].as_bool(),
        add_eos: fields["add_eos"].as_bool(),
        ..GgufVocab::default()
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
fn directories_name_the_end_of_a_text_and_the_mask() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/text_golden/files");
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let golden: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let tokenizer = directory(&golden["files"]).unwrap();
        let id = |role: &str| golden[role].as_u64().map(|id| id as u32);
        assert_eq!(tokenizer.eos(), id("eos"), "{path:?}");
        assert_eq!(tokenizer.mask().map(|(_, id)| id), id("mask"), "{path:?}");
    }
}

/// The fields of a vocabulary, under the names that they have in a GGUF file.
fn gguf_fields(fields: &Value, pre: &str) -> GgufVocab {
    let id = |key: &str| fields[key].as_u64().map(|id| id as u32);
    let flag = |key: &str, default: bool| fields[key].as_bool().unwrap_or(default);
    let lowercase = flag("normalizer.lowercase", true);
    fn list<T: serde::de::DeserializeOwned>(fields: &Value, key: &str) -> Vec<T> {
        fields.get(key).map(|list| serde_json::from_value(list.clone()).unwrap()).unwrap_or_default()
    }
    GgufVocab {
        model: fields["model"].as_str().unwrap().into(),
        pre: pre.into(),
        tokens: list(fields, "tokens"),
        scores: list(fields, "scores"),
        merges: list(fields, "merges"),
        token_types: list(fields, "token_type"),
        bos: id("bos_token_id"),
        eos: id("eos_token_id"),
        unk: id("unknown_token_id"),
        sep: id("seperator_token_id"),
        mask: id("mask_token_id"),
        add_bos: fields["add_bos_token"].as_bool(),
        add_eos: fields["add_eos_token"].as_bool(),
        add_space_prefix: fields["add_space_prefix"].as_bool(),
        remove_extra_whitespaces: flag("remove_extra_whitespaces", false),
        charsmap: list(fields, "precompiled_charsmap"),
        lowercase,
        strip_accents: flag("normalizer.strip_accents", lowercase),
    }
}

/// The vocabularies and pre-tokenizers that are compared with llama.cpp without unusual texts. On such texts, this project follows
/// the original tokenizers: it normalizes Qwen's texts to NFC, does not strip spacing marks (BERT), normalizes by graphemes (T5),
/// and treats the ideographic space as a CJK character, as in DeepSeek's pattern.
const WITHOUT_ODD: [&str; 10] = [
    "qwen2",
    "deepseek-r1-qwen",
    "kormo",
    "f2llmv2",
    "qwen35",
    "deepseek-llm",
    "deepseek-coder",
    "bert.json",
    "t5.json",
    "t5_spaces.json",
];

#[test]
fn vocabularies_of_gguf_files_give_the_ids_of_llama_cpp() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/text_golden/llama_cpp");
    let mut wrong = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let golden: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut runs: Vec<(&str, &Value)> = Vec::new();
        for group in golden["pres"].as_array().into_iter().flatten() {
            let names = group["names"].as_array().unwrap().iter();
            runs.extend(names.map(|name| (name.as_str().unwrap(), &group["ids"])));
        }
        if runs.is_empty() {
            runs.push(("", &golden["ids"]));
        }
        for (pre, ids) in runs {
            let tokenizer = Tokenizer::from_gguf(gguf_fields(&golden["fields"], pre)).unwrap();
            let texts = golden["texts"].as_array().unwrap().iter().zip(golden["odd"].as_array().unwrap());
            for ((text, odd), ids) in texts.zip(ids.as_array().unwrap()) {
                let ours = tokenizer.encode(text.as_str().unwrap(), true).unwrap();
                let compared = odd == false || ![pre, &file].iter().any(|name| WITHOUT_ODD.contains(name));
                if compared && ours != numbers(ids) {
                    wrong.push(format!("{file} {pre}: {text}: {ours:?}, llama.cpp has {ids}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} texts:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_stream_joins_to_the_whole_text() {
    for (name, tokenizer, cases) in goldens() {
        // WordPiece rewrites text that it has already emitted ("don ' t"), and no generative model uses it.
        if tokenizer.token_to_id("[CLS]").is_some() {
            continue;
        }
        for case in &cases {
            let ids = numbers(&case["ids"]);
            let whole = tokenizer.decode(&ids, false).unwrap();
            let text = case["text"].as_str().unwrap();
            if whole != text {
                continue; // bytes that the vocabulary lacks, or text that its normalizer changes
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
