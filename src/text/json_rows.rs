//! Rows from JSON: an object a line (JSONL), or one array of objects.

use serde_json::{Map, Value};

use crate::error::{Result, bail, err};
use crate::text::dataset::{Kind, Rows};

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
        let keys = object.keys().map(String::as_str);
        if rows.is_some() && keys.clone().any(|k| k.eq_ignore_ascii_case("messages")) {
            Kind::of(&place, keys)?;
            continue;
        }
        let rows = match &mut rows {
            Some(rows) => rows,
            None => rows.insert(Kind::of(&place, keys)?.empty()),
        };
        rows.add(&place, row, |field| get(&object, &place, field))?;
    }
    rows.ok_or_else(|| err!(DataInvalid, "{name}: expected at least one row, found none"))
}

/// A field's text; a label may also be a number or a truth value. Null counts as absent.
fn get(object: &Map<String, Value>, place: &str, field: &str) -> Result<Option<String>> {
    let value = object.get(field).or_else(|| {
        object.iter().find(|(key, _)| key.trim().eq_ignore_ascii_case(field)).map(|(_, value)| value)
    });
    match (value, field) {
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

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(b) => b.to_string(),
        Value::Number(n) => format!("the number {n}"),
        Value::String(_) => "a string".into(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "an object".into(),
    }
}
