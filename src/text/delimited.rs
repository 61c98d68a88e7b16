//! Rows from CSV (RFC 4180) and TSV, with a header.

use csv::{ReaderBuilder, StringRecord};

use crate::error::{Result, bail, err};
use crate::text::dataset::{Kind, Rows};

/// Comma-separated rows; quotes protect commas and line ends.
pub(crate) fn csv(name: &str, text: &str) -> Result<Rows> {
    rows(name, text, b',', true)
}

/// Tab-separated rows. By their registered format quotes mean nothing in them (so in GLUE's files), but
/// spreadsheets write them as in CSV: the latter is tried first, and holds if every row then has all columns.
pub(crate) fn tsv(name: &str, text: &str) -> Result<Rows> {
    rows(name, text, b'\t', true).or_else(|_| rows(name, text, b'\t', false))
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

    for record in records {
        let record = record.map_err(|e| err!(DataInvalid, "{name}: expected rows of text, found: {e}"))?;
        let row = line_of(&record);
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

/// The line on which a record starts, from 1.
fn line_of(record: &StringRecord) -> usize {
    record.position().map_or(0, |p| usize::try_from(p.line()).unwrap_or(usize::MAX))
}
