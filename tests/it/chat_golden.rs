//! Conversations against Hugging Face's `apply_chat_template`, by the templates in `tests/chat_golden/` (written by its `make.py`)
//! and by those in the folder that POCKETLLM_CHAT_GOLDEN names, if any.
#![cfg(not(target_arch = "wasm32"))]

use std::path::{Path, PathBuf};

use pocketllm::text::chat::{ChatTemplate, Message};
use serde_json::Value;

fn goldens() -> Vec<Value> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chat_golden");
    let mut out = Vec::new();
    for folder in std::iter::once(own).chain(std::env::var_os("POCKETLLM_CHAT_GOLDEN").map(PathBuf::from)) {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        paths.retain(|p| p.extension().is_some_and(|e| e == "json"));
        paths.sort();
        for path in paths {
            let golden: Vec<Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            out.extend(golden);
        }
    }
    out
}

fn messages(case: &Value) -> Vec<Message> {
    let text = |m: &Value, key: &str| m[key].as_str().unwrap().to_owned();
    let all = case["messages"].as_array().unwrap();
    all.iter().map(|m| Message { role: text(m, "role"), content: text(m, "content") }).collect()
}

#[test]
fn conversations_are_rendered_as_hugging_face_does() {
    let (mut same, mut wrong) = (0, Vec::new());
    for golden in goldens() {
        let name = golden["name"].as_str().unwrap();
        let template = match ChatTemplate::from_files(None, Some(golden["config"].to_string().as_bytes())) {
            Ok(template) => template.unwrap(),
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        for case in golden["cases"].as_array().unwrap() {
            let given = messages(case);
            let found = template.render(&given, case["add_generation_prompt"].as_bool().unwrap());
            match (&found, case["text"].as_str()) {
                (Ok(text), Some(expected)) if text == expected => same += 1,
                (Err(_), None) => same += 1,
                _ => wrong.push(format!("{name}: {given:?}\nexpected {case}\nfound    {found:?}")),
            }
        }
    }
    println!("{same} conversations are the same");
    assert!(wrong.is_empty(), "{} are not:\n{}", wrong.len(), wrong.join("\n"));
    assert!(same >= 80);
}

#[test]
fn a_refusal_is_said_in_the_templates_own_words() {
    let goldens = goldens();
    let strict = goldens.iter().find(|g| g["name"] == "strict").unwrap();
    let config = strict["config"].to_string();
    let template = ChatTemplate::from_files(None, Some(config.as_bytes())).unwrap().unwrap();
    for case in strict["cases"].as_array().unwrap() {
        if let Some(says) = case["refused"].as_str() {
            let error = template.render(&messages(case), false).unwrap_err();
            assert_eq!(error.code().as_str(), "data-invalid");
            assert!(
                error.message().contains("tokenizer_config.json") && error.message().contains(says),
                "{error}"
            );
        }
    }
}
