//! Guesses which column of a table has the texts and which one the labels, and whether the first row has the column names.

use std::collections::BTreeSet;

use csv::StringRecord;
use serde::Serialize;

use super::columns::{is_label, is_text};

/// Maximum characters and words of a label; longer values are texts.
const LABEL_CHARS: usize = 40;
const LABEL_WORDS: usize = 5;
/// Maximum number of distinct values in a column that is guessed to have the labels.
const LABELS: usize = 50;
/// With at most this many rows, labels need not repeat, but they have stricter limits on characters and words.
const FEW_ROWS: usize = 12;
const FEW_CHARS: usize = 20;
const FEW_WORDS: usize = 2;
/// Maximum characters and words of a name in the first row that is not one of the known names.
const NAME_CHARS: usize = 30;
const NAME_WORDS: usize = 3;

/// How certain the guess about the columns is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// The user has chosen the columns.
    Chosen,
    /// One column looks like labels, and another one like texts.
    Likely,
    /// Several columns could be the labels, or none could.
    Unsure,
}

/// The columns of the texts and the labels, as far as they can be recognized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guess {
    pub(crate) text: Option<usize>,
    pub(crate) label: Option<usize>,
    pub(crate) certainty: Certainty,
}

/// Guesses the columns of rows that follow a header with `names`. If one of the two columns is known, only the other one is guessed.
pub(crate) fn columns(
    names: Option<&StringRecord>,
    rows: &[&StringRecord],
    text: Option<usize>,
    label: Option<usize>,
) -> Guess {
    let width = rows.iter().copied().chain(names).map(StringRecord::len).max().unwrap_or(0);
    let known = |is: fn(&str) -> bool| {
        names
            .into_iter()
            .flat_map(|names| names.iter().enumerate())
            .find(|(_, name)| is(name))
            .map(|(at, _)| at)
    };
    let named_text = known(is_text).filter(|at| label != Some(*at));
    let named_label = known(is_label).filter(|at| text != Some(*at));
    let text = text.or(named_text).or_else(|| {
        let others = (0..width).filter(|at| label != Some(*at) && named_label != Some(*at));
        others.rev().max_by(|a, b| mean_chars(rows, *a).total_cmp(&mean_chars(rows, *b)))
    });
    if let Some(at) = label {
        let certainty = match Likeness::of(values(rows, at)) {
            Likeness::Strong => Certainty::Likely,
            Likeness::Weak | Likeness::None => Certainty::Unsure,
        };
        return Guess { text, label, certainty };
    }
    let likeness: Vec<Likeness> = (0..width)
        .map(|at| if text == Some(at) { Likeness::None } else { Likeness::of(values(rows, at)) })
        .collect();
    let best = likeness.iter().copied().max().unwrap_or(Likeness::None);
    let candidates: Vec<usize> =
        (0..width).filter(|at| best > Likeness::None && likeness[*at] == best).collect();
    let named = named_label.filter(|at| Some(*at) != text);
    let label = named.or_else(|| candidates.last().copied());
    // Texts that repeat as often as labels may be labels.
    let doubtful = text.is_some_and(|text| {
        named_text.is_none() && label.is_some_and(|label| distinct(rows, text) <= distinct(rows, label))
    });
    let sure = match named {
        Some(named) => likeness[named] > Likeness::None,
        None => best == Likeness::Strong && candidates.len() == 1,
    };
    let certainty = if sure && !doubtful { Certainty::Likely } else { Certainty::Unsure };
    Guess { text, label, certainty }
}

/// The characters that end a sentence.
const SENTENCE_ENDS: [char; 7] = ['.', '!', '?', '…', '。', '！', '？'];

/// Whether the first row has the names of the columns.
pub(crate) fn is_header(first: &StringRecord, rest: &[&StringRecord]) -> bool {
    let is_short = |cell: &str| {
        let cell = cell.trim();
        cell.chars().count() <= NAME_CHARS && cell.split_whitespace().count() <= NAME_WORDS
    };
    if !first.iter().all(is_short) {
        return false;
    }
    if first.iter().any(|cell| is_text(cell) || is_label(cell)) {
        return true;
    }
    if first.iter().any(|cell| cell.trim().is_empty() || cell.trim().parse::<f64>().is_ok()) {
        return false;
    }
    let guess = columns(None, rest, None, None);
    let cell = |at: usize| first.get(at).map_or_else(String::new, folded);
    let text_is_long =
        guess.text.is_some_and(|text| mean_chars(rest, text) > 1.5 * cell(text).chars().count() as f64);
    match guess.label {
        Some(label) => {
            let is_new = !values(rest, label).any(|value| folded(value) == cell(label));
            is_new && text_is_long && Likeness::of(values(rest, label)) == Likeness::Strong
        }
        // Without labels, a short first text looks like a name, unless it ends like a sentence.
        None => text_is_long && !guess.text.is_some_and(|text| cell(text).ends_with(SENTENCE_ENDS)),
    }
}

/// How much the values of a column look like labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Likeness {
    None,
    /// The values are short, and some of them repeat.
    Weak,
    /// The values are short, and each occurs at least twice on average.
    Strong,
}

impl Likeness {
    pub(crate) fn of<'a>(values: impl Iterator<Item = &'a str>) -> Likeness {
        let (mut rows, mut filled) = (0_usize, 0_usize);
        let mut different = BTreeSet::new();
        for value in values {
            rows += 1;
            let value = folded(value);
            if value.is_empty() {
                continue;
            }
            if value.chars().count() > LABEL_CHARS || value.split_whitespace().count() > LABEL_WORDS {
                return Likeness::None;
            }
            filled += 1;
            different.insert(value);
        }
        let different = different.len();
        match () {
            () if filled * 5 < rows * 4 || !(2..=LABELS).contains(&different) => Likeness::None,
            () if different * 2 <= filled => Likeness::Strong,
            () if different < filled => Likeness::Weak,
            () => Likeness::None,
        }
    }
}

/// Whether these are the labels of a few lines, which need not repeat: short words that are not numbers, such as the hours before
/// the colon in a time.
pub(crate) fn are_few_labels<'a>(values: impl Iterator<Item = &'a str>) -> bool {
    let labels: Vec<String> = values.map(folded).collect();
    let is_label = |label: &String| {
        !label.is_empty()
            && label.chars().count() <= FEW_CHARS
            && label.split_whitespace().count() <= FEW_WORDS
            && label.parse::<f64>().is_err()
    };
    let different: BTreeSet<&String> = labels.iter().collect();
    labels.len() <= FEW_ROWS && different.len() >= 2 && labels.iter().all(is_label)
}

/// The values of a column.
pub(crate) fn values<'a>(rows: &'a [&StringRecord], at: usize) -> impl Iterator<Item = &'a str> {
    rows.iter().map(move |row| row.get(at).unwrap_or_default())
}

fn distinct(rows: &[&StringRecord], at: usize) -> usize {
    values(rows, at).map(folded).collect::<BTreeSet<_>>().len()
}

fn mean_chars(rows: &[&StringRecord], at: usize) -> f64 {
    let all: usize = values(rows, at).map(|value| value.trim().chars().count()).sum();
    all as f64 / rows.len().max(1) as f64
}

fn folded(value: &str) -> String {
    value.trim().to_lowercase()
}
