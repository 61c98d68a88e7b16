//! Rows from CSV (RFC 4180) and TSV, with a header.

use csv::{ReaderBuilder, StringRecord};

use crate::error::{Result, bail, err};
use crate::text::rows::{Kind, Rows};

/// Comma-separated rows; quotes protect commas and line ends.
pub(crate) fn csv(name: &str, text: &str) -> Result<Rows> {
    rows(name, text, b',', true)
}

/// Tab-separated rows. By their registered format quotes mean nothing in them (so in GLUE's files), but
/// spreadsheets write them as in CSV: quotes count where all of them are well-formed.
pub(crate) fn tsv(name: &str, text: &str) -> Result<Rows> {
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

fn rows(name: &str, text: &str, delimiter: u8, quoting: bool) -> Result<Rows> {
    let mut rows: Option<Rows> = None;
    let columns = walk(name, text, delimiter, quoting, None, &mut |columns, row, record| {
        let rows = match &mut rows {
            Some(rows) => rows,
            None => rows.insert(kind(name, columns)?.empty()),
        };
        rows.add(&format!("{name}, row {row}"), row, |field| {
            let column = columns.iter().position(|c| c.eq_ignore_ascii_case(field));
            Ok(column.and_then(|c| record.get(c)).map(str::to_string))
        })
    })?;
    rows.map_or_else(|| Ok(kind(name, &columns)?.empty()), Ok)
}

fn kind(name: &str, columns: &[String]) -> Result<Kind> {
    Kind::of(&format!("{name}, header"), columns.iter().map(String::as_str))
}

/// What takes the columns' names, a record's row and the record.
pub(crate) type Add<'a> = dyn FnMut(&[String], usize, &StringRecord) -> Result<()> + 'a;

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
    walk(name, text, delimiter, quoting, columns, add).map(drop)
}

/// As [`each`]; returns the columns' names.
fn walk(
    name: &str,
    text: &str,
    delimiter: u8,
    quoting: bool,
    columns: Option<&[&str]>,
    add: &mut Add<'_>,
) -> Result<Vec<String>> {
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(quoting)
        .has_headers(false)
        // A row of another length is reported below, with its number.
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut records = reader.records();

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
        if record.len() != columns.len() {
            let field = columns.get(record.len()).map(|c| format!(", field `{c}`")).unwrap_or_default();
            bail!(
                DataInvalid,
                "{name}, row {row}{field}: expected {} fields as in the header, found {}",
                columns.len(),
                record.len()
            );
        }
        add(&columns, row, &record)?;
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
