//! Compares conversations with Hugging Face's `apply_chat_template`, for the templates in `tests/chat_golden/` (written by its
//! `make.py`) and for those in the folder named by POCKETLLM_CHAT_GOLDEN, if any; and small templates with Jinja2 (`jinja.py`).
#![cfg(not(target_arch = "wasm32"))]

use std::path::{Path, PathBuf};

use pocketllm::text::chat::{ChatTemplate, Conversation};
use serde::Deserialize;
use serde_json::value::RawValue;

/// A model's template with conversations.
#[derive(Deserialize)]
struct Golden {
    name: String,
    config: Box<RawValue>,
    cases: Vec<Case>,
}

/// A row of data, and the text that Hugging Face renders for it.
#[derive(Deserialize)]
struct Case {
    row: Box<RawValue>,
    add_generation_prompt: bool,
    text: Option<String>,
    refused: Option<String>,
}

/// A row, with small templates.
#[derive(Deserialize)]
struct Smalls {
    row: Box<RawValue>,
    cases: Vec<Small>,
}

/// A small template, and the text that Jinja2 renders; `None` if Jinja2 rejects it.
#[derive(Deserialize)]
struct Small {
    template: String,
    text: Option<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/chat_golden")
}

fn goldens() -> Vec<Golden> {
    let own = [folder().join("goldens.json")];
    let others = std::env::var_os("POCKETLLM_CHAT_GOLDEN").map(|folder| {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        paths.sort();
        paths
    });
    let paths = own.into_iter().chain(others.into_iter().flatten());
    paths
        .flat_map(|path| {
            let goldens: Vec<Golden> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            goldens
        })
        .collect()
}

fn template(config: &RawValue) -> pocketllm::error::Result<ChatTemplate> {
    let files = [("tokenizer_config.json".to_owned(), config.get().as_bytes().to_vec())].into();
    ChatTemplate::from_files(&files).map(Option::unwrap)
}

#[test]
fn conversations_are_rendered_as_hugging_face_does() {
    let (mut same, mut refused, mut wrong) = (0, 0, Vec::new());
    for Golden { name, config, cases } in goldens() {
        let template = match template(&config) {
            Ok(template) => template,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        for case in cases {
            let row = Conversation::from_json(case.row.get()).unwrap();
            let found = template.render(&row.messages, &row.variables, case.add_generation_prompt);
            match (&found, &case.text) {
                (Ok(text), Some(expected)) if text == expected => same += 1,
                (Err(_), None) => same += 1,
                // A list of parts that a template prints in Python's notation is rejected.
                (Err(_), Some(expected)) if expected.contains("[{'type': 'text'") => refused += 1,
                _ => wrong.push(format!(
                    "{name}: {}\nexpected {:?} {:?}\nfound    {found:?}",
                    case.row, case.text, case.refused
                )),
            }
        }
    }
    println!("{same} conversations are the same, and {refused} are refused");
    assert!(wrong.is_empty(), "{} are not:\n{}", wrong.len(), wrong.join("\n"));
    assert!(same >= 300);
}

#[test]
fn a_refusal_is_said_in_the_templates_own_words() {
    let strict = goldens().into_iter().find(|golden| golden.name == "strict").unwrap();
    let template = template(&strict.config).unwrap();
    for case in strict.cases {
        if let Some(says) = case.refused {
            let row = Conversation::from_json(case.row.get()).unwrap();
            let error = template.render(&row.messages, &row.variables, false).unwrap_err();
            assert_eq!(error.code().as_str(), "data-invalid");
            assert!(
                error.message().contains("tokenizer_config.json") && error.message().contains(&says),
                "{error}"
            );
        }
    }
}

/// Templates are rendered as Jinja2 renders them, or rejected. No template that Jinja2 rejects is silently rendered, except those
/// listed here.
#[test]
fn small_templates_are_rendered_as_jinja_does() {
    let Smalls { row, cases } =
        serde_json::from_slice(&std::fs::read(folder().join("jinja.json")).unwrap()).unwrap();
    let row = Conversation::from_json(row.get()).unwrap();
    let (mut same, mut refused, mut wrong) = (0, Vec::new(), Vec::new());
    for Small { template, text } in &cases {
        let found = ChatTemplate::new("small.jinja", template, Vec::new())
            .and_then(|template| template.render(&row.messages, &row.variables, false));
        match (&found, text) {
            (Ok(found), Some(expected)) if found == expected => same += 1,
            (Err(_), None) => same += 1,
            (Err(error), Some(_)) => refused.push(format!("{template}\n  {error}")),
            (Ok(found), _) => wrong.push(format!("{template}\n  expected {text:?}\n  found    {found:?}")),
        }
    }
    println!(
        "{same} of {} templates are the same; refused: {}\n{}",
        cases.len(),
        refused.len(),
        refused.join("\n")
    );
    assert!(wrong.is_empty(), "{} are not:\n{}", wrong.len(), wrong.join("\n"));
    assert!(refused.len() * 20 <= cases.len(), "{}", refused.join("\n"));
}
