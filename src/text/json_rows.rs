//! Rows from JSON: an object a line (JSONL), or one array of objects.

use serde_json::{Map, Value};

use crate::error::{Result, bail, err};
use crate::text::chat::{Conversation, Message};
use crate::text::rows::{Kind, Rows};

/// One object a line; blank lines are skipped.
pub(crate) fn lines(name: &str, text: &str) -> Result<Rows> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    collect(
        name,
        lines.map(|(i, line)| {
            let row = i + 1;
            let value = serde_json::from_str(line)
                .map_err(|e| err!(DataInvalid, "{name}, row {row}: expected a JSON object, found: {e}"))?;
            Ok((row, value))
        }),
    )
}

/// One array of objects, or objects line by line under the wrong ending.
pub(crate) fn json(name: &str, text: &str) -> Result<Rows> {
    if text.trim_start().starts_with('{') {
        return lines(name, text);
    }
    let values: Vec<Value> = serde_json::from_str(text)
        .map_err(|e| err!(DataInvalid, "{name}: expected a JSON array of objects, found: {e}"))?;
    collect(name, values.into_iter().enumerate().map(|(i, value)| Ok((i + 1, value))))
}

fn collect(name: &str, values: impl Iterator<Item = Result<(usize, Value)>>) -> Result<Rows> {
    let mut rows: Option<Rows> = None;
    for item in values {
        let (row, value) = item?;
        let place = format!("{name}, row {row}");
        let Value::Object(object) = value else {
            bail!(DataInvalid, "{place}: expected a JSON object, found {}", describe(&value));
        };
        let rows = match &mut rows {
            Some(rows) => rows,
            None => rows.insert(Kind::of(&place, object.keys().map(String::as_str))?.empty()),
        };
        match rows {
            Rows::Chat(rows) => {
                let messages = messages(find(&object, "messages")).map_err(|e| e.at(&place))?;
                rows.push(Conversation { messages, row });
            }
            rows => rows.add(&place, row, |field| get(&object, &place, field))?,
        }
    }
    rows.ok_or_else(|| err!(DataInvalid, "{name}: expected at least one row, found none"))
}

/// A field's value, its name in any case.
fn find<'v>(object: &'v Map<String, Value>, field: &str) -> Option<&'v Value> {
    object.get(field).or_else(|| {
        object.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(field)).map(|(_, value)| value)
    })
}

/// The turns of a conversation: at least one of them the assistant's.
fn messages(value: Option<&Value>) -> Result<Vec<Message>> {
    let Some(Value::Array(items)) = value else {
        let found = value.map_or_else(|| "none".to_owned(), describe);
        bail!(DataInvalid, "field `messages`: expected an array of messages, found {found}");
    };
    let mut messages = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let text = |key: &str| match item.get(key) {
            Some(Value::String(text)) => Ok(text.clone()),
            other => {
                let (turn, found) = (i + 1, other.map_or_else(|| "none".to_owned(), describe));
                Err(err!(
                    DataInvalid,
                    "field `messages`, message {turn}, `{key}`: expected a string, found {found}"
                ))
            }
        };
        messages.push(Message { role: text("role")?, content: text("content")? });
    }
    if !messages.iter().any(Message::is_answer) {
        bail!(
            DataInvalid,
            "field `messages`: expected a message whose role is assistant to learn from, found none among {}",
            messages.len()
        );
    }
    Ok(messages)
}

/// A field's text; a label may also be a number or a truth value. Null counts as absent.
fn get(object: &Map<String, Value>, place: &str, field: &str) -> Result<Option<String>> {
    match (find(object, field), field) {
        (None | Some(Value::Null), _) => Ok(None),
        (Some(Value::String(text)), _) => Ok(Some(text.clone())),
        (Some(Value::Number(n)), "label") => {
            // 1.0, as exported from a table of floats, is the label 1.
            let text = n.to_string();
            Ok(Some(text.strip_suffix(".0").map(str::to_string).unwrap_or(text)))
        }
        (Some(Value::Bool(b)), "label") => Ok(Some(b.to_string())),
        (Some(other), _) => {
            let expected = if field == "label" { "a string or a number" } else { "a string" };
            bail!(DataInvalid, "{place}, field `{field}`: expected {expected}, found {}", describe(other))
        }
    }
}

pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => format!("the number {n}"),
        Value::String(_) => "a string".into(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}
