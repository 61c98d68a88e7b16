//! Flags that say what the data are and how they are put to the model.

use std::path::Path;

use clap::Args;

use super::open;
use crate::error::Result;
use crate::text::dataset::{self, Dataset};
use crate::train::{Objective, Session};

/// How examples are put to the model.
#[derive(Args, Clone, Debug)]
pub(super) struct PromptArgs {
    /// Prompt for text with labels: {text}, {text_b} and, for masked models, [MASK]; a causal model's label word follows it
    #[arg(long, requires = "labels")]
    pub template: Option<String>,
    /// Label words, separated by commas; or label=word pairs where the file's labels are other than the words
    #[arg(long, value_delimiter = ',', requires = "template")]
    pub labels: Vec<String>,
}

impl PromptArgs {
    /// The objective for a model.
    pub(super) fn objective(&self, session: &Session) -> Result<Objective> {
        Objective::new(session, self.template.as_deref(), &self.labels)
    }

    /// The same, where a trajectory says what these flags do not.
    pub(super) fn or_from(&self, header: Option<&crate::zo::trajectory::Header>) -> PromptArgs {
        match (self.template.is_none(), header) {
            (true, Some(header)) => {
                PromptArgs { template: header.template.clone(), labels: header.labels.clone() }
            }
            _ => self.clone(),
        }
    }
}

/// Reads a data file.
pub(super) fn dataset(path: &Path) -> Result<Dataset> {
    dataset::read(&open::name(path), &open::read(path)?)
}
