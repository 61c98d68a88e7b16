//! Recognizes the format of a data file by its name, its first bytes or its text.

use serde::{Deserialize, Serialize};

use super::columns::Columns;
use super::json_rows;
use crate::error::{Result, bail};

/// How a file writes its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(clap::ValueEnum))]
pub enum Format {
    /// A table with commas, semicolons or tabs, and quotes as in RFC 4180
    Csv,
    /// A table with tabs
    Tsv,
    /// A JSON object on each line
    Jsonl,
    /// One JSON array of objects
    Json,
    /// Plain text
    #[serde(alias = "text")]
    #[cfg_attr(not(target_arch = "wasm32"), value(name = "text", alias = "txt"))]
    Txt,
}

/// The first bytes of files that are not text, the kind of file they indicate, and what to do with it.
const BINARY: [(&[u8], &str, &str); 14] = [
    (b"\x1f\x8b", "a file compressed with gzip", UNPACK),
    (b"BZh", "a file compressed with bzip2", UNPACK),
    (b"\xfd7zXZ\0", "a file compressed with xz", UNPACK),
    (b"\x28\xb5\x2f\xfd", "a file compressed with zstd", UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
    (b"PK\x03\x04", "a zip archive, such as Excel's .xlsx", "unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a file of an older version of Office", "save the sheet as CSV"),
    (b"PAR1", "a Parquet file", TABLE),
    (b"ARROW1", "an Arrow file", TABLE),
    (b"\xff\xff\xff\xff", "an Arrow stream", TABLE),
    (b"SQLite format 3\0", "a SQLite database", TABLE),
    (b"%PDF-", "a PDF document", "save its text as a .txt file"),
    (b"\xff\xfe\0\0", "text in UTF-32", "save it as UTF-8"),
    (b"\0\0\xfe\xff", "text in UTF-32", "save it as UTF-8"),
];
const UNPACK: &str = "unpack it first";
const TABLE: &str = "convert it to CSV or JSONL first, for instance with pandas";

/// Rejects the bytes of a file that is not text, and says what it is.
///
/// # Errors
/// `data-invalid` naming the kind of file and what to do with it.
pub(crate) fn refuse_binary(name: &str, bytes: &[u8]) -> Result<()> {
    if let Some((_, what, to_do)) = BINARY.iter().find(|(start, ..)| bytes.starts_with(start)) {
        bail!(DataInvalid, "{name}: expected CSV, TSV, JSONL or text, found {what}: {to_do}");
    }
    Ok(())
}

impl Format {
    /// The format that the file name's extension implies.
    pub(crate) fn named(name: &str) -> Option<Format> {
        let (_, ending) = name.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Some(Format::Csv),
            "tsv" => Some(Format::Tsv),
            "jsonl" | "jsonlines" | "ndjson" => Some(Format::Jsonl),
            "json" => Some(Format::Json),
            "txt" => Some(Format::Txt),
            _ => None,
        }
    }

    /// The format of a text whose name does not determine it. A table has columns with known names.
    pub(crate) fn by_look(text: &str) -> Format {
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

    /// The format of a text in a `.txt` file: JSON if its first row has known fields.
    pub(crate) fn of_text_file(text: &str) -> Format {
        match Format::by_look(text) {
            format @ (Format::Json | Format::Jsonl) if json_rows::is_known(text) => format,
            _ => Format::Txt,
        }
    }

    /// The name of the format in words.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Format::Csv => "CSV",
            Format::Tsv => "TSV",
            Format::Jsonl => "JSONL",
            Format::Json => "JSON",
            Format::Txt => "plain text",
        }
    }
}
