//! Reads rows from CSV (RFC 4180) and TSV, with a header.

use csv::{ReaderBuilder, StringRecord};

use crate::error::{Result, bail, err};
use crate::text::chat::Conversation;
use crate::text::columns::{Columns, Problem, Record, Table};
use crate::text::rows::Rows;

/// Comma-separated rows, in which quotes protect separators and line ends. Spreadsheets use a semicolon or a tab where the comma is
/// the decimal separator; the header shows which.
pub(crate) fn csv(name: &str, text: &str) -> Result<Table> {
    rows(name, text, separator(text))
}

/// A character that does not occur in texts, used as the separator if there is only one column.
const UNIT_SEPARATOR: u8 = 0x1f;

/// The separator of a table of comma-separated values, according to its header. If the header has no separator, commas in texts
/// without quotation marks do not divide a line.
pub(crate) fn separator(text: &str) -> u8 {
    let header = text.trim_start().lines().next().unwrap_or_default();
    match header {
        _ if header.contains(',') => b',',
        _ if header.contains(';') => b';',
        _ if header.contains('\t') => b'\t',
        _ => UNIT_SEPARATOR,
    }
}

/// Tab-separated rows. In the registered format, quotes have no meaning (as in GLUE's files), but spreadsheets write them as in
/// CSV. So quotes have a meaning if all of them are well-formed.
pub(crate) fn tsv(name: &str, text: &str) -> Result<Table> {
    rows(name, text, b'\t')
}

/// Whether quotation marks have a meaning.
fn has_quotes(text: &str, delimiter: u8) -> bool {
    delimiter != b'\t' || quotes_are_well_formed(text.as_bytes())
}

/// Whether each field that begins with a quote also ends with one, as in RFC 4180. A field with both a tab and a line end would be
/// two rows whose quotes happen to match.
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

fn rows(name: &str, text: &str, delimiter: u8) -> Result<Table> {
    let mut table: Option<Table> = None;
    let columns = walk(name, text, delimiter, None, &mut |columns, row, record| {
        let table = match &mut table {
            Some(table) => table,
            None => table.insert(new_table(name, columns)?),
        };
        match record {
            Ok(record) => table.add(row, Ok(&Line { columns, record })),
            Err(error) => table.add(row, Err(error)),
        }
        Ok(())
    })?;
    let mut table = table.map_or_else(|| new_table(name, &columns), Ok)?;
    refuse_swallowed(&mut table, text, delimiter, &columns)?;
    Ok(table)
}

fn new_table(name: &str, columns: &[String]) -> Result<Table> {
    let all = || columns.iter().map(String::as_str);
    Ok(Table::new(Columns::of(&format!("{name}, header"), all())?, all()))
}

/// The records of a table that span several lines because of their quotation marks, with the number of their first line.
type LongRecords<'t> = Vec<(usize, &'t str)>;

/// Checks that every field that begins with a quotation mark ends with one. Text after the closing mark is
/// accepted on the line where the field began, and belongs to the field.
///
/// # Errors
/// `data-invalid`, starting with the row, for a mark that is not closed, or that is closed on a later line in the middle of a text.
pub(crate) fn check_quotes(text: &str, delimiter: u8) -> Result<()> {
    match has_quotes(text, delimiter) {
        true => long_records(text, delimiter).map(drop),
        false => Ok(()),
    }
}

fn long_records(text: &str, delimiter: u8) -> Result<LongRecords<'_>> {
    let bytes = text.as_bytes();
    let is_end = |at: usize| bytes.get(at).is_none_or(|b| *b == delimiter || matches!(b, b'\n' | b'\r'));
    let mut long = Vec::new();
    let (mut at, mut line) = (0, 1);
    let (mut start, mut row) = (0, 1);
    while at < bytes.len() {
        let opened = line;
        if bytes[at] == b'"' {
            loop {
                at += 1;
                match bytes.get(at) {
                    None => bail!(
                        DataInvalid,
                        "row {row}: expected the quotation mark on line {opened} to be closed, found the end of the file"
                    ),
                    Some(b'"') if bytes.get(at + 1) == Some(&b'"') => at += 1,
                    Some(b'"') => break,
                    Some(b'\n') => line += 1,
                    Some(_) => {}
                }
            }
            at += 1;
            if line > opened && !is_end(at) {
                bail!(
                    DataInvalid,
                    "row {row}: expected the quotation mark on line {opened} to be closed at the end of its field, \
                     found text after a mark on line {line}"
                );
            }
        }
        while !is_end(at) {
            at += 1;
        }
        if bytes.get(at) != Some(&delimiter) {
            if line > row {
                long.push((row, &text[start..at]));
            }
            // The end of the record, with the blank lines after it.
            while let Some(b'\n' | b'\r') = bytes.get(at) {
                line += usize::from(bytes[at] == b'\n');
                at += 1;
            }
            (start, row) = (at, line);
        } else {
            at += 1;
        }
    }
    Ok(long)
}

/// Removes rows from the table whose quotation marks enclose the end of one row and the start of another: each of their lines has
/// all fields of a row, with a single word as its label.
pub(crate) fn refuse_swallowed(
    table: &mut Table,
    text: &str,
    delimiter: u8,
    columns: &[String],
) -> Result<()> {
    let Rows::Classified(rows) = &mut table.rows else { return Ok(()) };
    if !has_quotes(text, delimiter) {
        return Ok(());
    }
    let label = table.columns.name("label");
    let Some(at) = columns.iter().position(|name| name == label) else { return Ok(()) };
    let is_row = |line: &str| {
        let fields: Vec<&str> = line.split(char::from(delimiter)).collect();
        let is_tight = fields.iter().all(|field| !field.starts_with(char::is_whitespace));
        let is_label = |label: &str| {
            let label = label.trim().trim_matches('"');
            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
        };
        fields.len() == columns.len() && is_tight && fields.get(at).is_some_and(|label| is_label(label))
    };
    for (row, record) in long_records(text, delimiter)? {
        let lines = record.lines().filter(|line| !line.trim().is_empty());
        if record.lines().count() > 1 && lines.clone().all(is_row) {
            rows.retain(|known| known.row != row);
            table.problems.push(Problem {
                row,
                message: format!(
                    "row {row}: expected one row between quotation marks, found {}: is a mark missing on line {row}?",
                    lines.count()
                ),
            });
        }
    }
    table.problems.sort_by_key(|problem| problem.row);
    Ok(())
}

/// A record with the names of its columns.
pub(crate) struct Line<'a> {
    pub(crate) columns: &'a [String],
    pub(crate) record: &'a StringRecord,
}

impl Record for Line<'_> {
    fn text(&self, column: &str, _: &str) -> Result<Option<String>> {
        let at = self.columns.iter().position(|name| name == column);
        Ok(at.and_then(|at| self.record.get(at)).map(str::to_owned))
    }

    fn conversation(&self, _: &Columns) -> Result<Conversation> {
        bail!(DataInvalid, "expected chat data as .jsonl, found a table")
    }
}

/// A callback that takes the column names, the row number and the record.
pub(crate) type Add<'a> = dyn FnMut(&[String], usize, &StringRecord) -> Result<()> + 'a;

/// Like [`Add`], for records that may have a different number of fields from the header.
type AddAny<'a> = dyn FnMut(&[String], usize, Result<&StringRecord>) -> Result<()> + 'a;

/// Records, each with its row number.
pub(crate) type Grid = Vec<(usize, StringRecord)>;

/// All records of a table; the first one may be a header.
///
/// # Errors
/// `data-invalid` if they are not text.
pub(crate) fn grid(name: &str, text: &str, delimiter: u8) -> Result<Grid> {
    let mut lines = Lines { text: text.as_bytes(), byte: 0, line: 1 };
    let numbered = |record: csv::Result<StringRecord>| {
        let record = record.map_err(|e| err!(DataInvalid, "{name}: expected rows of text, found: {e}"))?;
        Ok((lines.of(&record), record))
    };
    reader(text, delimiter).into_records().map(numbered).collect()
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(has_quotes(text, delimiter))
        .has_headers(false)
        // A row with a different number of fields is reported with its row number.
        .flexible(true)
        .from_reader(text.as_bytes())
}

/// Passes each record of a table to `add`, with the column names and the row number. The first record is the header unless
/// `columns` are given. Quotes are handled as in [`csv`] and [`tsv`].
pub(crate) fn each(
    name: &str,
    text: &str,
    delimiter: u8,
    columns: Option<&[&str]>,
    add: &mut Add<'_>,
) -> Result<()> {
    check_quotes(text, delimiter).map_err(|e| err!(DataInvalid, "{name}, {}", e.message()))?;
    walk(name, text, delimiter, columns, &mut |columns, row, record| {
        add(columns, row, record.map_err(|e| err!(DataInvalid, "{name}, row {row}{}", e.message()))?)
    })
    .map(drop)
}

/// Like [`each`], and returns the column names.
fn walk(
    name: &str,
    text: &str,
    delimiter: u8,
    columns: Option<&[&str]>,
    add: &mut AddAny<'_>,
) -> Result<Vec<String>> {
    let mut records = reader(text, delimiter).into_records();

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
            // A quotation mark that is never closed swallows the rest of the file.
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

/// Counts lines up to each record: the reader's own count lags behind at CRLF and at the blank lines that it skips.
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
