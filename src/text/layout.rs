//! Reads a file whose columns have no known names. The content of the rows shows what the columns are, or the user has chosen them.
//!
//! Nothing is guessed silently: a [`Layout`] describes what was found and how certain it is, and says so in a sentence. If it is
//! not certain, the user is asked.

use csv::StringRecord;
use serde::{Deserialize, Serialize};

use super::columns::{Columns, Table};
use super::delimited::{self, Grid, Line};
pub use super::guess::Certainty;
use super::guess::{self, Guess};
use super::rows::Rows;
use super::shape::{self, Division, Shape};
use super::sniff::Format;
use crate::error::{Result, bail, err};

/// Number of values of each column that a layout shows.
const SAMPLES: usize = 3;
/// Maximum characters of such a value.
const SAMPLE_CHARS: usize = 200;
/// Maximum number of labels listed in a sentence.
const LISTED: usize = 6;

/// What is known beforehand about a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(clap::Args))]
pub struct Wanted {
    /// Column with the texts, by its name or its number from 1, if the data file does not call it text
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    pub text_column: Option<String>,
    /// Column with the labels, by its name or its number from 1, if the data file does not call it label
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    pub label_column: Option<String>,
    /// Format of the data file. By default, the extension of its name determines it, or else its content
    #[cfg_attr(not(target_arch = "wasm32"), arg(long, value_enum))]
    pub format: Option<Format>,
    /// Whether the rows have labels. Then labels are also looked for in a file that could be plain text.
    #[cfg_attr(not(target_arch = "wasm32"), arg(skip))]
    pub labeled: bool,
    /// Whether only the texts are read, one from each row, because their labels will be chosen later.
    #[cfg_attr(not(target_arch = "wasm32"), arg(skip))]
    pub unlabeled: bool,
}

/// The columns of a file, with those that have the texts and the labels.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Layout {
    /// All columns.
    pub columns: Vec<Column>,
    /// Whether the first line has the names of the columns.
    pub header: bool,
    /// Where each line is divided, if its fields are not those of a table. The first column is before the mark.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divided: Option<Division>,
    /// The index of the column of the texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<usize>,
    /// The index of the column of the labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<usize>,
    /// How certain that is.
    pub certainty: Certainty,
    /// What was understood, in sentences.
    pub understood: String,
}

/// A column of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name, or `column 1` and so on where the file has no names.
    pub name: String,
    /// Whether the file itself has this name, in its first line or as a key.
    pub named: bool,
    /// The beginnings of its first values.
    pub samples: Vec<String>,
}

/// The rows of a file, with the columns that they were read from.
pub(crate) struct Found {
    pub(crate) layout: Layout,
    pub(crate) rows: FoundRows,
}

pub(crate) enum FoundRows {
    /// Rows with labels.
    Table(Table),
    /// Texts, because no column has the labels.
    Texts(Vec<String>),
}

impl Wanted {
    /// Whether the user has chosen a column.
    pub(crate) fn chooses(&self) -> bool {
        self.text_column.is_some() || self.label_column.is_some()
    }
}

/// Finds the rows of a text; `None` if it does not look like rows. `is_table` is the separator that the file's name implies.
pub(crate) fn find(name: &str, text: &str, is_table: Option<u8>, wanted: &Wanted) -> Result<Option<Found>> {
    let head = shape::head(text);
    let chosen: Vec<&str> =
        [&wanted.text_column, &wanted.label_column].into_iter().flatten().map(|name| name.trim()).collect();
    let mut best: Option<(u8, Shape)> = None;
    for shape in Shape::all(is_table) {
        let rank = shape.rank(name, head, &chosen, [is_table.is_some(), wanted.labeled]);
        if rank > best.map_or(0, |(rank, _)| rank) {
            best = Some((rank, shape));
        }
    }
    let only = || is_table.and_then(|separator| Shape::only_column(name, head, separator));
    let Some(shape) = best.map(|(_, shape)| shape).or_else(only) else { return Ok(None) };
    shape.check(text)?;
    let grid = shape.grid(name, text)?;
    let header = shape.has_header(&grid, &chosen);
    let (first, rows) = if header { (grid.first(), &grid[1..]) } else { (None, &grid[..]) };
    let names: Vec<String> = match (first, shape) {
        (Some((_, first)), _) => distinct(first),
        (None, Shape::Table(_)) => (1..=shape::width(&grid)).map(number_of).collect(),
        (None, _) => shape.sides(),
    };
    let first_line = if header { FirstLine::Names } else { FirstLine::Example };
    let places = places(&names, wanted, shape.label())?;
    let looked: Vec<&StringRecord> = rows.iter().take(1000).map(|(_, record)| record).collect();
    let guess = guess::columns(first.map(|(_, names)| names), &looked, places.0, places.1);
    // With only a few lines, labels need not repeat.
    let few = wanted.labeled && guess.label == shape.label() && shape.has_few_labels(&grid);
    let certainty = if few { Certainty::Likely } else { guess.certainty };
    let guess = decided(Guess { certainty, ..guess }, names.len(), wanted);
    let name = |at: Option<usize>| at.and_then(|at| names.get(at));
    let (Some(text), Some(label)) = (name(guess.text), name(guess.label)) else {
        let texts = guess.text.map_or_else(Vec::new, |at| texts(rows, at));
        let layout = describe(&names, first_line, &looked, guess, &[], Some(shape));
        return Ok(Some(Found { layout, rows: FoundRows::Texts(texts) }));
    };
    let all = || names.iter().map(String::as_str);
    let mut table = Table::new(Columns::chosen(text, label, all()), all());
    for (row, record) in rows {
        if record.len() == names.len() {
            table.add(*row, Ok(&Line { columns: &names, record }));
        } else {
            table.add(*row, Err(shape.missing(names.len(), record)));
        }
    }
    if let Shape::Table(mark) = shape {
        delimited::refuse_swallowed(&mut table, text, mark, &names)?;
    }
    let labels: Vec<&str> = match &table.rows {
        Rows::Classified(rows) => rows.iter().take(1000).map(|row| row.label.as_str()).collect(),
        _ => Vec::new(),
    };
    let layout = describe(&names, first_line, &looked, guess, &labels, Some(shape));
    Ok(Some(Found { layout, rows: FoundRows::Table(table) }))
}

/// The layout of JSON rows whose keys are not known. `names` has all keys. Also returns the columns, if they were found.
pub(crate) fn of_keys(names: &[String], grid: &Grid, wanted: &Wanted) -> Result<(Layout, Option<Columns>)> {
    let places = places(names, wanted, None)?;
    let looked: Vec<&StringRecord> = grid.iter().take(1000).map(|(_, record)| record).collect();
    let guess = guess::columns(Some(&names.iter().collect()), &looked, places.0, places.1);
    let guess = decided(guess, names.len(), wanted);
    let name = |at: Option<usize>| at.and_then(|at| names.get(at));
    let columns = name(guess.text)
        .zip(name(guess.label))
        .map(|(text, label)| Columns::chosen(text, label, names.iter().map(String::as_str)));
    let labels: Vec<&str> = guess.label.map_or_else(Vec::new, |at| guess::values(&looked, at).collect());
    Ok((describe(names, FirstLine::None, &looked, guess, &labels, None), columns))
}

/// The texts of a column.
pub(crate) fn texts(grid: &[(usize, StringRecord)], at: usize) -> Vec<String> {
    let texts = grid.iter().filter_map(|(_, record)| record.get(at)).map(str::trim);
    texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// The texts of a file without other columns, one per line.
pub(crate) fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The guess about the columns, adjusted to what is wanted. `columns` is their number.
fn decided(guess: Guess, columns: usize, wanted: &Wanted) -> Guess {
    let all = wanted.text_column.is_some() && wanted.label_column.is_some();
    let certainty = match guess.certainty {
        _ if all => Certainty::Chosen,
        // The only column must have the texts.
        _ if columns == 1 && !wanted.labeled => Certainty::Likely,
        // One of the two columns is known.
        Certainty::Unsure if wanted.label_column.is_some() => Certainty::Likely,
        certainty => certainty,
    };
    Guess { label: guess.label.filter(|_| !wanted.unlabeled), certainty, ..guess }
}

/// What the first line of a file is; `None` if rows have the names of their fields.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FirstLine {
    Names,
    Example,
    None,
}

fn describe(
    names: &[String],
    first_line: FirstLine,
    looked: &[&StringRecord],
    guess: Guess,
    labels: &[&str],
    shape: Option<Shape>,
) -> Layout {
    let sample = |value: &str| value.trim().chars().take(SAMPLE_CHARS).collect::<String>();
    let columns = names.iter().enumerate().map(|(at, name)| Column {
        name: name.clone(),
        named: first_line != FirstLine::Example && *name != number_of(at + 1),
        samples: guess::values(looked, at)
            .map(sample)
            .filter(|value| !value.is_empty())
            .take(SAMPLES)
            .collect(),
    });
    let title = |at: usize| {
        let name = names.get(at).map_or("", String::as_str);
        if first_line == FirstLine::Example { name.to_owned() } else { format!("the column {name:?}") }
    };
    // The sentence would be wrong if the user has swapped the columns.
    let sentence = shape
        .filter(|shape| shape.label().is_some() && shape.label() == guess.label)
        .and_then(Shape::sentence);
    let mut said = match (guess.text, guess.label, sentence) {
        (_, Some(_), Some(sentence)) => format!("{sentence}{}.", listed(labels)),
        (Some(text), Some(label), None) => {
            format!("The text is in {} and the label in {}{}.", title(text), title(label), listed(labels))
        }
        (Some(text), None, _) => {
            format!("The text is in {}. No column was recognized as the label.", title(text))
        }
        (None, ..) => "No column was recognized as the text.".to_owned(),
    };
    said += match first_line {
        FirstLine::Names => " The first line has the column names.",
        FirstLine::Example => " The first line is an example.",
        FirstLine::None => "",
    };
    Layout {
        columns: columns.collect(),
        header: first_line == FirstLine::Names,
        divided: shape.and_then(Shape::division),
        text: guess.text,
        label: guess.label,
        certainty: guess.certainty,
        understood: said,
    }
}

/// The distinct labels, in parentheses.
fn listed(labels: &[&str]) -> String {
    let mut different: Vec<&str> = Vec::new();
    for label in labels.iter().map(|label| label.trim()).filter(|label| !label.is_empty()) {
        if !different.contains(&label) {
            different.push(label);
        }
    }
    let mut listed: Vec<String> = different.iter().take(LISTED).map(|label| format!("{label:?}")).collect();
    if different.len() > LISTED {
        listed.push("…".to_owned());
    }
    let noun = if different.len() == 1 { "label" } else { "labels" };
    format!(" ({} {noun}: {})", different.len(), listed.join(", "))
}

/// The index of a column that was chosen.
fn place(names: &[String], field: &str, chosen: &Option<String>) -> Result<Option<usize>> {
    let Some(chosen) = chosen else { return Ok(None) };
    let by_name = names.iter().position(|name| name.eq_ignore_ascii_case(chosen.trim()));
    let by_number = || chosen.trim().parse::<usize>().ok()?.checked_sub(1).filter(|at| *at < names.len());
    by_name.or_else(by_number).map(Some).ok_or_else(|| {
        let (known, count) = (names.join("`, `"), names.len());
        err!(
            InvalidArgument,
            "{field} column: expected `{known}` or a number from 1 to {count}, found `{chosen}`"
        )
    })
}

/// The columns of the text and the label, as far as they were chosen or `label` is known.
fn places(names: &[String], wanted: &Wanted, label: Option<usize>) -> Result<(Option<usize>, Option<usize>)> {
    let text = place(names, "text", &wanted.text_column)?;
    let label = place(names, "label", &wanted.label_column)?.or_else(|| label.filter(|at| text != Some(*at)));
    match text.filter(|at| label == Some(*at)).and_then(|at| names.get(at)) {
        Some(both) => bail!(InvalidArgument, "text and label: expected two columns, found `{both}` for both"),
        None => Ok((text, label)),
    }
}

/// The name of a column without a name, from its number counted from 1.
fn number_of(at: usize) -> String {
    format!("column {at}")
}

/// The column names. A missing name is replaced by the column's number, and a repeated name is extended by it.
fn distinct(header: &StringRecord) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (at, name) in (1..).zip(header) {
        let taken = names.iter().any(|other| other.eq_ignore_ascii_case(name.trim()));
        names.push(match name.trim() {
            "" => number_of(at),
            name if taken => format!("{name} (column {at})"),
            name => name.to_owned(),
        });
    }
    names
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
