//! Reads rows from JSON: one object per line (JSONL), one array of objects, objects that span several lines, or one object of columns.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::error::{Result, bail, err};
use crate::text::chat::{Conversation, parse};
use crate::text::columns::{Columns, Kind, Record, Table};
use crate::text::delimited::Grid;
use crate::text::python_json::without_special_numbers;

/// A row with its number. The row is the source text of a JSON value.
type Numbered<'t> = (usize, Result<&'t RawValue>);

/// Reads the rows of a file. `chosen` are the keys, if they are known beforehand.
pub(crate) fn read(name: &str, text: &str, chosen: Option<&Columns>) -> Result<Table> {
    let text = by_rows(text);
    let values = values(name, &text)?;
    let wrapped = wrapped(&values);
    collect(name, chosen, wrapped.unwrap_or(values))
}

/// Whether the first row of a file has known fields.
pub(crate) fn is_known(text: &str) -> bool {
    let text = by_rows(text);
    let first = values("", &text).ok().and_then(|values| values.into_iter().next());
    let object = first.and_then(|(_, value)| value.and_then(Object::parse).ok());
    object.is_some_and(|object| Columns::of("", object.fields.keys().map(String::as_str)).is_ok())
}

/// The text in standard JSON with an object for each row.
fn by_rows(text: &str) -> Cow<'_, str> {
    let text = without_special_numbers(text, |_| "null");
    match transposed(&text) {
        Some(rows) => Cow::Owned(rows),
        None => text,
    }
}

/// The rows of a file that is one object of columns, as objects on a line each. A column is an array (`{"text": ["a", "b"], ..}`), or an
/// object whose keys number the rows (`{"text": {"0": "a", "1": "b"}, ..}`, as pandas writes it). `None` for other files.
fn transposed(text: &str) -> Option<String> {
    let Fields(file) = serde_json::from_str(text).ok()?;
    let columns: Vec<(String, BTreeMap<u64, Value>)> =
        file.into_iter().map(|(name, column)| Some((name, cells(column)?))).collect::<Option<_>>()?;
    let (_, first) = columns.first()?;
    let has_text = columns.iter().any(|(_, cells)| cells.values().any(Value::is_string));
    if !has_text || columns.iter().any(|(_, cells)| !cells.keys().eq(first.keys())) {
        return None;
    }
    let mut lines = String::new();
    for row in first.keys() {
        let object: Map<String, Value> =
            columns.iter().map(|(name, cells)| (name.clone(), cells[row].clone())).collect();
        lines.push_str(&Value::Object(object).to_string());
        lines.push('\n');
    }
    Some(lines)
}

/// The values of a column by the numbers of their rows; `None` if it is no column, or if a value is itself an array or an object.
fn cells(column: Value) -> Option<BTreeMap<u64, Value>> {
    let cells: BTreeMap<u64, Value> = match column {
        Value::Array(cells) => (0..).zip(cells).collect(),
        Value::Object(numbered) => {
            let number = |(key, value): (String, Value)| {
                let number: u64 = key.parse().ok()?;
                // Another spelling, such as 00, would be the same row.
                (number.to_string() == key).then_some((number, value))
            };
            numbered.into_iter().map(number).collect::<Option<_>>()?
        }
        _ => return None,
    };
    (!cells.values().any(is_nested)).then_some(cells)
}

fn is_nested(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Object(_))
}

/// The values of a file: the items of an array, or one value on each line. If the first value spans several lines, the others may too.
fn values<'t>(name: &str, text: &'t str) -> Result<Vec<Numbered<'t>>> {
    let start = text.trim_start();
    if !start.starts_with('{') && (start.starts_with('[') || !start.contains('\n')) {
        match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(items) => return Ok((1..).zip(items.into_iter().map(Ok)).collect()),
            // An array over several lines is not JSONL.
            Err(e)
                if start
                    .lines()
                    .next()
                    .is_none_or(|line| serde_json::from_str::<&RawValue>(line).is_err()) =>
            {
                bail!(DataInvalid, "{name}: expected a JSON array of objects, found: {e}")
            }
            Err(_) => {}
        }
    }
    if let Some(values) = over_lines(text) {
        return Ok(values);
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parsed = |(i, line): (usize, &'t str)| {
        let value = serde_json::from_str::<&RawValue>(line);
        (i + 1, value.map_err(|e| err!(DataInvalid, ": expected a JSON object, found: {e}")))
    };
    Ok(lines.map(parsed).collect())
}

/// The values of a file whose first value spans several lines, with the lines on which they start; `None` for other files. The
/// first value that is not JSON is reported as a problem, and ends the list.
fn over_lines(text: &str) -> Option<Vec<Numbered<'_>>> {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let mut values = Vec::new();
    let (mut line, mut counted) = (1, 0);
    loop {
        let before = stream.byte_offset();
        let rest = &text[before..];
        let start = before + (rest.len() - rest.trim_start().len());
        let Some(value) = stream.next() else { return (!values.is_empty()).then_some(values) };
        if values.is_empty() && !value.as_ref().is_ok_and(|value| value.get().contains('\n')) {
            return None;
        }
        line += text[counted..start].matches('\n').count();
        counted = start;
        let ends = value.is_err();
        values.push((line, value.map_err(|e| err!(DataInvalid, ": expected a JSON object, found: {e}"))));
        if ends {
            return Some(values);
        }
    }
}

/// The rows in the only array of a file's only object, as in `{"data": [..]}`.
fn wrapped<'t>(values: &[Numbered<'t>]) -> Option<Vec<Numbered<'t>>> {
    #[derive(Deserialize)]
    struct Wrapped<'t>(#[serde(borrow)] std::collections::BTreeMap<String, &'t RawValue>);

    let [(_, Ok(only))] = values else { return None };
    let Wrapped(fields) = serde_json::from_str(only.get()).ok()?;
    if Columns::of("", fields.keys().map(String::as_str)).is_ok() {
        return None;
    }
    let items = |value: &&'t RawValue| serde_json::from_str::<Vec<&'t RawValue>>(value.get()).ok();
    let mut arrays = fields.values().filter_map(items).filter(|items| !items.is_empty());
    let (first, None) = (arrays.next()?, arrays.next()) else { return None };
    let is_object = |item: &&RawValue| item.get().starts_with('{');
    first.iter().all(is_object).then(|| (1..).zip(first.into_iter().map(Ok)).collect())
}

fn collect(name: &str, chosen: Option<&Columns>, values: Vec<Numbered<'_>>) -> Result<Table> {
    let mut table: Option<Table> = None;
    let mut known = HashSet::new();
    for (row, value) in values {
        let object = value.and_then(Object::parse);
        let table = match (&mut table, &object) {
            (Some(table), _) => table,
            (none, Ok(object)) => {
                let place = format!("{name}, row {row}");
                let keys = || object.fields.keys().map(String::as_str);
                let columns = match chosen {
                    Some(columns) => columns.clone(),
                    None => object.with_turns(Columns::of(&place, keys())?),
                };
                none.insert(Table::new(columns, std::iter::empty()))
            }
            (None, Err(error)) => bail!(DataInvalid, "{name}, row {row}{}", error.message()),
        };
        match &object {
            Ok(object) => {
                // Later rows may have keys that the first one does not have.
                let keys = || object.fields.keys();
                table.mention(keys().filter(|key| !known.contains(*key)).map(String::as_str));
                known.extend(keys().cloned());
                table.add(row, Ok(object));
            }
            Err(error) => table.add(row, Err(error.clone())),
        }
    }
    table.ok_or_else(|| err!(DataInvalid, "{name}: expected at least one row, found none"))
}

/// The keys of the first object, and the values of all objects, in that order, as text. Values that are not strings are written as JSON.
/// Keys of arrays and objects are left out, because such values are no texts. `None` if only numbers are left.
pub(crate) fn grid(text: &str) -> Option<(Vec<String>, Grid)> {
    let text = by_rows(text);
    let values = values("", &text).ok()?;
    let values = wrapped(&values).unwrap_or(values);
    let objects: Vec<(usize, Object<'_>)> = values
        .into_iter()
        .map(|(row, value)| Some((row, value.and_then(Object::parse).ok()?)))
        .collect::<Option<_>>()?;
    let (_, first) = objects.first()?;
    let is_plain =
        |name: &&String| !objects.iter().any(|(_, object)| object.fields.get(*name).is_some_and(is_nested));
    let names: Vec<String> = first.fields.keys().filter(is_plain).cloned().collect();
    let is_text = |name: &String| {
        objects.iter().any(|(_, object)| object.fields.get(name).is_some_and(Value::is_string))
    };
    if !names.iter().any(is_text) {
        return None;
    }
    let value = |object: &Object<'_>, name: &String| match object.fields.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let record = |object: &Object<'_>| names.iter().map(|name| value(object, name)).collect();
    let records = objects.iter().map(|(row, object)| (*row, record(object))).collect();
    Some((names, records))
}

/// An object with the text that it was read from.
struct Object<'t> {
    fields: Map<String, Value>,
    source: &'t str,
}

impl Object<'_> {
    fn parse(value: &RawValue) -> Result<Object<'_>> {
        let source = value.get();
        if !source.starts_with('{') {
            let found = serde_json::from_str(source).map_or_else(|e| e.to_string(), |v: Value| describe(&v));
            bail!(DataInvalid, ": expected a JSON object, found {found}");
        }
        let Fields(fields) = serde_json::from_str(source)
            .map_err(|e| err!(DataInvalid, ": expected a JSON object, found: {e}"))?;
        Ok(Object { fields, source })
    }

    /// The columns, taking into account that a prompt and a completion may be lists of messages.
    fn with_turns(&self, columns: Columns) -> Columns {
        let is_list = |field| find(&self.fields, columns.name(field)).is_some_and(Value::is_array);
        match columns.kind {
            Kind::Completion if is_list("prompt") && is_list("completion") => columns.with_turns(),
            _ => columns,
        }
    }
}

/// The fields of an object. No field may occur twice.
struct Fields(Map<String, Value>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Fields, D::Error> {
        struct Distinct;
        impl<'de> Visitor<'de> for Distinct {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Fields, A::Error> {
                let mut fields = Map::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if fields.contains_key(&name) {
                        return Err(A::Error::custom(format!("the field `{name}` twice")));
                    }
                    fields.insert(name, value);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Distinct)
    }
}

impl Record for Object<'_> {
    /// A label may also be a number or a Boolean. Null counts as absent.
    fn text(&self, column: &str, field: &str) -> Result<Option<String>> {
        match (find(&self.fields, column), field) {
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
                let advice = match other {
                    Value::Number(_) | Value::Bool(_) => ". Put it in quotation marks",
                    _ => "",
                };
                bail!(DataInvalid, "expected {expected}, found {}{advice}", describe(other))
            }
        }
    }

    fn conversation(&self, columns: &Columns) -> Result<Conversation> {
        // Templates print objects, so their fields keep the order in the file.
        let row =
            parse(self.source).map_err(|e| err!(DataInvalid, ": expected a JSON object, found: {e}"))?;
        let own = |field: &str| {
            let name = columns.name(field);
            let exact = self.fields.contains_key(name).then(|| name.to_owned());
            exact.or_else(|| self.fields.keys().find(|key| is(key, name)).cloned()).unwrap_or(name.to_owned())
        };
        match columns.kind {
            Kind::ChatPair => Conversation::of_pair(&row, &own("prompt"), &own("completion")),
            _ => Conversation::of_row(&row, &own("messages")),
        }?
        .has_answer()
    }
}

/// A field's value. Its name may have any case.
fn find<'v>(object: &'v Map<String, Value>, field: &str) -> Option<&'v Value> {
    object.get(field).or_else(|| object.iter().find(|(key, _)| is(key, field)).map(|(_, value)| value))
}

fn is(key: &str, field: &str) -> bool {
    key.trim().eq_ignore_ascii_case(field)
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
