//! The answers of tasks whose rows have their own answers.

use serde_json::Value;

use super::definition::Choices;
use super::record::Record;
use crate::error::{Result, bail, err};
use crate::text::json_rows::describe;

/// COPA: `choice1` and `choice2`, as the end of a sentence.
pub(super) fn alternatives(record: &Record<'_>) -> Result<Choices> {
    let candidates = ["choice1", "choice2"]
        .into_iter()
        .map(|name| record.text(&[name]).map(|text| format!(" {}", within_sentence(text.trim()))))
        .collect::<Result<Vec<_>>>()?;
    let label = record.label(&["label"])?;
    match label.as_str() {
        "0" => Ok((candidates, vec![0])),
        "1" => Ok((candidates, vec![1])),
        other => bail!(DataInvalid, "field `label`: expected 0 or 1, found {other:?}"),
    }
}

/// A sentence with its first word in lower case, unless it is the word I.
fn within_sentence(text: &str) -> String {
    match text.split_once(' ') {
        Some(("I", _)) => text.to_owned(),
        Some((first, rest)) => format!("{} {rest}", first.to_lowercase()),
        None if text == "I" => text.to_owned(),
        None => text.to_lowercase(),
    }
}

/// ReCoRD: the query with each entity of the passage inserted in its gap. The original files give entities as the positions of
/// their first and last characters; derived tables give the entities' texts.
pub(super) fn entities(record: &Record<'_>) -> Result<Choices> {
    let query = record.text(&["query"])?.trim();
    if !query.contains("@placeholder") {
        bail!(DataInvalid, "field `query`: expected the gap @placeholder, found none");
    }
    let list = |paths: &[&str]| match record.get(paths) {
        Some(Value::Array(items)) => Ok(items),
        Some(other) => {
            bail!(DataInvalid, "field `{}`: expected an array, found {}", paths[0], describe(other))
        }
        None => bail!(DataInvalid, "field `{}`: expected an array, found none", paths[0]),
    };
    let passage: Vec<char> = record.text(&["passage.text", "passage"])?.chars().collect();
    let entity = |item: &Value| -> Result<String> {
        if let Some(text) = item.as_str().or_else(|| item.get("text")?.as_str()) {
            return Ok(text.to_owned());
        }
        let place = |key| item.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let span = place("start")
            .zip(place("end"))
            .and_then(|(start, end)| passage.get(start..=end.min(passage.len())));
        span.map(|chars| chars.iter().collect()).ok_or_else(|| {
            err!(
                DataInvalid,
                "entity: expected its text, or its start and end within the passage, found {item}"
            )
        })
    };
    let mut names: Vec<String> = Vec::new();
    for item in list(&["passage.entities", "entities"])? {
        let name = entity(item)?;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let mut correct = Vec::new();
    for item in list(&["answers"])? {
        let name = entity(item)?;
        let found = names.iter().position(|n| *n == name).ok_or_else(|| {
            err!(DataInvalid, "field `answers`: expected entities of the passage, found {name:?}")
        })?;
        if !correct.contains(&found) {
            correct.push(found);
        }
    }
    if correct.is_empty() {
        bail!(DataInvalid, "field `answers`: expected at least one, found none");
    }
    let candidates = names.iter().map(|name| format!(" {}", query.replace("@placeholder", name))).collect();
    Ok((candidates, correct))
}

/// SQuAD: `answers` is a list of objects with `text`, or one object whose `text` is a list.
pub(super) fn texts(record: &Record<'_>) -> Result<Vec<String>> {
    let texts: Vec<String> = match record.get(&["answers"]) {
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(|a| a.as_str().or_else(|| a.get("text")?.as_str()))
            .map(str::to_owned)
            .collect(),
        Some(Value::Object(object)) => strings(object.get("text")),
        Some(other) => bail!(DataInvalid, "field `answers`: expected an array, found {}", describe(other)),
        None => Vec::new(),
    };
    some(texts, "answers")
}

/// DROP: the annotator's answer, then those of the validators. Each is a number, spans of the
/// passage, or a date in the order day, month, year.
pub(super) fn numbers_dates_spans(record: &Record<'_>) -> Result<Vec<String>> {
    if let Some(spans) = record.get(&["answers_spans.spans"]) {
        return some(strings(Some(spans)), "answers_spans");
    }
    let validated = record.get(&["validated_answers"]).and_then(Value::as_array).into_iter().flatten();
    let mut found: Vec<String> = Vec::new();
    for answer in record.get(&["answer"]).into_iter().chain(validated) {
        let text = |path: &str| {
            answer.pointer(path).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
        };
        let number = match answer.get("number") {
            Some(Value::Number(n)) => Some(n.to_string()),
            _ => text("/number").map(str::to_owned),
        };
        let spans = strings(answer.get("spans"));
        let date: Vec<&str> =
            ["/date/day", "/date/month", "/date/year"].into_iter().filter_map(text).collect();
        let texts = match number {
            Some(number) => vec![number],
            None if !spans.is_empty() => spans,
            None if !date.is_empty() => vec![date.join(" ")],
            None => Vec::new(),
        };
        for text in texts {
            if !found.contains(&text) {
                found.push(text);
            }
        }
    }
    some(found, "answer")
}

/// The strings of an array.
fn strings(value: Option<&Value>) -> Vec<String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).filter(|s| !s.trim().is_empty()).map(str::to_owned).collect()
}

fn some(texts: Vec<String>, field: &str) -> Result<Vec<String>> {
    if texts.iter().all(|text| text.trim().is_empty()) {
        bail!(DataInvalid, "field `{field}`: expected at least one answer, found none");
    }
    Ok(texts)
}
