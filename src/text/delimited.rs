//! Rows from CSV (RFC 4180) and TSV, with a header.

use csv::{ReaderBuilder, StringRecord};

use crate::error::{Result, bail, err};
use crate::text::chat::Message;
use crate::text::columns::{Columns, Record, Table};

/// Comma-separated rows; quotes protect separators and line ends. Spreadsheets write a semicolon or a tab
/// where the comma is the decimal mark: the header tells which.
pub(crate) fn csv(name: &str, text: &str) -> Result<Table> {
    rows(name, text, separator(text), true)
}

/// The separator of a table of comma-separated values, by its header.
pub(crate) fn separator(text: &str) -> u8 {
    let header = text.trim_start().lines().next().unwrap_or_default();
    match header {
        _ if header.contains(',') => b',',
        _ if header.contains(';') => b';',
        _ if header.contains('\t') => b'\t',
        _ => b',',
    }
}

/// Tab-separated rows. By their registered format quotes mean nothing in them (so in GLUE's files), but
/// spreadsheets write them as in CSV: quotes count where all of them are well-formed.
pub(crate) fn tsv(name: &str, text: &str) -> Result<Table> {
    rows(name, text, b'\t', quotes_are_well_formed(text.as_bytes()))
}

/// Whether each field that begins with a quote also ends with one, as RFC 4180 has it. A field with both a tab and
/// a line end would be two rows whose quotes happen to match.
fn quotes_are_well_formed(text: &[u8]) -> bool {
    let is_end = |b: Option<&u8>| matches!(b, None | Some(b'\t' | b'\n' | b'\r'));
    let mut i = 0;
    while i < text.len() {
        if text[i] == b'"' {
            let start = i;
            loop {
                let Some(quote) = text[i + 1..].iter().position(|&b| b == b'"') else { return false };
                i += 1 + quote;
                if text.get(i + 1) != Some(&b'"') {
                    break;
                }
                i += 1;
            }
            i += 1;
            let field = &text[start..i];
            if !is_end(text.get(i)) || (field.contains(&b'\t') && field.contains(&b'\n')) {
                return false;
            }
        }
        i += text[i..].iter().position(|&b| b == b'\t' || b == b'\n').unwrap_or(text.len() - i) + 1;
    }
    true
}

fn rows(name: &str, text: &str, delimiter: u8, quoting: bool) -> Result<Table> {
    let mut table: Option<Table> = None;
    let columns = walk(name, text, delimiter, quoting, None, &mut |columns, row, record| {
        let table = match &mut table {
            Some(table) => table,
            None => table.insert(Table::new(fields(name, columns)?)),
        };
        match record {
            Ok(record) => table.add(row, Ok(&Line { columns, record })),
            Err(error) => table.add(row, Err(error)),
        }
        Ok(())
    })?;
    table.map_or_else(|| Ok(Table::new(fields(name, &columns)?)), Ok)
}

fn fields(name: &str, columns: &[String]) -> Result<Columns> {
    Columns::of(&format!("{name}, header"), columns.iter().map(String::as_str))
}

/// A record under the names of its columns.
pub(crate) struct Line<'a> {
    pub(crate) columns: &'a [String],
    pub(crate) record: &'a StringRecord,
}

impl Record for Line<'_> {
    fn text(&self, column: &str, _: &str) -> Result<Option<String>> {
        let at = self.columns.iter().position(|name| name == column);
        Ok(at.and_then(|at| self.record.get(at)).map(str::to_owned))
    }

    fn messages(&self, _: &str) -> Result<Vec<Message>> {
        bail!(DataInvalid, "expected chat data as .jsonl, found a table")
    }
}

/// Takes the columns' names, a record's row and the record.
pub(crate) type Add<'a> = dyn FnMut(&[String], usize, &StringRecord) -> Result<()> + 'a;

/// As [`Add`], where the record may have another number of fields than the header.
type AddAny<'a> = dyn FnMut(&[String], usize, Result<&StringRecord>) -> Result<()> + 'a;

/// Records with the row of each.
pub(crate) type Grid = Vec<(usize, StringRecord)>;

/// All records of a table; the first one may be a header.
///
/// # Errors
/// `data-invalid` when they are no text.
pub(crate) fn grid(name: &str, text: &str, delimiter: u8) -> Result<Grid> {
    let quoting = delimiter != b'\t' || quotes_are_well_formed(text.as_bytes());
    let mut lines = Lines { text: text.as_bytes(), byte: 0, line: 1 };
    let numbered = |record: csv::Result<StringRecord>| {
        let record = record.map_err(|e| err!(DataInvalid, "{name}: expected rows of text, found: {e}"))?;
        Ok((lines.of(&record), record))
    };
    reader(text, delimiter, quoting).into_records().map(numbered).collect()
}

fn reader(text: &str, delimiter: u8, quoting: bool) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(quoting)
        .has_headers(false)
        // A row of another length is reported with its number.
        .flexible(true)
        .from_reader(text.as_bytes())
}

/// Gives each record of a table to `add`, with the columns' names and its row; the first record is the header unless `columns` are given.
/// Quotes count as [`csv`] and [`tsv`] have it.
pub(crate) fn each(
    name: &str,
    text: &str,
    delimiter: u8,
    columns: Option<&[&str]>,
    add: &mut Add<'_>,
) -> Result<()> {
    let quoting = delimiter != b'\t' || quotes_are_well_formed(text.as_bytes());
    walk(name, text, delimiter, quoting, columns, &mut |columns, row, record| {
        add(columns, row, record.map_err(|e| err!(DataInvalid, "{name}, row {row}{}", e.message()))?)
    })
    .map(drop)
}

/// As [`each`]; returns the columns' names.
fn walk(
    name: &str,
    text: &str,
    delimiter: u8,
    quoting: bool,
    columns: Option<&[&str]>,
    add: &mut AddAny<'_>,
) -> Result<Vec<String>> {
    let mut records = reader(text, delimiter, quoting).into_records();

    let columns: Vec<String> = match columns {
        Some(columns) => columns.iter().map(|c| c.to_string()).collect(),
        None => match records.next() {
            Some(record) => {
                let header =
                    record.map_err(|e| err!(DataInvalid, "{name}: expected a header, found: {e}"))?;
                header.iter().map(|c| c.trim().to_string()).collect()
            }
            None => bail!(DataInvalid, "{name}: expected a header, found an empty file"),
        },
    };
    for (i, column) in columns.iter().enumerate() {
        if !column.is_empty() && columns[..i].iter().any(|c| c.eq_ignore_ascii_case(column)) {
            bail!(DataInvalid, "{name}, header: expected distinct columns, found `{column}` twice");
        }
    }
    let mut lines = Lines { text: text.as_bytes(), byte: 0, line: 1 };
    for record in records {
        let record = record.map_err(|e| err!(DataInvalid, "{name}: expected rows of text, found: {e}"))?;
        let row = lines.of(&record);
        let found = record.len();
        let fits = if found == columns.len() {
            Ok(&record)
        } else {
            let field = columns.get(found).map(|c| format!(", field `{c}`")).unwrap_or_default();
            let expected = columns.len();
            // A quotation mark that is never closed takes in everything behind it.
            let open = record.iter().next_back().is_some_and(|last| last.contains('\n'));
            let hint = if open && found < expected { ": is a quotation mark never closed?" } else { "" };
            Err(err!(
                DataInvalid,
                "{field}: expected {expected} fields as in the header, found {found}{hint}"
            ))
        };
        add(&columns, row, fits)?;
    }
    Ok(columns)
}

/// Counts lines up to each record: the reader's own count lags behind at CRLF and at the blank lines it skips.
struct Lines<'t> {
    text: &'t [u8],
    byte: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line on which a record starts, from 1.
    fn of(&mut self, record: &StringRecord) -> usize {
        let start = record.position().and_then(|p| usize::try_from(p.byte()).ok()).unwrap_or(self.byte);
        while let Some(&b) = self.text.get(self.byte) {
            if self.byte >= start && b != b'\r' && b != b'\n' {
                break;
            }
            self.line += usize::from(b == b'\n');
            self.byte += 1;
        }
        self.line
    }
}
