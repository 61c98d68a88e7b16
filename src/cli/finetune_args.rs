//! The flags of `pocketllm finetune`, and the checks that need neither data nor a model.

use std::path::PathBuf;

use super::data::DataArgs;
use super::dtype::DtypeArgs;
use super::memory::LimitArgs;
use super::model::ModelPath;
use super::out_dir::{OutDir, RESULTS};
use super::output;
use super::run_dir::{self, RunDir};
use crate::error::{Result, bail};
use crate::train::{Method, Options, Session, Trajectory};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) model: ModelPath,
    /// Training data: .csv, .tsv or .jsonl with text and label, prompt and completion, or (.jsonl) messages; plain text; or the files of a task
    #[arg(long)]
    pub(super) train: PathBuf,
    /// Held-out data, which is evaluated before the first step and after the last one
    #[arg(long)]
    pub(super) eval: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Data and prompt")]
    pub(super) data: DataArgs,
    #[command(flatten, next_help_heading = "Training")]
    pub(super) options: Options,
    #[command(flatten, next_help_heading = "Weights, memory and output")]
    pub(super) dtype: DtypeArgs,
    /// Continue to train this peft adapter, which sets the method, rank, alpha and targets
    #[arg(long, conflicts_with = "method")]
    pub(super) adapter: Option<PathBuf>,
    #[command(flatten)]
    pub(super) limit: LimitArgs,
    /// Also write the fine-tuned model, or the adapter in peft's format
    #[arg(long)]
    pub(super) save_model: bool,
    /// Continue the run in --out
    #[arg(long)]
    pub(super) resume: bool,
    /// The run's directory: trajectory.pocket and log.jsonl
    #[arg(long)]
    pub(super) out: PathBuf,
}

impl Args {
    /// Claims `--out` before anything is loaded. Returns it with the run that already exists there, if any, which `--resume` continues.
    ///
    /// # Errors
    /// The errors of [`OutDir::claim`]; `invalid-argument` if there is a run and `--resume` is not given, or if held-out rows are
    /// given in two ways.
    pub(super) fn claim(&self) -> Result<(OutDir, Option<Trajectory>)> {
        let mut inputs = vec![self.model.input()];
        inputs.extend(self.adapter.as_deref().map(|path| ("--adapter", path)));
        let data = [("--train", Some(&self.train)), ("--eval", self.eval.as_ref())];
        inputs.extend(
            data.into_iter()
                .filter_map(|(flag, path)| Some((flag, path?.as_path())))
                .filter(|data| data.1.is_file()),
        );
        let results = if self.save_model { RESULTS } else { &[] };
        let out = OutDir::claim(&self.out, &inputs, &[run_dir::FILES, results].concat())?;
        let existing = RunDir::existing(&self.out)?;
        // A run without a step, such as one whose loss exploded at once, holds nothing, unless it has a readout or kept the weights before
        // the first step on purpose.
        let is_empty = |run: &Trajectory| {
            run.records.is_empty() && run.header.settings.pooling().is_none() && run.header.kept_of == 0
        };
        if !self.resume && existing.as_ref().is_some_and(is_empty) {
            return self.checked(out, None);
        }
        if existing.is_some() && !self.resume {
            bail!(
                InvalidArgument,
                "{}: this directory already has a run; give --resume to continue it, or another --out",
                self.out.display()
            );
        }
        self.checked(out, existing)
    }

    /// Checks the flags that do not depend on the data.
    fn checked(&self, out: OutDir, existing: Option<Trajectory>) -> Result<(OutDir, Option<Trajectory>)> {
        if self.eval.is_some() && self.data.draw.hold_out > 0 {
            bail!(
                InvalidArgument,
                "--hold-out holds out rows of --train in place of --eval; give only one of the two"
            );
        }
        let held_out = self.eval.is_some() || self.data.draw.hold_out > 0;
        if self.options.evaluate_every.is_some_and(|steps| steps > 0) && !held_out {
            bail!(
                InvalidArgument,
                "--eval-every: expected held-out data to evaluate on, found neither --eval nor --hold-out"
            );
        }
        self.data.check_draw()?;
        Ok((out, existing))
    }

    /// Checks that the disk has space for `records` records with their log lines, and for the model if it is saved.
    ///
    /// # Errors
    /// `storage-full`.
    pub(super) fn check_space(
        &self,
        out: &OutDir,
        session: &Session,
        method: &Method,
        records: u64,
    ) -> Result<()> {
        let model = if self.save_model { output::model_bytes(session, method) } else { 0 };
        out.check_space(model.saturating_add(records.saturating_mul(run_dir::BYTES_OF_STEP)))
    }
}
