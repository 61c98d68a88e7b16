//! How the lines of a file are divided into fields: a table, or a label and a text separated by a mark.

use csv::StringRecord;
use serde::Serialize;

use super::delimited::{self, Grid};
use super::guess::{self, Certainty, Likeness};
use crate::error::{Error, Result, err};

/// Number of bytes at the start of a file that are examined to recognize its shape.
const LOOKED_AT: usize = 128 * 1024;
/// Maximum columns of a table.
const COLUMNS: usize = 100;

/// Minimum number of lines of which one may be divided differently from the others.
const FEW_LINES: usize = 6;

/// How the lines of a file are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A table with this separator.
    Table(u8),
    /// A label, then this character, then a text that may also contain the character.
    Before(char),
    /// A text that may also contain this character, then the character, then a label.
    After(char),
}

/// The mark at which each line is divided into two fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Division {
    /// Which of the marks in a line divides it.
    pub at: Occurrence,
    /// The mark.
    pub mark: char,
}

/// Which of several marks in a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Occurrence {
    /// The first one: the text after it may contain more of them.
    First,
    /// The last one: the text before it may contain more of them.
    Last,
}

impl Shape {
    /// The shapes that a file may have, the preferred one first. `is_table` is the separator that its name implies.
    pub(crate) fn all(is_table: Option<u8>) -> Vec<Shape> {
        let tables = [b'\t', b',', b';', b'|']
            .into_iter()
            .filter(|mark| is_table.is_none_or(|told| told != b'\t' || *mark == told));
        let marks = [':', '：', ',', ';', '\t']
            .into_iter()
            .filter(|mark| is_table.is_none() || ![':', '：'].contains(mark));
        let splits = marks.flat_map(|mark| [Shape::Before(mark), Shape::After(mark)]);
        let is_usual = |shape: &Shape| !matches!(shape, Shape::After(':' | '：'));
        tables.map(Shape::Table).chain(splits.filter(is_usual)).collect()
    }

    /// The shape of a file with one column, if its name implies the `separator` of a table; `None` if its records have several fields.
    pub(crate) fn only_column(name: &str, head: &str, separator: u8) -> Option<Shape> {
        let separator = if separator == b'\t' { separator } else { delimited::separator(head) };
        let shape = Shape::Table(separator);
        let grid = shape.grid(name, head).ok()?;
        grid.iter().all(|(_, record)| record.len() == 1).then_some(shape)
    }

    /// The records of a text.
    pub(crate) fn grid(self, name: &str, text: &str) -> Result<Grid> {
        let split = |parts: Option<(&str, &str)>, line: &str| match parts {
            Some((before, after)) => StringRecord::from(vec![before.trim(), after.trim()]),
            None => StringRecord::from(vec![line.trim()]),
        };
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        Ok(match self {
            Shape::Table(mark) => delimited::grid(name, text, mark)?,
            Shape::Before(mark) => {
                lines.map(|(at, line)| (at + 1, split(line.split_once(mark), line))).collect()
            }
            Shape::After(mark) => {
                lines.map(|(at, line)| (at + 1, split(line.rsplit_once(mark), line))).collect()
            }
        })
    }

    /// Checks the quotation marks of a whole text.
    ///
    /// # Errors
    /// The errors of [`delimited::check_quotes`].
    pub(crate) fn check(self, text: &str) -> Result<()> {
        match self {
            Shape::Table(mark) => delimited::check_quotes(text, mark),
            Shape::Before(_) | Shape::After(_) => Ok(()),
        }
    }

    /// How well the beginning of a file fits the shape; 0 if it does not. `named_table` says that the file's name or the user calls it
    /// a table, and `labeled` that it is known to have labels.
    pub(crate) fn rank(
        self,
        name: &str,
        head: &str,
        chosen: &[&str],
        [named_table, labeled]: [bool; 2],
    ) -> u8 {
        let has_columns = named_table || !chosen.is_empty();
        let Ok(grid) = self.grid(name, head) else { return 0 };
        let width = width(&grid);
        let fitting = grid.iter().filter(|(_, record)| record.len() == width).count();
        let tenths = if has_columns { 4 } else { 1 };
        // Of a few lines, one may be different.
        let misfits = (grid.len() * tenths / 10).max(usize::from(grid.len() >= FEW_LINES));
        if !(2..COLUMNS).contains(&width) || grid.len() - fitting > misfits {
            return 0;
        }
        let is_table = matches!(self, Shape::Table(_));
        let header = self.has_header(&grid, chosen);
        let rows: Vec<&StringRecord> =
            grid.iter().skip(usize::from(header)).map(|(_, record)| record).collect();
        let label = self.label();
        let guess =
            guess::columns(grid.first().filter(|_| header).map(|(_, first)| first), &rows, None, label);
        let likeness = guess.label.map_or(Likeness::None, |at| Likeness::of(guess::values(&rows, at)));
        let likely = match label {
            Some(_) => likeness == Likeness::Strong,
            None => guess.certainty == Certainty::Likely,
        };
        // A table in which several columns could be the labels is not divided at one of its marks: the user chooses the columns.
        let is_table_of_many =
            width > 2 && (header || ((named_table || self.is_quoted(head, &grid)) && is_tight(&grid)));
        if is_table
            && fitting == grid.len()
            && (has_columns || labeled || likeness == Likeness::Strong)
            && (is_table_of_many || Shape::has_name(&grid, chosen))
        {
            return 4;
        }
        // The columns that were chosen must exist.
        if !is_table && !chosen.iter().all(|column| self.has_column(column)) {
            return 1;
        }
        match () {
            () if likely && fitting == grid.len() => 4,
            () if likely || (labeled && self.has_few_labels(&grid)) => 3,
            () if has_columns && is_table => 2,
            // Text that might be rows is treated as plain text, unless the caller looks for rows.
            () if labeled && likeness > Likeness::None => 2,
            () if labeled && self == Shape::Table(b'\t') => 1,
            () => 0,
        }
    }

    /// Whether the first record has the column names, which is the case if it contains one of the `chosen` columns.
    pub(crate) fn has_header(self, grid: &Grid, chosen: &[&str]) -> bool {
        let rest: Vec<&StringRecord> = grid.iter().skip(1).take(1000).map(|(_, record)| record).collect();
        let Some((_, first)) = grid.first().filter(|_| !rest.is_empty()) else { return false };
        matches!(self, Shape::Table(_)) && (Shape::has_name(grid, chosen) || guess::is_header(first, &rest))
    }

    /// Whether the first record contains the name of a `chosen` column.
    fn has_name(grid: &Grid, chosen: &[&str]) -> bool {
        let by_name = chosen.iter().filter(|name| name.parse::<usize>().is_err());
        let is_chosen = |cell: &str| by_name.clone().any(|name| name.eq_ignore_ascii_case(cell.trim()));
        grid.first().is_some_and(|(_, first)| first.iter().any(is_chosen))
    }

    /// Whether quotation marks protect a separator or a line end in a field, or enclose every line.
    fn is_quoted(self, text: &str, grid: &Grid) -> bool {
        let Shape::Table(mark) = self else { return false };
        let is_enclosed = |line: &str| line.len() > 1 && line.starts_with('"') && line.ends_with('"');
        let is_protected = |cell: &str| cell.contains([char::from(mark), '\n']);
        grid.iter().any(|(_, record)| record.iter().any(is_protected))
            || text.lines().map(str::trim).filter(|line| !line.is_empty()).all(is_enclosed)
    }

    /// The names of the two parts of a line; empty for a table.
    pub(crate) fn sides(self) -> Vec<String> {
        match self {
            Shape::Table(_) => Vec::new(),
            Shape::Before(mark) | Shape::After(mark) => {
                ["before", "after"].map(|side| format!("{side} the {}", mark_name(mark))).to_vec()
            }
        }
    }

    /// Whether a line has a part of this name or number.
    fn has_column(self, chosen: &str) -> bool {
        chosen.parse::<usize>().is_ok_and(|number| number <= 2)
            || self.sides().iter().any(|side| side.eq_ignore_ascii_case(chosen))
    }

    /// The index of the label's field, if the shape determines it.
    pub(crate) fn label(self) -> Option<usize> {
        match self {
            Shape::Table(_) => None,
            Shape::Before(_) => Some(0),
            Shape::After(_) => Some(1),
        }
    }

    /// The error for a line that lacks some fields.
    pub(crate) fn missing(self, fields: usize, record: &StringRecord) -> Error {
        match self {
            Shape::Table(_) => err!(DataInvalid, ": expected {fields} fields, found {}", record.len()),
            Shape::Before(mark) => {
                err!(DataInvalid, ": expected a label before a {}, found none", mark_name(mark))
            }
            Shape::After(mark) => {
                err!(DataInvalid, ": expected a label after a {}, found none", mark_name(mark))
            }
        }
    }

    /// How a line is divided, if its fields are not those of a table.
    pub(crate) fn division(self) -> Option<Division> {
        match self {
            Shape::Table(_) => None,
            Shape::Before(mark) => Some(Division { at: Occurrence::First, mark }),
            Shape::After(mark) => Some(Division { at: Occurrence::Last, mark }),
        }
    }

    /// Whether every record has a short label before a colon, and there are so few records that labels need not repeat.
    pub(crate) fn has_few_labels(self, grid: &Grid) -> bool {
        let labels = || grid.iter().map(|(_, record)| record.get(0).unwrap_or_default());
        matches!(self, Shape::Before(':' | '：'))
            && grid.iter().all(|(_, record)| record.len() == 2)
            && guess::are_few_labels(labels())
    }

    /// Says where the text and the label are, if they are not in columns.
    pub(crate) fn sentence(self) -> Option<String> {
        match self {
            Shape::Table(_) => None,
            Shape::Before(mark) => {
                Some(format!("The label precedes the first {} of each line", mark_name(mark)))
            }
            Shape::After(mark) => {
                Some(format!("The label follows the last {} of each line", mark_name(mark)))
            }
        }
    }
}

/// Whether no field begins with white space, unlike what follows a comma in a sentence.
fn is_tight(grid: &Grid) -> bool {
    grid.iter().all(|(_, record)| record.iter().all(|cell| !cell.starts_with(char::is_whitespace)))
}

/// A separator in words.
pub(crate) fn mark_name(mark: char) -> String {
    match mark {
        ':' | '：' => "colon".to_owned(),
        ',' => "comma".to_owned(),
        ';' => "semicolon".to_owned(),
        '\t' => "tab".to_owned(),
        other => format!("{other:?}"),
    }
}

/// The beginning of a text, to the end of a line.
pub(crate) fn head(text: &str) -> &str {
    if text.len() <= LOOKED_AT {
        return text;
    }
    let end = text.as_bytes()[..LOOKED_AT].iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    text.get(..end).filter(|head| !head.is_empty()).unwrap_or(text)
}

/// The number of fields that most records have.
pub(crate) fn width(grid: &Grid) -> usize {
    let mut counts = [0_usize; COLUMNS + 1];
    grid.iter().for_each(|(_, record)| counts[record.len().min(COLUMNS)] += 1);
    (0..=COLUMNS).rev().max_by_key(|width| counts[*width]).unwrap_or(0)
}
