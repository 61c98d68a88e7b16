//! The parts of a task.

use super::record::{Layout, Record};
use crate::error::Result;
use crate::text::metrics::Normalise;

/// A task; all of them are in [`super::known`].
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// The name; [`super::find`] ignores its case and hyphens.
    pub name: &'static str,
    /// For masked models: a template over `{text}`, `{text_b}` and `[MASK]`.
    pub(super) masked: Option<Prompt>,
    /// For causal models: a template over the fields.
    pub(super) causal: Option<Prompt>,
    pub(super) fields: &'static [Field],
    pub(super) answers: Answers,
    pub(super) layout: Layout,
}

/// A field of the prompt: its name, and the paths at which files have it, tried in this order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) paths: &'static [&'static str],
}

/// A template, and the edits that a field's trimmed text gets before it is inserted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Prompt {
    pub(super) template: &'static str,
    pub(super) edits: &'static [Edit],
}

/// A field's name, and the function that edits its text.
pub(super) type Edit = (&'static str, fn(&str) -> String);

/// A label's word, and the names that files use for the label beside the word and its index.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word {
    pub(super) word: &'static str,
    pub(super) names: &'static [&'static str],
}

/// Candidates, and the indices of the right ones.
pub(super) type Choices = (Vec<String>, Vec<usize>);

#[derive(Clone, Copy, Debug)]
pub(super) enum Answers {
    /// The same words for all rows. A row whose label is one of `skipped` has none, and is left out.
    Words { label: &'static [&'static str], words: &'static [Word], skipped: &'static [&'static str] },
    /// Each row has its own candidates.
    Choices(fn(&Record<'_>) -> Result<Choices>),
    /// Text; any of these answers is right.
    Text(fn(&Record<'_>) -> Result<Vec<String>>, Normalise),
}
