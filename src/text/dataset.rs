//! Reads a training or evaluation file into rows. The command line, the package and the page all use these rules.
//!
//! - The bytes determine the encoding ([`Encoding`]).
//! - The file name's extension determines the format: `.csv`, `.tsv`, `.jsonl`, `.jsonlines`, `.ndjson`, `.json` or `.txt`. With
//!   another extension or none, the content does ([`Format`]), and also for JSON in a `.txt` file.
//! - CSV and TSV have a header. JSONL, or one JSON array, has the same names as keys: `text` (and `text_b`) with `label`; `prompt`
//!   with `completion`; Alpaca's `instruction`, `input` and `output`; or, as JSON only, `messages`, ShareGPT's `conversations`, or
//!   messages as `prompt` and `completion`. Other common names for the columns of texts and labels, such as `review` and
//!   `sentiment`, are also recognized.
//! - The only column, or the only key, of a file may be `text` or an alternative name for it. Each row is then a separate text for
//!   language modeling.
//! - If there is no such header, [`inspect`] finds the columns of texts and labels ([`Layout`]).
//! - Any other file is plain text.
//!
//! The published files of data sets are read by [`crate::text::task`].

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result, bail, err};
pub use crate::text::columns::Problem;
use crate::text::columns::{Kind, Table};
pub use crate::text::decode::Encoding;
use crate::text::decode::decode;
use crate::text::layout::{self, Certainty, Found, FoundRows};
pub use crate::text::layout::{Layout, Wanted};
use crate::text::rows::{Dataset, Rows};
pub use crate::text::sniff::Format;
use crate::text::sniff::refuse_binary;
use crate::text::{delimited, json_rows};

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
    /// How the columns were recognized, where their names were not known.
    pub layout: Option<Layout>,
    /// What else a person should know about how the file was read.
    pub notes: Vec<Note>,
    /// Whether the format was recognized by the content alone.
    by_content: bool,
    /// Why the file cannot be read by the names of its columns.
    refused: Option<Error>,
}

impl Reading {
    /// Returns the rows, if all of them can be used, and sentences about how the file was interpreted.
    ///
    /// # Errors
    /// `data-invalid` for the first row that cannot be used, or if it is unclear which columns the file has.
    pub fn whole(self) -> Result<(Dataset, Vec<String>)> {
        let name = &self.dataset.name;
        if let Some(layout) = self.layout.as_ref().filter(|layout| layout.certainty == Certainty::Unsure) {
            let columns: Vec<String> =
                layout.columns.iter().map(|column| format!("`{}`", column.name)).collect();
            let reason = self.refused.as_ref().map_or_else(
                || format!("{name}: it is not clear which column has the text and which one has the label"),
                |error| error.message().to_owned(),
            );
            bail!(
                DataInvalid,
                "{reason}. Choose the text column and the label column from {}",
                columns.join(", ")
            );
        }
        match self.problems.first() {
            Some(first) => Err(refusal(name, first)),
            None => {
                let format = || format!("It is read as {}, judging by its content.", self.format.title());
                let understood = self.layout.as_ref().map(|layout| layout.understood.clone());
                let first = self.by_content.then(format);
                let notes = self.notes.iter().map(Note::to_string);
                Ok((self.dataset, first.into_iter().chain(notes).chain(understood).collect()))
            }
        }
    }
}

/// What a person should know about how a file was read. As a string, it is a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "note", rename_all = "kebab-case")]
pub enum Note {
    /// The text is not in UTF-8, but in an encoding of this name.
    Encoding {
        /// The name of the encoding.
        name: &'static str,
    },
    /// The lines end with carriage returns alone.
    CarriageReturns,
    /// Instructions with inputs are written as one prompt, under the headings of Alpaca.
    Alpaca,
    /// The columns of these names are not read.
    Unread {
        /// The names, as in the file.
        columns: Vec<String>,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Encoding { name } => write!(f, "The text is encoded in {name}."),
            Note::CarriageReturns => f.write_str("The line ends are carriage returns, as on old Macs."),
            Note::Alpaca => f.write_str(
                "Prompts are written in the Alpaca format: ### Instruction:, ### Input: and ### Response:.",
            ),
            Note::Unread { columns } => {
                let names = columns.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
                write!(f, "The other columns are not read: {names}.")
            }
        }
    }
}

/// Reads a file whose columns have known names and whose rows can all be used.
///
/// # Errors
/// `data-invalid` naming the file, what was expected and what was found: bytes that are not text, a missing column or key, no rows,
/// or a row that cannot be used.
pub fn read(name: &str, bytes: &[u8]) -> Result<Dataset> {
    let (text, encoding, _) = decoded(name, bytes)?;
    let format = match Format::named(name) {
        Some(Format::Txt) => Format::of_text_file(&text),
        named => named.unwrap_or_else(|| Format::by_look(&text)),
    };
    if format == Format::Csv {
        delimited::check_quotes(&text, delimited::separator(&text)).map_err(|e| refused_row(name, &e))?;
    }
    let reading = match known(name, &text, format)? {
        Some(table) => tabular(name, table, format, encoding, None)?,
        None => plain(name, vec![text.into_owned()], encoding, None),
    };
    reading.whole().map(|(dataset, _)| dataset)
}

/// Reads a file, and reports how its columns were interpreted and which of its rows cannot be used.
///
/// # Errors
/// `data-invalid` naming the file, what was expected and what was found: bytes that are not text, a missing column or key, or no
/// usable rows; `invalid-argument` for a chosen column that does not exist.
pub fn inspect(name: &str, bytes: &[u8], wanted: &Wanted) -> Result<Reading> {
    let (text, encoding, decoding) = decoded(name, bytes)?;
    let asked = wanted.chooses() || wanted.labeled || wanted.unlabeled;
    let by_name = wanted.format.or_else(|| Format::named(name));
    let named = match by_name {
        Some(Format::Txt) if asked => None,
        // A file whose extension says plain text is plain text, unless the caller asks for rows or it is JSON.
        Some(Format::Txt) if wanted.format.is_none() => Some(Format::of_text_file(&text)),
        by_name => by_name,
    };
    let reading = understood(name, text, encoding, named, wanted)?;
    let by_content = by_name != Some(reading.format);
    let notes = decoding.into_iter().chain(reading.notes).collect();
    Ok(Reading { notes, by_content, ..reading })
}

/// Like [`inspect`], for a text. `named` is its format, if known.
fn understood(
    name: &str,
    text: Cow<'_, str>,
    encoding: Encoding,
    named: Option<Format>,
    wanted: &Wanted,
) -> Result<Reading> {
    let format = named.unwrap_or_else(|| Format::by_look(&text));
    if format == Format::Csv {
        delimited::check_quotes(&text, delimited::separator(&text)).map_err(|e| refused_row(name, &e))?;
    }
    let refused = if wanted.chooses() || wanted.unlabeled {
        None
    } else {
        match known(name, &text, format) {
            Ok(Some(table)) if wanted.labeled && table.columns.kind == Kind::Text => {
                Some(err!(DataInvalid, "{name}: expected the columns `text` and `label`, found only texts"))
            }
            Ok(Some(table)) => return tabular(name, table, format, encoding, None),
            Ok(None) => None,
            Err(error) => Some(error),
        }
    };
    match found(name, &text, format, named, wanted).map_err(|e| placed(name, e))? {
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
                "{name}: columns were chosen: expected a table, or lines with labels, found neither"
            ),
            None if wanted.unlabeled => Ok(plain(name, layout::lines(&text), encoding, None)),
            None => Ok(plain(name, vec![text.into_owned()], encoding, None)),
        },
    }
}

/// The text of a file, its encoding, and notes for the user about both.
fn decoded<'a>(name: &str, bytes: &'a [u8]) -> Result<(Cow<'a, str>, Encoding, Vec<Note>)> {
    refuse_binary(name, bytes)?;
    let (text, encoding) = decode(bytes).map_err(|e| e.at(name))?;
    let mut text = without_separator_line(text);
    if text.trim().is_empty() {
        bail!(DataInvalid, "{name}: expected rows or text, found an empty file");
    }
    let mut notes = Vec::new();
    if encoding != Encoding::Utf8 {
        notes.push(Note::Encoding { name: encoding.title() });
    }
    if text.contains('\r') && !text.contains('\n') {
        text = text.replace('\r', "\n").into();
        notes.push(Note::CarriageReturns);
    }
    Ok((text, encoding, notes))
}

/// A table without the line `sep=;`, with which a file tells Excel its separator. The header shows the separator too. The line is left
/// empty, so that the others keep their numbers.
fn without_separator_line(text: Cow<'_, str>) -> Cow<'_, str> {
    let end = text.find(['\r', '\n']).unwrap_or(text.len());
    if !matches!(text[..end].trim_matches('"'), "sep=;" | "sep=," | "sep=\t") {
        return text;
    }
    match text {
        Cow::Borrowed(text) => text[end..].into(),
        Cow::Owned(mut text) => {
            text.drain(..end);
            text.into()
        }
    }
}

/// The rows under columns with known names; `None` for plain text.
fn known(name: &str, text: &str, format: Format) -> Result<Option<Table>> {
    Ok(match format {
        Format::Csv => Some(delimited::csv(name, text)?),
        Format::Tsv => Some(delimited::tsv(name, text)?),
        Format::Jsonl | Format::Json => Some(json_rows::read(name, text, None)?),
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
                    let table = json_rows::read(name, text, Some(&columns))?;
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
    let table = table.without_half_pairs();
    let dataset = Dataset { name: name.to_owned(), rows: table.rows, task: None };
    if dataset.is_empty() {
        return Err(match table.problems.first() {
            Some(first) => refusal(name, first),
            None => err!(DataInvalid, "{name}: expected at least one row, found none"),
        });
    }
    let mut notes = Vec::new();
    if table.columns.kind == Kind::Instruction {
        notes.push(Note::Alpaca);
    }
    if !table.unread.is_empty() && layout.is_none() {
        notes.push(Note::Unread { columns: table.unread });
    }
    Ok(Reading {
        dataset,
        format,
        encoding,
        columns: table.columns.names(),
        problems: table.problems,
        layout,
        notes,
        by_content: false,
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
        notes: Vec::new(),
        by_content: false,
        refused: None,
    }
}

fn refusal(name: &str, problem: &Problem) -> Error {
    err!(DataInvalid, "{name}, {}", problem.message)
}

/// Prefixes an error with the file's name, unless the error already starts with it.
fn placed(name: &str, error: Error) -> Error {
    match error.message() {
        message if message.starts_with("row ") => refused_row(name, &error),
        message if message.starts_with(name) => error,
        _ => error.at(name),
    }
}

/// Prefixes an error that starts with a row number with the file's name.
fn refused_row(name: &str, error: &Error) -> Error {
    Error::new(error.code(), format!("{name}, {}", error.message()))
}

#[cfg(test)]
mod tests;
