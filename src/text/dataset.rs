//! Reads a training or evaluation file into rows: the one set of rules of the command line, the package and
//! the page.
//!
//! - The encoding is told by the bytes ([`Encoding`]).
//! - The format is told by the ending of the file's name: `.csv`, `.tsv`, `.jsonl`, `.ndjson`, `.json` or
//!   `.txt`; with another ending or none, by the look of the text ([`Format`]).
//! - CSV and TSV have a header; JSONL (or one JSON array) the same names as keys: `text` (and `text_b`) with
//!   `label`, or `prompt` with `completion`, or, as JSON only, `messages`. Other common names of the columns
//!   of texts and labels, such as `review` and `sentiment`, are known as well.
//! - Where there is no such header, [`inspect`] finds the columns of texts and labels ([`Layout`]).
//! - Any other file is plain text.
//!
//! The files that data sets are published in are read by [`crate::text::task`].

use std::borrow::Cow;

use serde::Serialize;

use crate::error::{Error, Result, bail, err};
pub use crate::text::columns::Problem;
use crate::text::columns::{Columns, Table};
pub use crate::text::decode::Encoding;
use crate::text::decode::decode;
use crate::text::layout::{self, Certainty, Found, FoundRows};
pub use crate::text::layout::{Layout, Wanted};
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
    /// Each field with the file's own name of its column; empty for plain text.
    pub columns: Vec<(&'static str, String)>,
    /// The rows that are left out, because they cannot be used.
    pub problems: Vec<Problem>,
    /// What was found out about the columns, where their names did not tell it.
    pub layout: Option<Layout>,
    /// Why the file cannot be read by the names of its columns.
    refused: Option<Error>,
}

impl Reading {
    /// The rows, all of which can be used, and what was understood of the file where its columns have no known names.
    ///
    /// # Errors
    /// `data-invalid` for the first row that cannot be used, and where it is not clear which columns the file has.
    pub fn whole(self) -> Result<(Dataset, Option<Layout>)> {
        let name = &self.dataset.name;
        if let Some(layout) = self.layout.as_ref().filter(|layout| layout.certainty == Certainty::Unsure) {
            let columns: Vec<String> =
                layout.columns.iter().map(|column| format!("`{}`", column.name)).collect();
            let reason = self.refused.as_ref().map_or_else(
                || format!("{name}: it is not clear which column has the text and which one the label"),
                |error| error.message().to_owned(),
            );
            bail!(
                DataInvalid,
                "{reason}. Choose the columns of the text and of the label among {}",
                columns.join(", ")
            );
        }
        match self.problems.first() {
            Some(first) => Err(refusal(name, first)),
            None => Ok((self.dataset, self.layout)),
        }
    }
}

/// Reads a file whose columns have known names, and all of whose rows can be used.
///
/// # Errors
/// `data-invalid` naming the file, what was expected and what was found: bytes that are no text, a missing column or key, no
/// rows, or a row that cannot be used.
pub fn read(name: &str, bytes: &[u8]) -> Result<Dataset> {
    let (text, encoding) = decoded(name, bytes)?;
    let format = Format::named(name).unwrap_or_else(|| Format::by_look(&text));
    let reading = match known(name, &text, format)? {
        Some(table) => tabular(name, table, format, encoding, None)?,
        None => plain(name, vec![text.into_owned()], encoding, None),
    };
    reading.whole().map(|(dataset, _)| dataset)
}

/// Reads a file, and says what was understood of its columns and which of its rows cannot be used.
///
/// # Errors
/// `data-invalid` naming the file, what was expected and what was found: bytes that are no text, a missing column or key, or no
/// rows that can be used; `invalid-argument` for a chosen column that is not there.
pub fn inspect(name: &str, bytes: &[u8], wanted: &Wanted) -> Result<Reading> {
    let (text, encoding) = decoded(name, bytes)?;
    let asked = wanted.chooses() || wanted.labeled || wanted.unlabeled;
    // A file that is called plain text is plain text, unless something else is asked for.
    let named = Format::named(name).filter(|format| *format != Format::Txt || !asked);
    let format = named.unwrap_or_else(|| Format::by_look(&text));
    let refused = if wanted.chooses() || wanted.unlabeled {
        None
    } else {
        match known(name, &text, format) {
            Ok(Some(table)) => return tabular(name, table, format, encoding, None),
            Ok(None) => None,
            Err(error) => Some(error),
        }
    };
    match found(name, &text, format, named, wanted).map_err(|e| e.at(name))? {
        Some(Found { layout, rows: FoundRows::Table(table) }) => {
            let reading = tabular(name, table, format, encoding, Some(layout))?;
            Ok(Reading { refused, ..reading })
        }
        Some(Found { layout, rows: FoundRows::Texts(texts) }) if !texts.is_empty() => {
            Ok(Reading { refused, format, ..plain(name, texts, encoding, Some(layout)) })
        }
        _ => match refused {
            Some(error) => Err(error),
            None if wanted.chooses() => bail!(
                DataInvalid,
                "{name}: expected a table or lines with labels for the columns that were chosen, found none"
            ),
            None if wanted.unlabeled => Ok(plain(name, layout::lines(&text), encoding, None)),
            None => Ok(plain(name, vec![text.into_owned()], encoding, None)),
        },
    }
}

fn decoded<'a>(name: &str, bytes: &'a [u8]) -> Result<(Cow<'a, str>, Encoding)> {
    let (text, encoding) = decode(bytes).map_err(|e| e.at(name))?;
    if text.trim().is_empty() {
        bail!(DataInvalid, "{name}: expected rows or text, found an empty file");
    }
    Ok((text, encoding))
}

/// The rows under columns with known names; none for plain text.
fn known(name: &str, text: &str, format: Format) -> Result<Option<Table>> {
    Ok(match format {
        Format::Csv => Some(delimited::csv(name, text)?),
        Format::Tsv => Some(delimited::tsv(name, text)?),
        Format::Jsonl => Some(json_rows::lines(name, text, None)?),
        Format::Json => Some(json_rows::json(name, text, None)?),
        Format::Txt => None,
    })
}

/// The rows under columns whose names are not known.
fn found(
    name: &str,
    text: &str,
    format: Format,
    named: Option<Format>,
    wanted: &Wanted,
) -> Result<Option<Found>> {
    match (format, named) {
        (Format::Json | Format::Jsonl, _) => {
            let Some((names, grid)) = json_rows::grid(text) else { return Ok(None) };
            let (layout, columns) = layout::of_keys(&names, &grid, wanted)?;
            Ok(Some(match columns {
                Some(columns) => {
                    let table = json_rows::json(name, text, Some(&columns))?;
                    Found { layout, rows: FoundRows::Table(table) }
                }
                None => {
                    let texts = layout.text.map_or_else(Vec::new, |at| layout::texts(&grid, at));
                    Found { layout, rows: FoundRows::Texts(texts) }
                }
            }))
        }
        (_, Some(Format::Txt)) => Ok(None),
        (_, Some(Format::Tsv)) => layout::find(name, text, Some(b'\t'), wanted),
        (_, Some(_)) => layout::find(name, text, Some(b','), wanted),
        (_, None) => layout::find(name, text, None, wanted),
    }
}

fn tabular(
    name: &str,
    table: Table,
    format: Format,
    encoding: Encoding,
    layout: Option<Layout>,
) -> Result<Reading> {
    let dataset = Dataset { name: name.to_owned(), rows: table.rows, task: None };
    if dataset.is_empty() {
        return Err(match table.problems.first() {
            Some(first) => refusal(name, first),
            None => err!(DataInvalid, "{name}: expected at least one row, found none"),
        });
    }
    Ok(Reading {
        dataset,
        format,
        encoding,
        columns: table.columns.names(),
        problems: table.problems,
        layout,
        refused: None,
    })
}

fn plain(name: &str, texts: Vec<String>, encoding: Encoding, layout: Option<Layout>) -> Reading {
    let dataset = Dataset { name: name.to_owned(), rows: Rows::Plain(texts), task: None };
    Reading {
        dataset,
        format: Format::Txt,
        encoding,
        columns: Vec::new(),
        problems: Vec::new(),
        layout,
        refused: None,
    }
}

fn refusal(name: &str, problem: &Problem) -> Error {
    err!(DataInvalid, "{name}, {}", problem.message)
}

impl Format {
    /// The format that the ending of a file's name tells.
    fn named(name: &str) -> Option<Format> {
        let (_, ending) = name.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Some(Format::Csv),
            "tsv" => Some(Format::Tsv),
            "jsonl" | "ndjson" => Some(Format::Jsonl),
            "json" => Some(Format::Json),
            "txt" => Some(Format::Txt),
            _ => None,
        }
    }

    /// The format of a text without a known ending. A table has columns with known names.
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
