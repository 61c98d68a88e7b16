//! Reads a training or evaluation file into rows: the one set of rules of the command line, the package and
//! the page.
//!
//! - The encoding is told by the bytes ([`Encoding`]).
//! - The format is told by the ending of the file's name: `.csv`, `.tsv`, `.jsonl`, `.ndjson`, `.json` or
//!   `.txt`; with another ending or none, by the look of the text ([`Format`]).
//! - CSV and TSV need a header; JSONL (or one JSON array) the same names as keys: `text` (and `text_b`) with
//!   `label`, or `prompt` with `completion`, or, as JSON only, `messages`. Other common names of the columns
//!   of texts and labels, such as `review` and `sentiment`, are known as well.
//! - Any other file is plain text.
//!
//! The files that data sets are published in are read by [`crate::text::task`].

use serde::Serialize;

use crate::error::{Error, Result, bail, err};
use crate::text::columns::Columns;
pub use crate::text::columns::Problem;
pub use crate::text::decode::Encoding;
use crate::text::decode::decode;
use crate::text::rows::{Dataset, Rows};
use crate::text::{delimited, json_rows};

/// How a file writes its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A table with commas, semicolons or tabs, and quotes as in RFC 4180.
    Csv,
    /// A table with tabs.
    Tsv,
    /// A JSON object a line.
    Jsonl,
    /// One JSON array of objects.
    Json,
    /// Plain text.
    Txt,
}

/// A file as it was read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The rows; at least one.
    pub dataset: Dataset,
    /// How the file writes its rows.
    pub format: Format,
    /// How its bytes encode its text.
    pub encoding: Encoding,
    /// Each field with the file's own name of its column.
    pub columns: Vec<(&'static str, String)>,
    /// The rows that are left out, because they cannot be used.
    pub problems: Vec<Problem>,
}

/// Reads a file all of whose rows can be used.
///
/// # Errors
/// As [`inspect`]; and `data-invalid` for the first row that cannot be used.
pub fn read(name: &str, bytes: &[u8]) -> Result<Dataset> {
    let Reading { dataset, problems, .. } = inspect(name, bytes)?;
    match problems.first() {
        Some(first) => Err(refusal(name, first)),
        None => Ok(dataset),
    }
}

/// Reads a file, and says which of its rows cannot be used.
///
/// # Errors
/// `data-invalid` naming the file, what was expected and what was found: bytes that are no text, a missing
/// column or key, or no rows that can be used.
pub fn inspect(name: &str, bytes: &[u8]) -> Result<Reading> {
    let (text, encoding) = decode(bytes).map_err(|e| e.at(name))?;
    if text.trim().is_empty() {
        bail!(DataInvalid, "{name}: expected rows or text, found an empty file");
    }
    let format = Format::of(name, &text);
    let table = match format {
        Format::Csv => delimited::csv(name, &text)?,
        Format::Tsv => delimited::tsv(name, &text)?,
        Format::Jsonl => json_rows::lines(name, &text)?,
        Format::Json => json_rows::json(name, &text)?,
        Format::Txt => {
            let rows = Rows::Plain(vec![text.into_owned()]);
            let dataset = Dataset { name: name.to_owned(), rows, task: None };
            return Ok(Reading { dataset, format, encoding, columns: Vec::new(), problems: Vec::new() });
        }
    };
    let dataset = Dataset { name: name.to_owned(), rows: table.rows, task: None };
    if dataset.is_empty() {
        return Err(match table.problems.first() {
            Some(first) => refusal(name, first),
            None => err!(DataInvalid, "{name}: expected at least one row, found none"),
        });
    }
    let (columns, problems) = (table.columns.names(), table.problems);
    Ok(Reading { dataset, format, encoding, columns, problems })
}

fn refusal(name: &str, problem: &Problem) -> Error {
    err!(DataInvalid, "{name}, {}", problem.message)
}

impl Format {
    /// The format of a file, by the ending of its name, or by its beginning where that tells nothing.
    fn of(name: &str, text: &str) -> Format {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        match ending.as_deref() {
            Some("csv") => Format::Csv,
            Some("tsv") => Format::Tsv,
            Some("jsonl" | "ndjson") => Format::Jsonl,
            Some("json") => Format::Json,
            Some("txt") => Format::Txt,
            _ => Format::by_look(text),
        }
    }

    fn by_look(text: &str) -> Format {
        let text = text.trim_start();
        let begins = |open: char, next: &[char]| {
            text.strip_prefix(open).is_some_and(|rest| rest.trim_start().starts_with(next))
        };
        if begins('[', &['{']) {
            return Format::Json;
        }
        if begins('{', &['"']) {
            return Format::Jsonl;
        }
        let header = text.lines().next().unwrap_or_default();
        let is_table = |separator: char| {
            let columns = header.split(separator).map(|column| column.trim().trim_matches('"'));
            header.contains(separator) && Columns::of("header", columns).is_ok()
        };
        match (is_table('\t'), is_table(',') || is_table(';')) {
            (true, _) => Format::Tsv,
            (_, true) => Format::Csv,
            _ => Format::Txt,
        }
    }
}

#[cfg(test)]
#[path = "dataset_tests.rs"]
mod tests;
