//! Reads published files as records whose fields are found by path.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::error::{Result, bail, err};
use crate::text::delimited;
use crate::text::json_rows::describe;

/// The layout of a data set's files, in addition to tables with a header and JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Paths of the nested arrays with the examples, each within an item of the previous one. A row without the first array is
    /// itself an example.
    pub(super) nest: &'static [&'static str],
    /// The format of line files. Such data sets also exist as CSV without a header, `label,text`.
    pub(super) lines: Option<Lines>,
}

/// The formats of files with one example per line.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lines {
    /// The Stanford treebank's trees, such as `(3 (2 A) (4 treat))`. The label is that of the root,
    /// and the leaves are the text.
    Trees,
    /// TREC's lines, such as `DESC:manner How does it work ?`. The label is before the colon, and
    /// the text after the first space.
    Classes,
}

impl Lines {
    fn example(self) -> &'static str {
        match self {
            Lines::Trees => "a tree such as (3 (2 A) (4 treat))",
            Lines::Classes => "a line such as DESC:manner How does it work ?",
        }
    }
}

/// An example, as the list of nested objects that contain it, outermost first.
#[derive(Clone, Debug)]
pub(crate) struct Record<'v> {
    scopes: Vec<&'v Value>,
    pub(super) row: usize,
}

impl<'v> Record<'v> {
    /// The value at the first of these paths that exists and is not null. Each path is looked up
    /// from the innermost object outward.
    pub(super) fn get(&self, paths: &[&str]) -> Option<&'v Value> {
        paths.iter().find_map(|path| self.scopes.iter().rev().find_map(|scope| at(scope, path)))
    }

    fn need(&self, paths: &[&str]) -> Result<&'v Value> {
        self.get(paths).ok_or_else(|| {
            let expected: Vec<String> = paths.iter().map(|p| format!("`{p}`")).collect();
            let found: Vec<String> =
                self.scopes.iter().rev().take(1).flat_map(|s| s.as_object()).flat_map(keys).collect();
            err!(
                DataInvalid,
                "field {}: expected a value, found the fields {}",
                expected.join(" or "),
                found.join(", ")
            )
        })
    }

    /// The text of a field.
    pub(super) fn text(&self, paths: &[&str]) -> Result<&'v str> {
        let value = self.need(paths)?;
        value.as_str().ok_or_else(|| {
            err!(DataInvalid, "field `{}`: expected a string, found {}", paths[0], describe(value))
        })
    }

    /// A label as text. The value may be a string, a number or a Boolean.
    pub(super) fn label(&self, paths: &[&str]) -> Result<String> {
        match self.need(paths)? {
            Value::String(text) => Ok(text.trim().to_owned()),
            Value::Bool(b) => Ok(b.to_string()),
            Value::Number(n) => {
                let text = n.to_string();
                Ok(text.strip_suffix(".0").map(str::to_owned).unwrap_or(text))
            }
            other => bail!(
                DataInvalid,
                "field `{}`: expected a label, found {}",
                paths.last().unwrap_or(&"label"),
                describe(other)
            ),
        }
    }
}

fn keys(object: &Map<String, Value>) -> impl Iterator<Item = String> {
    object.keys().take(12).map(|key| format!("`{key}`"))
}

/// The value at a path such as `a.b` in an object. Keys match in any case.
fn at<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.')
        .try_fold(value, |value, key| {
            let object = value.as_object()?;
            object
                .get(key)
                .or_else(|| object.iter().find(|(k, _)| k.trim().eq_ignore_ascii_case(key)).map(|(_, v)| v))
        })
        .filter(|value| !value.is_null())
}

/// The examples of a row: the row itself, or those of its nested arrays.
pub(super) fn unnest<'v>(value: &'v Value, nest: &[&str], row: usize) -> Result<Vec<Record<'v>>> {
    let mut records = vec![Record { scopes: vec![value], row }];
    for path in nest {
        let mut inner = Vec::new();
        for record in &records {
            let Some(items) = record.scopes.last().and_then(|scope| at(scope, path)) else {
                if record.scopes.len() == 1 {
                    return Ok(records);
                }
                bail!(DataInvalid, "field `{path}`: expected an array, found none");
            };
            let Some(items) = items.as_array() else {
                if record.scopes.len() == 1 {
                    return Ok(records);
                }
                bail!(DataInvalid, "field `{path}`: expected an array, found {}", describe(items));
            };
            for item in items {
                if !item.is_object() {
                    bail!(DataInvalid, "field `{path}`: expected objects, found {}", describe(item));
                }
                inner.push(Record { scopes: [&record.scopes[..], &[item]].concat(), row });
            }
        }
        records = inner;
    }
    Ok(records)
}

/// The rows of a file, each with its number. The file's extension determines its format.
pub(super) fn values(layout: &Layout, task: &str, name: &str, text: &str) -> Result<Vec<(usize, Value)>> {
    let ending = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    match (ending.as_str(), layout.lines) {
        ("csv", lines) => table(name, text, b',', lines.is_some()),
        ("tsv", _) => table(name, text, b'\t', false),
        ("jsonl" | "ndjson", _) => json_lines(name, text),
        ("json", _) => json(name, text),
        (_, Some(lines)) => self::lines(lines, name, text),
        // SNLI's and MNLI's own .txt files are tables.
        ("txt", None) if text.lines().next().is_some_and(|header| header.contains('\t')) => {
            table(name, text, b'\t', false)
        }
        (_, None) => bail!(
            DataInvalid,
            "{name}: expected a .tsv, .csv, .jsonl or .json file of {task}, found another file type"
        ),
    }
}

/// Replaces bytes that are not UTF-8 by spaces. TREC's file has some.
pub(super) fn without_stray_bytes(bytes: &[u8]) -> Cow<'_, [u8]> {
    match String::from_utf8_lossy(bytes) {
        Cow::Borrowed(text) => text.as_bytes().into(),
        Cow::Owned(text) if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) => {
            drop(text);
            bytes.into()
        }
        Cow::Owned(text) => text.replace('\u{FFFD}', " ").into_bytes().into(),
    }
}

/// The rows of a table as objects. The table has no header if its first line has no `label` and the data set is also published
/// without a header.
fn table(name: &str, text: &str, delimiter: u8, may_lack_header: bool) -> Result<Vec<(usize, Value)>> {
    let first = text.lines().next().unwrap_or_default().to_ascii_lowercase();
    let headed = first.split(char::from(delimiter)).any(|c| c.trim().trim_matches('"') == "label");
    let columns = (may_lack_header && !headed).then_some(&["label", "text"][..]);
    let mut rows = Vec::new();
    delimited::each(name, text, delimiter, columns, &mut |columns, row, record| {
        let fields = columns.iter().zip(record).map(|(c, v)| (c.clone(), Value::from(v)));
        rows.push((row, Value::Object(fields.collect())));
        Ok(())
    })?;
    Ok(rows)
}

/// Reads JSON: an array of objects, an object with such an array in `data`, an object of objects,
/// or one object per line.
fn json(name: &str, text: &str) -> Result<Vec<(usize, Value)>> {
    let number =
        |values: Vec<Value>| numbered(name, values.into_iter().enumerate().map(|(i, v)| Ok((i + 1, v))));
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Array(values)) => number(values),
        Ok(Value::Object(mut object)) => match object.remove("data") {
            Some(Value::Array(values)) => number(values),
            Some(other) => {
                bail!(DataInvalid, "{name}, field `data`: expected an array, found {}", describe(&other))
            }
            None if !object.is_empty() && object.values().all(Value::is_object) => {
                number(object.into_iter().map(|(_, value)| value).collect())
            }
            None => number(vec![Value::Object(object)]),
        },
        Ok(other) => bail!(DataInvalid, "{name}: expected JSON objects, found {}", describe(&other)),
        Err(_) => json_lines(name, text),
    }
}

fn json_lines(name: &str, text: &str) -> Result<Vec<(usize, Value)>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parse = |(i, line)| {
        let row = i + 1;
        let value = serde_json::from_str(line)
            .map_err(|e| err!(DataInvalid, "{name}, row {row}: expected a JSON object, found: {e}"))?;
        Ok((row, value))
    };
    numbered(name, lines.map(parse))
}

/// Checks that all rows are objects.
fn numbered(name: &str, rows: impl Iterator<Item = Result<(usize, Value)>>) -> Result<Vec<(usize, Value)>> {
    let object = |item: Result<(usize, Value)>| {
        let (row, value) = item?;
        if !value.is_object() {
            bail!(DataInvalid, "{name}, row {row}: expected a JSON object, found {}", describe(&value));
        }
        Ok((row, value))
    };
    rows.map(object).collect()
}

/// Reads one example per line and skips blank lines.
fn lines(format: Lines, name: &str, text: &str) -> Result<Vec<(usize, Value)>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parse = |(i, line): (usize, &str)| {
        let row = i + 1;
        let found = match format {
            Lines::Trees => tree(line.trim()),
            Lines::Classes => line.trim().split_once(' ').and_then(|(class, text)| {
                let (coarse, _) = class.split_once(':')?;
                Some((coarse.to_owned(), text.trim().to_owned()))
            }),
        };
        let (label, text) = found.ok_or_else(|| {
            let start: String = line.trim().chars().take(40).collect();
            err!(DataInvalid, "{name}, row {row}: expected {}, found {start:?}", format.example())
        })?;
        let fields =
            [("label", label), ("text", text)].map(|(key, value)| (key.to_owned(), Value::from(value)));
        Ok((row, Value::Object(fields.into_iter().collect())))
    };
    lines.map(parse).collect()
}

/// The label of the root and the words of a tree of the form `(label child child)` or `(label word)`.
fn tree(line: &str) -> Option<(String, String)> {
    let mut words: Vec<String> = Vec::new();
    let mut label = None;
    let (mut depth, mut closed) = (0_usize, false);
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        match first {
            '(' if !closed => {
                let inside = rest[1..].trim_start();
                let end = inside.find([' ', '(', ')'])?;
                let own = &inside[..end];
                if own.is_empty() {
                    return None;
                }
                label.get_or_insert_with(|| own.to_owned());
                depth += 1;
                rest = &inside[end..];
            }
            ')' => {
                depth = depth.checked_sub(1)?;
                closed = depth == 0;
                rest = &rest[1..];
            }
            c if c.is_whitespace() => rest = &rest[c.len_utf8()..],
            _ if depth == 0 => return None,
            _ => {
                let end = rest.find([' ', '(', ')'])?;
                words.push(match &rest[..end] {
                    "-LRB-" => "(".to_owned(),
                    "-RRB-" => ")".to_owned(),
                    // The treebank puts a backslash before a slash or star within a word.
                    word => word.replace("\\/", "/").replace("\\*", "*"),
                });
                rest = &rest[end..];
            }
        }
    }
    (closed && !words.is_empty()).then_some((label?, words.join(" ")))
}
