//! Data files: CSV and TSV with a header, JSON lines, a JSON array, or plain text.

use std::collections::HashMap;

use serde_json::{Map, Value};
use xxhash_rust::xxh3::Xxh3;

use crate::error::{Result, bail, err};

/// A text with a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// `text`.
    pub text: String,
    /// `text_b`, the second of a pair.
    pub text_b: Option<String>,
    /// `label`: a label word, or its index.
    pub label: String,
    /// Where it is in the file, from 1, the header included.
    pub row: usize,
}

/// A prompt with what should follow it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// `prompt`.
    pub prompt: String,
    /// `completion`.
    pub completion: String,
    /// Where it is in the file, from 1, the header included.
    pub row: usize,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Texts with labels.
    Classified(Vec<Classified>),
    /// Prompts with completions.
    Completion(Vec<Completion>),
    /// One stream of text.
    Plain(String),
}

/// A data file as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// What messages call it.
    pub name: String,
    /// What it holds.
    pub rows: Rows,
}

impl Dataset {
    /// A hash of the content, the same from any of the formats.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Xxh3::new();
        let mut field = |text: &str| {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        match &self.rows {
            Rows::Classified(rows) => rows.iter().for_each(|row| {
                field(&row.text);
                field(row.text_b.as_deref().unwrap_or_default());
                field(&row.label);
            }),
            Rows::Completion(rows) => rows.iter().for_each(|row| {
                field(&row.prompt);
                field(&row.completion);
            }),
            Rows::Plain(text) => field(text),
        }
        hash.digest()
    }
}

/// Reads a file; what it is, its name's ending says.
///
/// # Errors
/// `data-invalid` naming the file, the row (from 1, the header included) and the field.
pub fn read(name: &str, bytes: &[u8]) -> Result<Dataset> {
    let text = std::str::from_utf8(bytes)
        .map_err(|e| err!(DataInvalid, "{name}: not UTF-8 text, at byte {}", e.valid_up_to()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        bail!(DataInvalid, "{name}: there are no data in it");
    }
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    let rows = match ending.as_deref() {
        Some("csv") => from_records(name, table(name, text, b',')?)?,
        Some("tsv") => from_records(name, table(name, text, b'\t')?)?,
        Some("jsonl" | "ndjson") => from_records(name, json_lines(name, text)?)?,
        Some("json") => from_records(name, json_array(name, text)?)?,
        _ => Rows::Plain(text.to_owned()),
    };
    Ok(Dataset { name: name.to_owned(), rows })
}

/// A row's fields, by lower-case name, and where it is.
type Record = (usize, HashMap<String, String>);

fn table(name: &str, text: &str, delimiter: u8) -> Result<Vec<Record>> {
    // Tab-separated files, as data sets are published, quote nothing.
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(delimiter == b',')
        .flexible(true)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| err!(DataInvalid, "{name}: header: {e}"))?;
    let header: Vec<String> = header.iter().map(|field| field.trim().to_lowercase()).collect();
    let mut records = Vec::new();
    for (index, record) in reader.records().enumerate() {
        let row = index + 2;
        let record = record.map_err(|e| err!(DataInvalid, "{name}: row {row}: {e}"))?;
        if record.len() != header.len() {
            let (found, expected) = (record.len(), header.len());
            bail!(DataInvalid, "{name}: row {row}: {found} fields, expected {expected} as in the header");
        }
        let fields = header.iter().cloned().zip(record.iter().map(str::to_owned)).collect();
        records.push((row, fields));
    }
    if records.is_empty() {
        bail!(DataInvalid, "{name}: there are no rows after the header");
    }
    Ok(records)
}

fn json_lines(name: &str, text: &str) -> Result<Vec<Record>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            let row = index + 1;
            let value =
                serde_json::from_str(line).map_err(|e| err!(DataInvalid, "{name}: row {row}: {e}"))?;
            object(name, row, value)
        })
        .collect()
}

fn json_array(name: &str, text: &str) -> Result<Vec<Record>> {
    let values: Vec<Value> = serde_json::from_str(text).map_err(|e| err!(DataInvalid, "{name}: {e}"))?;
    values.into_iter().enumerate().map(|(index, value)| object(name, index + 1, value)).collect()
}

fn object(name: &str, row: usize, value: Value) -> Result<Record> {
    let Value::Object(fields) = value else {
        bail!(DataInvalid, "{name}: row {row}: expected an object with named fields, found {value}");
    };
    Ok((row, strings(name, row, fields)?))
}

fn strings(name: &str, row: usize, fields: Map<String, Value>) -> Result<HashMap<String, String>> {
    let mut strings = HashMap::new();
    for (field, value) in fields {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            Value::Null => continue,
            Value::Array(_) if field == "messages" => String::new(),
            other => bail!(DataInvalid, "{name}: row {row}: {field} is {other}, expected text"),
        };
        strings.insert(field.to_lowercase(), text);
    }
    Ok(strings)
}

fn from_records(name: &str, records: Vec<Record>) -> Result<Rows> {
    let Some((first, fields)) = records.first() else {
        bail!(DataInvalid, "{name}: there are no rows");
    };
    let has = |field: &str| fields.contains_key(field);
    if has("messages") {
        bail!(DataInvalid, "{name}: row {first}: messages; chat data are not supported yet");
    }
    if has("prompt") && has("completion") {
        let rows = records.into_iter().map(|(row, mut fields)| {
            let prompt = take(name, row, &mut fields, "prompt")?;
            let completion = take(name, row, &mut fields, "completion")?;
            if completion.is_empty() {
                bail!(DataInvalid, "{name}: row {row}: completion is empty");
            }
            Ok(Completion { prompt, completion, row })
        });
        return Ok(Rows::Completion(rows.collect::<Result<_>>()?));
    }
    if has("text") && has("label") {
        let rows = records.into_iter().map(|(row, mut fields)| {
            let text = take(name, row, &mut fields, "text")?;
            let label = take(name, row, &mut fields, "label")?;
            Ok(Classified { text, text_b: fields.remove("text_b"), label: label.trim().to_owned(), row })
        });
        return Ok(Rows::Classified(rows.collect::<Result<_>>()?));
    }
    let mut found: Vec<&str> = fields.keys().map(String::as_str).collect();
    found.sort_unstable();
    bail!(
        DataInvalid,
        "{name}: expected the fields text and label, or prompt and completion; found {found:?}"
    )
}

fn take(name: &str, row: usize, fields: &mut HashMap<String, String>, field: &str) -> Result<String> {
    fields.remove(field).ok_or_else(|| err!(DataInvalid, "{name}: row {row}: there is no {field}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn the_same_rows_from_every_format() {
        let csv = read("a.csv", b"\xef\xbb\xbfText,label\n\"one, two\nthree\",1\n").unwrap();
        let json = read("a.jsonl", b"{\"text\": \"one, two\\nthree\", \"label\": 1}\n").unwrap();
        let array = read("a.json", b"[{\"text\": \"one, two\\nthree\", \"label\": \"1\"}]").unwrap();
        assert_eq!(csv.fingerprint(), json.fingerprint());
        assert_eq!(json.rows, array.rows);
        let Rows::Classified(rows) = csv.rows else { panic!() };
        assert_eq!((rows[0].text.as_str(), rows[0].label.as_str()), ("one, two\nthree", "1"));
    }

    #[test]
    fn tsv_quotes_nothing() {
        let Rows::Classified(rows) = read("a.tsv", b"text\tlabel\n\"half a quote\t0\n").unwrap().rows else {
            panic!()
        };
        assert_eq!(rows[0].text, "\"half a quote");
    }

    #[test]
    fn bad_rows_are_named() {
        let cases: [(&str, &[u8], &str); 8] = [
            ("a.csv", b"", "no data"),
            ("a.csv", b"text,label\n", "no rows"),
            ("a.csv", b"text,label\na,0\nb\n", "row 3"),
            ("a.csv", b"sentence,label\na,0\n", "found [\"label\", \"sentence\"]"),
            ("a.jsonl", b"{\"text\": \"a\", \"label\": 0}\n{\"text\": \"b\"}\n", "row 2: there is no label"),
            ("a.jsonl", b"{\"text\": \"a\", \"label\": 0}\n{oops\n", "row 2"),
            ("a.txt", b"ab\xff", "byte 2"),
            ("a.jsonl", b"{\"messages\": []}\n", "chat"),
        ];
        for (name, bytes, part) in cases {
            let error = read(name, bytes).unwrap_err();
            assert_eq!(error.code(), Code::DataInvalid);
            assert!(error.message().contains(part), "{error}");
        }
    }
}
