//! Rows from JSON: an object a line (JSONL), or one array of objects.

use serde_json::{Map, Value};

use crate::error::{Result, bail, err};
use crate::text::chat::Message;
use crate::text::columns::{Columns, Record, Table};
use crate::text::delimited::Grid;

/// One object a line; blank lines are skipped. `chosen` are the keys, where they are known beforehand.
pub(crate) fn lines(name: &str, text: &str, chosen: Option<&Columns>) -> Result<Table> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    collect(
        name,
        chosen,
        lines.map(|(i, line)| {
            let value = serde_json::from_str(line);
            (i + 1, value.map_err(|e| err!(DataInvalid, ": expected a JSON object, found: {e}")))
        }),
    )
}

/// One array of objects, or objects line by line under the wrong ending.
pub(crate) fn json(name: &str, text: &str, chosen: Option<&Columns>) -> Result<Table> {
    if text.trim_start().starts_with('{') {
        return lines(name, text, chosen);
    }
    let values: Vec<Value> = serde_json::from_str(text)
        .map_err(|e| err!(DataInvalid, "{name}: expected a JSON array of objects, found: {e}"))?;
    collect(name, chosen, values.into_iter().enumerate().map(|(i, value)| (i + 1, Ok(value))))
}

fn collect(
    name: &str,
    chosen: Option<&Columns>,
    values: impl Iterator<Item = (usize, Result<Value>)>,
) -> Result<Table> {
    let mut table: Option<Table> = None;
    for (row, value) in values {
        let object = value.and_then(|value| match value {
            Value::Object(object) => Ok(object),
            other => Err(err!(DataInvalid, ": expected a JSON object, found {}", describe(&other))),
        });
        let table = match (&mut table, &object) {
            (Some(table), _) => table,
            (none, Ok(object)) => {
                let place = format!("{name}, row {row}");
                let columns = match chosen {
                    Some(columns) => columns.clone(),
                    None => Columns::of(&place, object.keys().map(String::as_str))?,
                };
                none.insert(Table::new(columns))
            }
            (None, Err(error)) => bail!(DataInvalid, "{name}, row {row}{}", error.message()),
        };
        match &object {
            Ok(object) => table.add(row, Ok(object)),
            Err(error) => table.add(row, Err(error.clone())),
        }
    }
    table.ok_or_else(|| err!(DataInvalid, "{name}: expected at least one row, found none"))
}

/// The keys of the first object, and the values of all objects in their order as text; those that are no text are as JSON has them.
pub(crate) fn grid(text: &str) -> Option<(Vec<String>, Grid)> {
    let objects: Vec<Map<String, Value>> = match text.trim_start().starts_with('[') {
        true => serde_json::from_str(text).ok()?,
        false => {
            let lines = text.lines().filter(|line| !line.trim().is_empty());
            lines.map(|line| serde_json::from_str(line).ok()).collect::<Option<_>>()?
        }
    };
    let names: Vec<String> = objects.first()?.keys().cloned().collect();
    let value = |object: &Map<String, Value>, name: &String| match object.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let record = |object: &Map<String, Value>| names.iter().map(|name| value(object, name)).collect();
    let records = objects.iter().enumerate().map(|(at, object)| (at + 1, record(object))).collect();
    Some((names, records))
}

impl Record for Map<String, Value> {
    /// A label may also be a number or a truth value. Null counts as absent.
    fn text(&self, column: &str, field: &str) -> Result<Option<String>> {
        match (find(self, column), field) {
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
                bail!(DataInvalid, "expected {expected}, found {}", describe(other))
            }
        }
    }

    fn messages(&self, column: &str) -> Result<Vec<Message>> {
        messages(find(self, column))
    }
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
        bail!(DataInvalid, "expected an array of messages, found {found}");
    };
    let mut messages = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let text = |key: &str| match item.get(key) {
            Some(Value::String(text)) => Ok(text.clone()),
            other => {
                let (turn, found) = (i + 1, other.map_or_else(|| "none".to_owned(), describe));
                Err(err!(DataInvalid, ", message {turn}, `{key}`: expected a string, found {found}"))
            }
        };
        messages.push(Message { role: text("role")?, content: text("content")? });
    }
    if !messages.iter().any(Message::is_answer) {
        bail!(
            DataInvalid,
            "expected a message whose role is assistant to learn from, found none among {}",
            messages.len()
        );
    }
    Ok(messages)
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
