//! The labels of a data set's rows, as numbers.

use std::collections::BTreeMap;

use tokenizers::NormalizedString;

use crate::error::{Result, bail};

/// The maximum number of labels of a readout. More labels nearly always mean that the column is something else, such as row numbers.
pub const MAX_LABELS: usize = 1000;

/// The maximum length of a label in bytes. Longer values nearly always mean that the column has texts.
pub const MAX_LABEL_BYTES: usize = 500;

/// The distinct labels of a data set, and the label and the text of each row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labels {
    names: Vec<String>,
    of_rows: Vec<usize>,
    /// The number of each row's text. Rows with the same number are copies of one text.
    texts: Vec<usize>,
}

impl Labels {
    /// Numbers the labels of rows, sorted by their bytes, so that the order of the rows does not matter.
    ///
    /// # Errors
    /// `DataInvalid` if a label is empty or longer than [`MAX_LABEL_BYTES`], if two labels differ only in case, spaces or Unicode
    /// normalization, if all rows have the same label, if there are no rows, or if there are more than [`MAX_LABELS`] labels.
    pub fn of<S: AsRef<str>>(rows: &[S]) -> Result<Labels> {
        Labels::at(rows, |row| row + 1)
    }

    /// The same, but messages refer to row `i` by `number(i)`, such as its line in a file.
    ///
    /// # Errors
    /// The errors of [`Labels::of`].
    pub fn at<S: AsRef<str>>(rows: &[S], number: impl Fn(usize) -> usize) -> Result<Labels> {
        // The number of each label's first row.
        let mut first = BTreeMap::new();
        for (row, label) in rows.iter().enumerate() {
            let (row, label) = (number(row), label.as_ref());
            if label.trim().is_empty() {
                bail!(DataInvalid, "row {row}: the label is empty");
            }
            if label.len() > MAX_LABEL_BYTES {
                bail!(
                    DataInvalid,
                    "row {row}: the label has {} bytes; at most {MAX_LABEL_BYTES} are allowed. Is this the column of labels?",
                    label.len()
                );
            }
            first.entry(label).or_insert(row);
        }
        check_alike(&first)?;
        let names: Vec<String> = first.keys().map(|&name| name.to_owned()).collect();
        match names.as_slice() {
            [] => bail!(DataInvalid, "there are no rows to learn from"),
            [only] => bail!(
                DataInvalid,
                "every row has the label {only:?}; examples of at least two labels are needed"
            ),
            names if names.len() > MAX_LABELS => bail!(
                DataInvalid,
                "the {} rows have {} different labels; at most {MAX_LABELS} are allowed. Is this the column of labels?",
                rows.len(),
                names.len()
            ),
            _ => {}
        }
        let index: BTreeMap<&str, usize> = first.keys().enumerate().map(|(at, &name)| (name, at)).collect();
        let of_rows = rows.iter().map(|label| index[label.as_ref()]).collect();
        Ok(Labels { names, of_rows, texts: (0..rows.len()).collect() })
    }

    /// Takes the labels of rows as indices into `names`, if the names are known beforehand, for instance from label words.
    ///
    /// # Errors
    /// The errors of [`Labels::of`]; also `DataInvalid` if there are fewer rows than names, or a name has no row.
    pub fn named<S: AsRef<str>>(names: &[S], rows: &[S]) -> Result<Labels> {
        if rows.len() < names.len() {
            bail!(
                DataInvalid,
                "there are {} rows for {} labels; each label needs at least one row",
                rows.len(),
                names.len()
            );
        }
        let labels = Labels::of(rows)?;
        if let Some(name) = names.iter().find(|name| !labels.names.iter().any(|own| own == name.as_ref())) {
            bail!(DataInvalid, "no row has the label {:?}", name.as_ref());
        }
        let names: Vec<String> = names.iter().map(|name| name.as_ref().to_owned()).collect();
        let index: BTreeMap<&str, usize> =
            names.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let number = |row: &S| match index.get(row.as_ref()) {
            Some(&at) => Ok(at),
            None => bail!(
                DataInvalid,
                "a row has the label {:?}, which is not among the labels given",
                row.as_ref()
            ),
        };
        let of_rows = rows.iter().map(number).collect::<Result<Vec<usize>>>()?;
        Ok(Labels { names, of_rows, texts: labels.texts })
    }

    /// Takes the labels of rows as indices into `names`.
    ///
    /// # Errors
    /// `InvalidArgument` if an index is out of range.
    pub fn numbered(names: Vec<String>, of_rows: Vec<usize>) -> Result<Labels> {
        if let Some(beyond) = of_rows.iter().find(|label| **label >= names.len()) {
            bail!(InvalidArgument, "label {beyond}: expected one of {}", names.len());
        }
        let texts = (0..of_rows.len()).collect();
        Ok(Labels { names, of_rows, texts })
    }

    /// The labels of rows with these texts. Rows whose texts are equal are copies, and a cross-validation holds them out together.
    /// Otherwise a classifier would be measured on texts that it was fitted to.
    #[must_use]
    pub fn with_texts<T: Ord>(self, texts: impl Iterator<Item = T>) -> Labels {
        let mut first = BTreeMap::new();
        let texts = texts.enumerate().map(|(row, text)| *first.entry(text).or_insert(row)).collect();
        Labels { texts, ..self }
    }

    /// The labels of some rows, among the same names.
    pub fn select(&self, rows: &[usize]) -> Labels {
        let select = |of: &[usize]| rows.iter().map(|row| of[*row]).collect();
        Labels { names: self.names.clone(), of_rows: select(&self.of_rows), texts: select(&self.texts) }
    }

    /// The distinct labels, sorted by their bytes.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The label of each row, as an index into [`Labels::names`].
    pub fn of_rows(&self) -> &[usize] {
        &self.of_rows
    }

    /// The number of each row's text. Copies of a text have the same number.
    pub(super) fn texts(&self) -> &[usize] {
        &self.texts
    }
}

/// The index of a label among names: an exact match, or else one that differs only in case, spaces or Unicode normalization.
pub fn position(names: &[String], label: &str) -> Option<usize> {
    let exact = names.iter().position(|name| name == label);
    exact.or_else(|| names.iter().position(|name| plain(name) == plain(label)))
}

/// A label or text in lower case, with single spaces and composed letters. Those that people consider the same become equal.
pub(crate) fn plain(label: &str) -> String {
    lower(composed(label).get())
}

/// A label with composed letters (Unicode's NFC). Some systems write "ö" as "o" with a combining mark.
fn composed(label: &str) -> NormalizedString {
    let mut composed = NormalizedString::from(label);
    composed.nfc();
    composed
}

/// A label in lower case and with single spaces.
fn lower(label: &str) -> String {
    label.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// Rejects labels that a person would consider the same: those that differ only in case, spaces or Unicode normalization.
fn check_alike(first: &BTreeMap<&str, usize>) -> Result<()> {
    let mut seen: BTreeMap<String, (&str, usize)> = BTreeMap::new();
    for (&label, &row) in first {
        if let Some((other, other_row)) = seen.insert(plain(label), (label, row)) {
            let how = match lower(other) == lower(label) {
                true => "in case or spaces",
                false => "in their Unicode normalization (composed or decomposed letters)",
            };
            bail!(
                DataInvalid,
                "the labels {other:?} (row {other_row}) and {label:?} (row {row}) differ only {how}; spell them the same way"
            );
        }
    }
    Ok(())
}
