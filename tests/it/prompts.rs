//! Where a generated text starts and ends, and tokenizers that do not match the model exactly. On the CPU reference kernels.
#![cfg(not(target_arch = "wasm32"))]

use std::ops::ControlFlow;

use pocketllm::dtype::DType;
use pocketllm::error::{Code, Result};
use pocketllm::format::files::MemoryDir;
use pocketllm::reference::Host;
use pocketllm::text::rows::{Completion, Dataset, Rows};
use pocketllm::train::{ExampleEncoder, Session, WriteOptions};
use pollster::block_on;
use serde_json::{Value, json};

use crate::common::golden;

fn read(file: &str) -> Vec<u8> {
    std::fs::read(golden::path(file)).unwrap()
}

/// A tokenizer with the words `w0` to `w{words - 1}`, which adds `w0` before a text and `w1` after it.
fn tokenizer(words: usize) -> Vec<u8> {
    let vocabulary: serde_json::Map<String, Value> =
        (0..words).map(|i| (format!("w{i}"), json!(i))).collect();
    let special = |id: usize| {
        json!({ "id": id, "content": format!("w{id}"), "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true })
    };
    let frame = |id: usize| json!({ "SpecialToken": { "id": format!("w{id}"), "type_id": 0 } });
    let text = json!({ "Sequence": { "id": "A", "type_id": 0 } });
    let named = |id: usize| json!({ "id": format!("w{id}"), "ids": [id], "tokens": [format!("w{id}")] });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "decoder": null,
        "added_tokens": [special(0), special(1)],
        "pre_tokenizer": { "type": "Whitespace" },
        "post_processor": {
            "type": "TemplateProcessing", "single": [frame(0), text, frame(1)], "pair": [text, text],
            "special_tokens": { "w0": named(0), "w1": named(1) },
        },
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "w2" },
    })
    .to_string()
    .into_bytes()
}

fn config(change: impl Fn(&mut Value)) -> Vec<u8> {
    let mut config: Value = serde_json::from_slice(&read("llama/config.json")).unwrap();
    change(&mut config);
    config.to_string().into_bytes()
}

/// The golden Llama with `words` words and a modified configuration.
fn llama(words: usize, change: impl Fn(&mut Value)) -> Session {
    let dir = MemoryDir::new("llama")
        .with("config.json", config(change))
        .with("model.safetensors", read("llama/model.safetensors"))
        .with("tokenizer.json", tokenizer(words));
    open(&dir).unwrap()
}

fn open(dir: &MemoryDir) -> Result<Session> {
    block_on(Session::open(Host::open(), dir, DType::F32, &mut |_| Ok(())))
}

fn written(session: &Session, ignore_eos: bool) -> Vec<u32> {
    let options = WriteOptions { max_tokens: 6, temperature: 0.0, seed: 0, ignore_eos };
    let prompt = session.prompt("w5 w9").unwrap();
    block_on(session.write(&prompt, options, &mut |_| Ok(ControlFlow::Continue(())))).unwrap().ids
}

fn vocabulary() -> usize {
    serde_json::from_slice::<Value>(&read("llama/config.json")).unwrap()["vocab_size"].as_u64().unwrap()
        as usize
}

#[test]
fn every_token_that_ends_a_text_ends_it() {
    let words = vocabulary();
    let ends = |ends: Value| llama(words, move |config| config["eos_token_id"] = ends.clone());
    let whole = written(&ends(json!(1)), true);
    assert_eq!(whole.len(), 6, "{whole:?}");
    let other = (2..words as u32).find(|id| !whole.contains(id)).unwrap();
    // The first position of a token that has not been generated before it.
    let at = (1..whole.len()).find(|at| !whole[..*at].contains(&whole[*at])).unwrap();
    for named in
        [json!(whole[at]), json!([other, whole[at]]), json!([whole[at], other]), json!([1, other, whole[at]])]
    {
        assert_eq!(written(&ends(named.clone()), false), whole[..at], "{named}");
        assert_eq!(written(&ends(named), true), whole);
    }
    assert_eq!(written(&ends(json!([other])), false), whole);
}

#[test]
fn the_settings_of_generation_name_ends_too() {
    let words = vocabulary();
    let whole = written(&llama(words, |_| ()), true);
    let at = (1..whole.len()).find(|at| !whole[..*at].contains(&whole[*at])).unwrap();
    let dir = |generation: &str| {
        MemoryDir::new("llama")
            .with("config.json", config(|_| ()))
            .with("model.safetensors", read("llama/model.safetensors"))
            .with("tokenizer.json", tokenizer(words))
            .with("generation_config.json", generation.as_bytes().to_vec())
    };
    let named = json!({ "do_sample": true, "eos_token_id": [words - 1, whole[at]] }).to_string();
    assert_eq!(written(&open(&dir(&named)).unwrap(), false), whole[..at]);
    let error = open(&dir("{")).err().unwrap();
    assert!(
        error.code() == Code::FileCorrupt && error.message().contains("generation_config.json"),
        "{error}"
    );
}

#[test]
fn a_prompt_begins_as_in_training_and_has_no_end() {
    let session = llama(vocabulary(), |_| ());
    assert_eq!(session.tokenizer().unwrap().encode("w5 w9", true).unwrap(), [0, 5, 9, 1]);
    let prompt = session.prompt("w5 w9").unwrap();
    assert_eq!(prompt, [0, 5, 9]);
    let row = Completion { prompt: "w5 w9".into(), completion: " w7 w8".into(), row: 1 };
    let data = Dataset { name: "d".into(), rows: Rows::Completion(vec![row]), task: None };
    let encoder = ExampleEncoder::new(&session, None, &[]).unwrap();
    let example = &encoder.encode(&session, &data, 32).unwrap().examples[0];
    assert!(example.ids.starts_with(&prompt), "{example:?}");
}

#[test]
fn tokens_that_the_model_lacks_matter_only_where_they_are_used() {
    let rows = vocabulary();
    let session = llama(rows + 2, |_| ());
    assert_eq!(written(&session, true).len(), 6);
    let (last, beyond) = (format!("w{}", rows - 1), format!("w{}", rows + 1));
    session.prompt(&last).unwrap();
    let says = |error: pocketllm::error::Error, more: &str| {
        assert_eq!(error.code(), Code::DataInvalid);
        let parts = [&beyond, &rows.to_string(), more];
        assert!(parts.iter().all(|part| error.message().contains(*part)), "{error}");
    };
    says(session.prompt(&beyond).unwrap_err(), "");
    let encoder = ExampleEncoder::new(&session, None, &[]).unwrap();
    let data = |prompt: &str, completion: &str| {
        let row = |prompt: &str, completion: &str, row| Completion {
            prompt: prompt.into(),
            completion: completion.into(),
            row,
        };
        let rows = vec![row("w5", " w6", 2), row(prompt, completion, 3)];
        Dataset { name: "d".into(), rows: Rows::Completion(rows), task: None }
    };
    encoder.encode(&session, &data("w7", &format!(" {last}")), 32).unwrap();
    for (prompt, completion) in [(beyond.as_str(), " w6"), ("w7", &*format!(" {beyond}"))] {
        says(encoder.encode(&session, &data(prompt, completion), 32).unwrap_err(), "row 3");
    }
    let labels = ["w5".to_owned(), beyond.clone()];
    says(ExampleEncoder::new(&session, Some("{text}"), &labels).unwrap_err(), "label words");
}

#[test]
fn a_second_text_that_the_template_does_not_read_is_refused() {
    let dir = golden::dir("bert");
    let session = block_on(Session::open(Host::open(), &dir, DType::F32, &mut |_| Ok(()))).unwrap();
    let labels = ["great".to_owned(), "terrible".to_owned()];
    for (template, reads) in [("{text} {text_b} [MASK]", true), ("{text} [MASK]", false)] {
        let encoder = ExampleEncoder::new(&session, Some(template), &labels).unwrap();
        let found = session.texts(&encoder, &[("a", None), ("a", Some("b"))][usize::from(reads)..], 32);
        assert_eq!(found.is_ok(), reads, "{template}");
        if let Err(error) = found {
            assert!(error.code() == Code::InvalidArgument && error.message().contains("{text_b}"), "{error}");
        }
        assert_eq!(session.texts(&encoder, &[("a", None)], 32).is_ok(), !reads);
    }
}

#[test]
fn a_gguf_file_needs_no_tokenizer_for_token_ids() {
    let mut bytes = read("llama-gguf/model.gguf");
    let key = b"tokenizer.ggml.tokens";
    let at = bytes.windows(key.len()).position(|found| found == key).unwrap();
    bytes[at + key.len() - 1] = b'z';
    let session = open(&MemoryDir::new("llama").with("model.gguf", bytes)).unwrap();
    assert_eq!(session.prompt("w5").unwrap_err().code(), Code::ModelUnsupported);
}
