//! Flags that say what the data are and how they are put to the model.

use std::path::Path;

use clap::Args;

use super::files;
use crate::error::Result;
use crate::text::dataset;
use crate::text::rows::Dataset;
use crate::text::task::{self, Task};
use crate::train::{Draw, Objective, Session, draw};
use crate::zo::trajectory::Header;

/// How examples are put to the model.
#[derive(Args, Clone, Debug)]
pub(super) struct PromptArgs {
    /// Task of the MeZO paper, by name: its prompt, its label words, its default settings, and its files as published; an unknown name
    /// lists them
    #[arg(long, conflicts_with_all = ["template", "labels"])]
    pub task: Option<String>,
    /// Prompt for text with labels: {text}, {text_b} and, for masked models, [MASK]; a causal model's label word follows it
    #[arg(long, requires = "labels")]
    pub template: Option<String>,
    /// Label words, separated by commas; or label=word pairs where the file's labels are other than the words
    #[arg(long, value_delimiter = ',', requires = "template")]
    pub labels: Vec<String>,
    /// Rows of each class that are drawn from the file; of all, where rows have no class; 0: every row
    #[arg(long, default_value_t = 0)]
    pub shots: u32,
    /// Rows that are held out for evaluation, of those not drawn; `evaluate` takes these
    #[arg(long, default_value_t = 0)]
    pub hold_out: u32,
    /// Seed of what is drawn
    #[arg(long, default_value_t = 0)]
    pub data_seed: u64,
}

/// A data file: read, or waiting to be read for a model.
pub(super) enum DataFile {
    Read(Dataset),
    OfTask(&'static Task, String, Vec<u8>),
}

impl PromptArgs {
    /// The task that is named, if one is.
    pub(super) fn task(&self) -> Result<Option<&'static Task>> {
        self.task.as_deref().map(task::find).transpose()
    }

    /// The objective for a model.
    pub(super) fn objective(&self, session: &Session) -> Result<Objective> {
        match self.task()? {
            Some(task) => Objective::of_task(session, task),
            None => Objective::new(session, self.template.as_deref(), &self.labels),
        }
    }

    /// The template that labels are put into.
    pub(super) fn template(&self, session: &Session) -> Result<Option<String>> {
        match self.task()? {
            Some(task) => task.template(session.head()).map(|template| Some(template.to_owned())),
            None => Ok(self.template.clone()),
        }
    }

    /// The same, where a trajectory says what these flags do not.
    pub(super) fn or_from(&self, header: Option<&Header>) -> PromptArgs {
        match (self.template.is_none() && self.task.is_none(), header) {
            (true, Some(header)) if header.task.is_some() => {
                PromptArgs { task: header.task.clone(), ..self.clone() }
            }
            (true, Some(header)) => PromptArgs {
                template: header.template.clone(),
                labels: header.labels.clone(),
                ..self.clone()
            },
            _ => self.clone(),
        }
    }

    /// Opens a data file, and reads it where that takes no model.
    pub(super) fn open(&self, path: &Path) -> Result<DataFile> {
        let (name, bytes) = (files::name(path), files::read(path)?);
        Ok(match self.task()? {
            Some(task) => DataFile::OfTask(task, name, bytes),
            None => DataFile::Read(dataset::read(&name, &bytes)?),
        })
    }

    /// The rows that are drawn, and those held out.
    pub(super) fn draw(&self, data: Dataset) -> Result<(Dataset, Option<Dataset>)> {
        draw(data, Draw { shots: self.shots, hold_out: self.hold_out, seed: self.data_seed })
    }
}

impl DataFile {
    /// The rows, for a model.
    pub(super) fn read(self, session: &Session) -> Result<Dataset> {
        match self {
            DataFile::Read(data) => Ok(data),
            DataFile::OfTask(task, name, bytes) => task.read(session.head(), &name, &bytes),
        }
    }
}
