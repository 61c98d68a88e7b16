//! The types that describe a task.

use super::record::{Layout, Record};
use crate::error::Result;
use crate::text::metrics::Normalize;

/// A task. All tasks are in [`super::known`].
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// The name of the task. [`super::find`] ignores case and hyphens.
    pub name: &'static str,
    /// The prompt for masked models, a template with `{text}`, `{text_b}` and `[MASK]`.
    pub(super) masked: Option<Prompt>,
    /// The prompt for causal models, a template with the fields.
    pub(super) causal: Option<Prompt>,
    pub(super) fields: &'static [Field],
    pub(super) answers: Answers,
    pub(super) layout: Layout,
}

/// A field of the prompt: its name, and its possible paths in the files, in order of lookup.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) paths: &'static [&'static str],
}

/// A template, and functions that edit the trimmed texts of fields before they are inserted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prompt {
    pub(super) template: &'static str,
    pub(super) edits: &'static [Edit],
}

/// A field's name, and the function that edits its text.
pub(super) type Edit = (&'static str, fn(&str) -> String);

/// The word for a label, and the names that files use for the label besides the word and its index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub(super) word: &'static str,
    pub(super) names: &'static [&'static str],
}

/// Candidates, and the indices of the correct ones.
pub(super) type Choices = (Vec<String>, Vec<usize>);

#[derive(Clone, Copy, Debug)]
pub(super) enum Answers {
    /// All rows have the same label words. Rows whose label is one of `skipped` are left out.
    Words { label: &'static [&'static str], words: &'static [Word], skipped: &'static [&'static str] },
    /// Each row has its own candidates.
    Choices(fn(&Record<'_>) -> Result<Choices>),
    /// The answer is text, and any of these answers is correct.
    Text(fn(&Record<'_>) -> Result<Vec<String>>, Normalize),
}
