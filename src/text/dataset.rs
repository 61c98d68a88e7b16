//! Reads a training or evaluation file into rows.
//!
//! CSV and TSV need a header; JSONL (or one JSON array) the same names as keys: `text` (and `text_b`) with
//! `label`, or `prompt` with `completion`; JSONL may also have `messages`, chat data. Any other file is plain text. The files that
//! data sets are published in are read by [`crate::text::task`].

use crate::error::{Result, bail};
use crate::text::decode::decode;
use crate::text::rows::{Dataset, Rows};
use crate::text::{delimited, json_rows};

/// Reads a file's bytes; the ending of `name` says how: `.csv`, `.tsv`, `.jsonl`, `.ndjson`, `.json`, else plain text.
///
/// # Errors
/// `data-invalid` naming the file, and the row and field where one is at fault, what was expected and what was
/// found: bytes that are not UTF-8, no rows, a missing column or key, a value of the wrong type.
pub fn read(name: &str, bytes: &[u8]) -> Result<Dataset> {
    let text = decode(bytes).map_err(|e| e.at(name))?;
    if text.trim().is_empty() {
        bail!(DataInvalid, "{name}: expected rows or text, found an empty file");
    }
    let ending = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    let rows = match ending.as_str() {
        "csv" => delimited::csv(name, text)?,
        "tsv" => delimited::tsv(name, text)?,
        "jsonl" | "ndjson" => json_rows::lines(name, text)?,
        "json" => json_rows::json(name, text)?,
        _ => Rows::Plain(vec![text.to_string()]),
    };
    let dataset = Dataset { name: name.to_string(), rows, task: None };
    if dataset.is_empty() {
        bail!(DataInvalid, "{name}: expected at least one row, found none");
    }
    Ok(dataset)
}

#[cfg(test)]
#[path = "dataset_tests.rs"]
mod tests;
