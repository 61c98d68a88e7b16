//! `pocketllm finetune`.

use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use serde_json::json;

use super::context::Context;
use super::data::{DataArgs, note_shared, note_truncation};
use super::dtype::DtypeArgs;
use super::figures;
use super::memory::{LimitArgs, line};
use super::model::{self, ModelPath};
use super::out_dir::{OutDir, RESULTS};
use super::print::{note, say};
use super::run_dir::{self, RunDir};
use super::{device, output, progress};
use crate::clock::Instant;
use crate::error::{Code, Result, bail};
use crate::format::files::WEIGHTS_FILE;
use crate::format::peft;
use crate::text::rows::Rows;
use crate::train::{
    AdapterFile, Diagnosis, EvaluationReport, ExampleEncoder, Examples, Method, Options, Plan,
    ReadoutTrainer, Session, Settings, Sizes, Trainer, Trajectory, read_adapter, search,
};

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
    adapter: Option<PathBuf>,
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

pub(super) async fn run(context: &Context, args: &Args) -> Result<()> {
    if args.adapter.is_none() {
        args.options.check()?;
    }
    let (out, existing) = args.claim()?;
    let data = args.data.open(&args.train, args.options.method.readout)?;
    let held_out =
        args.eval.as_deref().map(|path| args.data.open(path, args.options.method.readout)).transpose()?;
    let backend = device::backend(context).await?;
    // All problems with the data are found before the weights are loaded.
    let session = model::describe(context, backend.as_ref(), &args.model.dir()?, args.dtype.dtype()?).await?;
    let adapter = match &args.adapter {
        Some(path) => Some(read_adapter(&session, &model::adapter_dir(path)?).await?),
        None => None,
    };
    let initial = adapter.as_ref().map(AdapterFile::initial).transpose()?.unwrap_or_default();
    let options = match &adapter {
        Some(adapter) => args.options.clone().for_adapter(&adapter.method)?,
        None => args.options.clone(),
    };
    let mut settings = options.resolve(session.model.spec(), args.data.prompt.task()?)?;
    // The command line always evaluates at the end.
    if settings.evaluate_every == 0 {
        settings.evaluate_every = settings.steps;
    }
    if settings.readout.is_some() {
        args.data.prompt.refuse_for_steps()?;
    }
    if args.save_model {
        settings.method.adapter().map_or(Ok(()), |adapter| session.check_saved(&adapter))?;
    }
    let (data, rest) = args.data.draw(data.read(&session)?)?;
    let held_out = held_out.map(|file| file.read(&session)).transpose()?.or(rest);
    let shared = note_shared(&data, held_out.as_ref());
    if args.options.balanced == Some(true) && !matches!(data.rows, Rows::Classified(_) | Rows::Questions(_)) {
        bail!(InvalidArgument, "--balanced: expected rows with labels in {}, found none", data.name);
    }
    // A resumed run keeps its readout.
    let mut fitter = match (&settings.readout, &existing) {
        (Some(pooling), None) => {
            let settings = Settings { method: Method::Readout { pooling: *pooling }, ..settings.clone() };
            Some(ReadoutTrainer::new(&session, settings, &data, held_out.as_ref())?)
        }
        _ => None,
    };
    let mut encoder = match (&fitter, &existing) {
        (Some(fitter), _) => fitter.encoder().clone(),
        (None, existing) => {
            let header = existing.as_ref().map(Trajectory::latest_header);
            args.data.prompt.encoder_of_run(&session, header.as_ref())?
        }
    };
    if args.options.keep_best && held_out.is_none() {
        bail!(
            InvalidArgument,
            "--keep-best: expected held-out data to choose by, found neither --eval nor --hold-out"
        );
    }
    let length = settings.length_for(session.model.spec())?;
    let examples = encoder.encode(&session, &data, length)?;
    let held_out = held_out.map(|data| encoder.encode(&session, &data, length)).transpose()?;
    let notes = examples.notes.iter().chain(held_out.iter().flat_map(|held_out| &held_out.notes));
    notes.for_each(|note| note!("{note}"));
    note_truncation(args.options.max_length, length, [Some(&examples), held_out.as_ref()]);
    let template = args.data.prompt.template(&session)?;
    let sizes = Sizes::of(&examples, held_out.as_ref(), encoder.score());
    let plan = args.limit.check(&session, &settings, &sizes, backend.capacity()).await?;
    device::note_software(backend.as_ref());
    note!("{}", line(context.device, backend.as_ref(), &plan, true));
    let records = u64::from(settings.steps) * u64::from(settings.estimator.probes);
    args.check_space(&out, &session, &settings.method, records)?;
    let mut session = model::load(session, backend).await?;
    if let Some(fitter) = &mut fitter {
        while let Some(report) = fitter.next(&mut session, &mut |_| Ok(())).await? {
            note!("readout after {}", figures::readout(&report));
        }
        encoder = fitter.encoder().clone();
    }
    if args.options.searches() {
        settings.learning_rate = match &existing {
            Some(trajectory) => trajectory.header.settings.learning_rate,
            None => find_rate(&mut session, &settings, &encoder, &examples).await?,
        };
    }
    let mut trainer = Trainer::new(&session, settings, encoder, template.as_deref(), examples)?;
    let before = existing.as_ref().map(Trajectory::steps);
    if existing.is_none() {
        trainer.begin(&mut session, initial).await?;
    }
    if let Some(trajectory) = existing {
        note!("the run continues after step {} of {}", trajectory.steps(), trainer.settings().steps);
        if trajectory.torn_bytes > 0 {
            note!("the last record was cut off after {} bytes: its step is repeated", trajectory.torn_bytes);
        }
        let bar = progress::bar(trajectory.steps().into(), progress::REPLAY);
        trainer
            .resume(&mut session, trajectory, &mut |step| {
                bar.set_position(step.into());
                Ok(())
            })
            .await?;
        bar.finish_and_clear();
    }
    if before.is_none() && !args.resume {
        RunDir::forget_log(out.path())?;
    }
    let mut run = RunDir::open(out.path(), trainer.trajectory())?;
    let mut last = train(&mut session, &mut trainer, held_out.as_ref(), &mut run).await?;
    if args.options.keep_best
        && let Some(steps) = run.best_step().filter(|steps| *steps < trainer.done())
    {
        let of = trainer.done();
        trainer.keep(&mut session, steps, &mut |_| Ok(())).await?;
        run.keep(trainer.trajectory())?;
        last = Some(trainer.evaluate(&mut session, held_out.as_ref(), &mut || Ok(())).await?);
        note!("kept the weights after step {steps} of {of}, which have the lowest held-out loss");
    }
    if args.save_model {
        output::write_result(&session, Some(&trainer.trajectory().latest_header()), &args.out).await?;
    } else if let Some(before) = before.filter(|before| *before != trainer.done()) {
        note_stale(&args.out, before);
    }
    summary(context, args, &session, &trainer, last.as_ref(), (&plan, shared))
}

/// Says that a model or an adapter in the directory lacks the steps after step `before`.
fn note_stale(out: &Path, before: u32) {
    for path in
        [WEIGHTS_FILE, peft::WEIGHTS_FILE].map(|name| out.join(name)).iter().filter(|path| path.exists())
    {
        note!(
            "{}: this file was written by an earlier command, and lacks the steps after step {before}; --save-model writes it again",
            path.display()
        );
    }
}

/// Searches for a learning rate, and prints the result of each.
async fn find_rate(
    session: &mut Session,
    settings: &Settings,
    encoder: &ExampleEncoder,
    examples: &Examples,
) -> Result<f32> {
    let bar = progress::bar(0, "trying learning rates {bar:20} {pos}/{len}  {elapsed}");
    let (rate, trials) = search(session, settings, encoder, examples, &mut |done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
        Ok(())
    })
    .await?;
    bar.finish_and_clear();
    for trial in &trials {
        let chosen = if trial.learning_rate == rate { "  <- chosen" } else { "" };
        note!("learning rate {:e}: loss {:.4}{chosen}", trial.learning_rate, trial.loss);
    }
    Ok(rate)
}

/// Runs steps until the run is complete. Returns the last evaluation.
async fn train(
    session: &mut Session,
    trainer: &mut Trainer,
    held_out: Option<&Examples>,
    run: &mut RunDir,
) -> Result<Option<EvaluationReport>> {
    let steps = trainer.settings().steps;
    let bar = progress::bar(steps.into(), "{bar:20} {pos}/{len}  {msg}  {per_sec}  {eta} left");
    bar.set_position(trainer.done().into());
    let settings = trainer.settings();
    let mut diagnosis = Diagnosis::new(steps, settings.learning_rate, settings.epsilon);
    let mut last = None;
    let mut smooth: Option<f64> = None;
    let (start, mut pace) = (Instant::now(), progress::Pace::new(trainer.done(), steps));
    loop {
        let due = trainer.done() == 0 || trainer.evaluation_due() || trainer.is_complete();
        if let Some(examples) = held_out
            && due
            && (!run.has_evaluation(trainer.done()) || trainer.is_complete())
        {
            let report = trainer.evaluate(session, Some(examples), &mut || Ok(())).await;
            let report = checked(report, trainer, run, &bar)?;
            if !run.has_evaluation(trainer.done()) {
                run.evaluation(trainer.done(), &report)?;
            }
            let accuracy = figures::accuracy(&report);
            let comma = if accuracy.is_empty() { "" } else { ", " };
            bar.suspend(|| {
                note!("step {:>6}: held-out loss {:.4}{comma}{accuracy}", trainer.done(), report.loss);
            });
            last = Some(report);
        }
        let stepped = trainer.step(session).await;
        let Some(report) = checked(stepped, trainer, run, &bar)? else { break };
        run.step(trainer.trajectory(), report.ms, report.tokens)?;
        if let Some(warning) = diagnosis.observe(&report) {
            bar.suspend(|| note!("step {:>6}: warning: {}", trainer.done(), warning.message));
        }
        let loss = f64::from(report.loss());
        let shown = smooth.map_or(loss, |before| 0.98 * before + 0.02 * loss);
        smooth = Some(shown);
        bar.set_message(format!("loss {shown:.4}"));
        bar.inc(1);
        if pace.is_due(trainer.done(), start.elapsed_ms() / 1e3) {
            note!("step {:>6} of {steps}: loss {shown:.4}", trainer.done());
        }
    }
    trainer.settle(session).await?;
    run.sync()?;
    bar.finish_and_clear();
    if let Some(warning) = trainer.warning_at_end(session) {
        note!("step {:>6}: warning: {}", trainer.done(), warning.message);
    }
    Ok(last)
}

/// Removes the steps from the run's files that the trainer has removed, if the run has exploded.
fn checked<T>(result: Result<T>, trainer: &Trainer, run: &mut RunDir, bar: &ProgressBar) -> Result<T> {
    if result.as_ref().is_err_and(|error| error.code() == Code::NonFiniteLoss) {
        run.keep(trainer.trajectory())?;
        bar.finish_and_clear();
        if trainer.done() > 0 {
            note!("{} keeps the record of this run: give a new run another --out", run.path().display());
        }
    }
    result
}

fn summary(
    context: &Context,
    args: &Args,
    session: &Session,
    trainer: &Trainer,
    last: Option<&EvaluationReport>,
    (plan, shared): (&Plan, Option<usize>),
) -> Result<()> {
    let steps = trainer.done();
    let loss = trainer.last_records().last().map(|r| f64::from(r.loss_plus + r.loss_minus) / 2.0);
    if context.json {
        let mut value = json!({
            "steps": steps,
            "eval_accuracy": last.and_then(|r| r.accuracy),
            "eval_in_training": shared,
            "warning": trainer.warning_at_end(session).map(|warning| warning.message),
            "trajectory": args.out.join(run_dir::TRAJECTORY),
            "gpu_bytes": session.model.backend().memory(),
            "plan": plan,
            "adapter": session.model.backend().name(),
        });
        let losses = [("loss", loss), ("eval_loss", last.map(|r| r.loss))];
        losses.iter().for_each(|(name, loss)| figures::add_loss(&mut value, name, *loss));
        if let (Some(object), Some(last)) = (value.as_object_mut(), last) {
            object.extend(
                figures::fields(last).into_iter().map(|(name, value)| (format!("eval_{name}"), value)),
            );
        }
        say!("{value}")?;
    } else {
        let loss = loss.map_or(String::new(), |loss| format!(", last loss {loss:.4}"));
        say!("{steps} steps{loss}: {}", args.out.join(run_dir::TRAJECTORY).display())?;
        last.map_or_else(Vec::new, figures::sentences).iter().try_for_each(|line| say!("{line}"))?;
    }
    Ok(())
}
