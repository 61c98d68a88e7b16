//! Rows from CSV (RFC 4180) and TSV, with a header.

use csv::{ReaderBuilder, StringRecord};

use crate::error::{Result, bail, err};
use crate::text::dataset::{Kind, Rows};

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
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(quoting)
        .has_headers(false)
        // A row of another length is reported below, with its number.
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut records = reader.records();

    let header = match records.next() {
        Some(record) => record.map_err(|e| err!(DataInvalid, "{name}: expected a header, found: {e}"))?,
        None => bail!(DataInvalid, "{name}: expected a header, found an empty file"),
    };
    let columns: Vec<&str> = header.iter().map(str::trim).collect();
    for (i, column) in columns.iter().enumerate() {
        if !column.is_empty() && columns[..i].iter().any(|c| c.eq_ignore_ascii_case(column)) {
            bail!(DataInvalid, "{name}, header: expected distinct columns, found `{column}` twice");
        }
    }
    let mut rows = Kind::of(&format!("{name}, header"), columns.iter().copied())?.empty();
    let mut lines = Lines { text: text.as_bytes(), byte: 0, line: 1 };

    for record in records {
        let record = record.map_err(|e| err!(DataInvalid, "{name}: expected rows of text, found: {e}"))?;
        let row = lines.of(&record);
        let place = format!("{name}, row {row}");
        if record.len() != columns.len() {
            let field = columns.get(record.len()).map(|c| format!(", field `{c}`")).unwrap_or_default();
            bail!(
                DataInvalid,
                "{place}{field}: expected {} fields as in the header, found {}",
                columns.len(),
                record.len()
            );
        }
        rows.add(&place, row, |field| {
            let column = columns.iter().position(|c| c.eq_ignore_ascii_case(field));
            Ok(column.and_then(|c| record.get(c)).map(str::to_string))
        })?;
    }
    Ok(rows)
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
