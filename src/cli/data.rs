//! Flags that describe the data and the prompt.

use std::path::Path;

use clap::Args;

use super::files;
use super::print::note;
use crate::error::{Result, bail, err};
use crate::text::dataset::{self, Wanted};
use crate::text::layout::Certainty;
use crate::text::rows::Dataset;
use crate::text::task::{self, Task};
use crate::train::{Classifier, Draw, ExampleEncoder, Examples, Header, Session, draw};

/// The prompt that texts are put into.
#[derive(Args, Clone, Debug)]
pub(super) struct PromptArgs {
    /// Task of the MeZO paper, by name. It sets the prompt, label words and default settings, and reads the published files. An unknown
    /// name lists all tasks
    #[arg(long, conflicts_with_all = ["template", "labels"])]
    pub task: Option<String>,
    /// Prompt for texts with labels, with {text}, {text_b} and, for masked models, [MASK]. A causal model's label word follows the prompt
    #[arg(long, requires = "labels")]
    pub template: Option<String>,
    /// Label words, separated by commas, or label=word pairs if the labels in the file differ from the words
    #[arg(long, value_delimiter = ',', requires = "template", allow_hyphen_values = true)]
    pub labels: Vec<String>,
}

/// How data files are read, the prompt that their rows are put into, and the rows that are drawn.
#[derive(Args, Clone, Debug)]
#[command(mut_arg("task", |task| task.conflicts_with_all(["format", "text_column", "label_column"])))]
pub(super) struct DataArgs {
    #[command(flatten)]
    pub prompt: PromptArgs,
    #[command(flatten)]
    pub columns: Wanted,
    #[command(flatten)]
    pub draw: Draw,
}

/// A data file that has already been read, or will be read once the model is known.
pub(super) enum DataFile {
    Read(Dataset),
    OfTask(&'static Task, String, Vec<u8>),
}

impl PromptArgs {
    /// The task named by the flag, if any.
    pub(super) fn task(&self) -> Result<Option<&'static Task>> {
        self.task.as_deref().map(task::find).transpose()
    }

    /// The encoder that turns rows into examples for a model, on which the trajectory with this header has been replayed. Without a
    /// prompt, the checkpoint's own classifier is used if it has one.
    pub(super) async fn encoder(&self, session: &Session, header: Option<&Header>) -> Result<ExampleEncoder> {
        if let Some(header) = header
            && let Some(classifier) = Classifier::of(header, session)?
        {
            self.refuse_for_readout()?;
            return Ok(ExampleEncoder::Readout(classifier));
        }
        let prompt = self.or_from(header);
        if prompt.task.is_none()
            && prompt.template.is_none()
            && let Some(classifier) = session.published_classifier().await?
        {
            return Ok(ExampleEncoder::Readout(classifier));
        }
        prompt.of_words(session)
    }

    /// The encoder of a run: the readout in the header of an interrupted run, or the encoder of the prompt.
    pub(super) fn encoder_of_run(
        &self,
        session: &Session,
        header: Option<&Header>,
    ) -> Result<ExampleEncoder> {
        let classifier = header.map(|header| Classifier::of(header, session)).transpose()?.flatten();
        classifier
            .map_or_else(|| self.of_words(session), |classifier| Ok(ExampleEncoder::Readout(classifier)))
    }

    /// The encoder of a prompt or, without a prompt, for language modeling.
    pub(super) fn of_words(&self, session: &Session) -> Result<ExampleEncoder> {
        match self.task()? {
            Some(task) => ExampleEncoder::of_task(session, task),
            None => ExampleEncoder::new(session, self.template.as_deref(), &self.labels),
        }
    }

    /// The template and the label words that a readout is fitted to; `None` if there is no template.
    ///
    /// # Errors
    /// `invalid-argument` for a task whose answers are not label words for this model.
    pub(super) fn words(&self, session: &Session) -> Result<Option<(String, Vec<String>)>> {
        let Some(template) = self.template(session)? else { return Ok(None) };
        match self.of_words(session)? {
            _ if self.task.is_none() => Ok(Some((template, self.labels.clone()))),
            ExampleEncoder::Classification { labels, .. } => Ok(Some((template, labels.words))),
            _ => bail!(
                InvalidArgument,
                "--task: expected a masked model for a readout on a task's label words; for a causal model, give --template and --labels"
            ),
        }
    }

    /// The flag that gives a prompt, if any.
    fn prompt_flag(&self) -> Option<&'static str> {
        let given = [("--task", self.task.is_some()), ("--template", self.template.is_some())];
        given.iter().find(|(_, given)| *given).map(|(flag, _)| *flag)
    }

    /// Rejects a prompt that is given together with a readout before the steps of another method.
    ///
    /// # Errors
    /// `invalid-argument` naming the flag.
    pub(super) fn refuse_for_steps(&self) -> Result<()> {
        match self.prompt_flag() {
            Some(flag) => bail!(
                InvalidArgument,
                "{flag} cannot be combined with --readout: {}",
                Classifier::WORDS_HAVE_NO_STEPS
            ),
            None => Ok(()),
        }
    }

    /// Rejects a prompt that is given together with a readout that has its own.
    ///
    /// # Errors
    /// `invalid-argument` naming the flag.
    pub(super) fn refuse_for_readout(&self) -> Result<()> {
        match self.prompt_flag() {
            Some(flag) => bail!(
                InvalidArgument,
                "{flag}: expected none, because the readout takes texts and labels unchanged from the data, or uses the template that it was fitted with"
            ),
            None => Ok(()),
        }
    }

    /// The template that labels are inserted into.
    pub(super) fn template(&self, session: &Session) -> Result<Option<String>> {
        match self.task()? {
            Some(task) => task.template(session.head()).map(|template| Some(template.to_owned())),
            None => Ok(self.template.clone()),
        }
    }

    /// The same flags, completed from the header of a trajectory.
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
}

impl DataArgs {
    /// The same flags, with the prompt completed from the header of a trajectory.
    pub(super) fn or_from(&self, header: Option<&Header>) -> DataArgs {
        DataArgs { prompt: self.prompt.or_from(header), ..self.clone() }
    }

    /// Opens a data file, and reads it if that does not require a model. `labeled` says that its rows have labels even if there is
    /// no template. Prints how its columns were interpreted.
    pub(super) fn open(&self, path: &Path, labeled: bool) -> Result<DataFile> {
        let (name, bytes) = (files::name(path), files::read(path)?);
        Ok(match self.prompt.task()? {
            Some(task) => DataFile::OfTask(task, name, bytes),
            None => {
                let wanted =
                    Wanted { labeled: labeled || self.prompt.template.is_some(), ..self.columns.clone() };
                let reading = dataset::inspect(&name, &bytes, &wanted)?;
                let asks = reading.layout.as_ref().is_some_and(|found| found.certainty == Certainty::Unsure);
                let (data, notes) = reading.whole().map_err(|error| match asks {
                    true => err!(DataInvalid, "{}, with --text-column and --label-column", error.message()),
                    false => error,
                })?;
                notes.iter().for_each(|note| note!("{name}: {note}"));
                DataFile::Read(data)
            }
        })
    }

    /// Rejects a seed without a draw.
    ///
    /// # Errors
    /// `invalid-argument` naming the flags.
    pub(super) fn check_draw(&self) -> Result<()> {
        let Draw { shots, hold_out, data_seed } = self.draw;
        if data_seed != 0 && shots == 0 && hold_out == 0 {
            bail!(
                InvalidArgument,
                "--data-seed: expected a draw of rows, found neither --shots nor --hold-out"
            );
        }
        Ok(())
    }

    /// The rows that are drawn, and the rows that are held out.
    pub(super) fn draw(&self, data: Dataset) -> Result<(Dataset, Option<Dataset>)> {
        draw(data, self.draw)
    }
}

/// Counts the held-out rows whose text is also in the training data, and says that they show little.
pub(super) fn note_shared(data: &Dataset, held_out: Option<&Dataset>) -> Option<usize> {
    let held_out = held_out?;
    let (count, rows) = (held_out.shared_with(data), held_out.len());
    if count > 0 {
        note!(
            "{}: {count} of {rows} held-out rows are also in the training data, so these figures say less about new texts",
            held_out.name
        );
    }
    Some(count)
}

/// Prints how many examples were truncated, and that a given maximum is more than the model's context of `length` tokens.
pub(super) fn note_truncation<'a>(
    given: Option<u32>,
    length: u32,
    examples: impl IntoIterator<Item = Option<&'a Examples>>,
) {
    if let Some(given) = given.filter(|given| *given > length) {
        note!("--max-length {given}: the model takes at most {length} tokens, which are used");
    }
    let truncations = examples.into_iter().flatten().filter_map(|examples| examples.truncation.as_deref());
    truncations.for_each(|sentence| note!("{sentence}"));
}

impl DataFile {
    /// Returns the rows, in the form that the model needs.
    pub(super) fn read(self, session: &Session) -> Result<Dataset> {
        match self {
            DataFile::Read(data) => Ok(data),
            DataFile::OfTask(task, name, bytes) => task.read(session.head(), &name, &bytes),
        }
    }
}
