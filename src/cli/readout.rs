//! `pocketllm finetune --method readout`.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::context::Context;
use super::data::{note_shared, note_truncation};
use super::figures;
use super::finetune_args::Args;
use super::memory::line;
use super::print::{note, say};
use super::{device, files, model, output, progress, run_dir};
use crate::error::Result;
use crate::train::{
    EvaluationReport, Header, Plan, ReadoutProgress, ReadoutReport, ReadoutTrainer, Session, Sizes,
};

pub(super) async fn run(context: &Context, args: &Args) -> Result<()> {
    args.options.check()?;
    let on_words = args.data.prompt.template.is_some() || args.data.prompt.task.is_some();
    if on_words {
        args.options.check_words()?;
    }
    let (out, existing) = args.claim()?;
    let data = args.data.open(&args.train, true)?;
    let held_out = args.eval.as_deref().map(|path| args.data.open(path, true)).transpose()?;
    let backend = device::backend(context).await?;
    // All problems with the data are found before the weights are loaded.
    let session = model::describe(context, backend.as_ref(), &args.model.dir()?, args.dtype.dtype()?).await?;
    let settings = args.options.resolve(session.model.spec(), None)?;
    let (data, rest) = args.data.draw(data.read(&session)?)?;
    let held_out = held_out.map(|file| file.read(&session)).transpose()?.or(rest);
    let held_out = held_out.as_ref();
    let shared = note_shared(&data, held_out);
    let mut trainer = match args.data.prompt.words(&session)? {
        Some((template, words)) => {
            ReadoutTrainer::on_words(&session, settings, (&template, &words), &data, held_out)?
        }
        None => ReadoutTrainer::new(&session, settings, &data, held_out)?,
    };
    let settings = trainer.header().settings.clone();
    let (examples, held_out) = trainer.examples();
    note_truncation(args.options.max_length, settings.max_length, [Some(examples), held_out]);
    let sizes = Sizes::of(examples, held_out, trainer.encoder().score());
    let plan = args.limit.check(&session, &settings, &sizes, backend.capacity()).await?;
    device::note_software(backend.as_ref());
    note!("{}", line(context.device, backend.as_ref(), &plan, false));
    args.check_space(&out, &session, &settings.method, 0)?;
    let mut session = model::load(session, backend).await?;
    if let Some(trajectory) = &existing {
        trainer.resume(&mut session, trajectory)?;
    }
    let last = fit(&mut session, &mut trainer, out.path()).await?;
    if args.save_model {
        output::write_result(&session, Some(trainer.header()), &args.out).await?;
    }
    summary(context, args, &session, &trainer, &last, (&plan, shared))
}

/// The last fit, or the figures of a run that was already complete.
#[derive(Default)]
struct Last {
    report: Option<ReadoutReport>,
    held_out: Option<EvaluationReport>,
}

/// Fits until all rows have been used, and reports each fit.
async fn fit(session: &mut Session, trainer: &mut ReadoutTrainer, out: &Path) -> Result<Last> {
    let bar = progress::bar(trainer.rows() as u64, "{bar:20} {pos}/{len} rows{msg}  {elapsed}");
    let mut dir = None;
    let mut last = Last::default();
    let mut shown = |now: ReadoutProgress| {
        match now {
            ReadoutProgress::Rows(rows) => {
                bar.set_message("");
                bar.set_position(rows as u64);
            }
            ReadoutProgress::Fits { done, all } => bar.set_message(format!("  fitting {done}/{all}")),
        }
        Ok(())
    };
    while let Some(report) = trainer.next(session, &mut shown).await? {
        let dir = match &mut dir {
            Some(dir) => dir,
            None => dir.insert(ReadoutDir::begin(out)?),
        };
        dir.fit(trainer.header(), &report)?;
        bar.suspend(|| note!("{}", figures::readout(&report)));
        last = Last { held_out: report.held_out.clone(), report: Some(report) };
    }
    if last.report.is_none() {
        last.held_out = trainer.evaluate(session, usize::MAX, &mut shown).await?;
    }
    bar.finish_and_clear();
    Ok(last)
}

fn summary(
    context: &Context,
    args: &Args,
    session: &Session,
    trainer: &ReadoutTrainer,
    last: &Last,
    (plan, shared): (&Plan, Option<usize>),
) -> Result<()> {
    let trajectory = args.out.join(run_dir::TRAJECTORY);
    if !context.json {
        say!("{} rows: {}", trainer.rows(), trajectory.display())?;
        last.held_out
            .as_ref()
            .map_or_else(Vec::new, figures::sentences)
            .iter()
            .try_for_each(|line| say!("{line}"))?;
        return Ok(());
    }
    let held_out = last.held_out.as_ref();
    let mut value = json!({
        "rows": trainer.rows(),
        "labels": trainer.header().labels,
        "eval_accuracy": held_out.and_then(|seen| seen.accuracy),
        "eval_in_training": shared,
        "trajectory": trajectory,
        "gpu_bytes": session.model.backend().memory(),
        "plan": plan,
        "adapter": session.model.backend().name(),
    });
    figures::add_loss(&mut value, "loss", last.report.as_ref().map(|report| report.loss));
    figures::add_loss(&mut value, "eval_loss", held_out.map(|seen| seen.loss));
    for (name, field) in held_out.map(figures::fields).into_iter().flatten() {
        value[format!("eval_{name}")] = field;
    }
    say!("{value}")
}

/// The directory of a run of method readout. Its trajectory is rewritten after each fit.
struct ReadoutDir {
    path: PathBuf,
    log: File,
}

impl ReadoutDir {
    /// Creates the directory with an empty log, since an interrupted run starts again.
    fn begin(path: &Path) -> Result<ReadoutDir> {
        files::make_dir(path)?;
        let log_path = path.join(run_dir::LOG);
        let log = File::create(&log_path).map_err(|e| files::write_error(&log_path, &e))?;
        Ok(ReadoutDir { path: path.to_owned(), log })
    }

    /// Writes a fit's line to the log, and then its trajectory. The trajectory of the last fit marks the run as complete, so the
    /// log must be complete before it is written, in case the process is killed in between.
    fn fit(&mut self, header: &Header, report: &ReadoutReport) -> Result<()> {
        let held_out = report.held_out.as_ref();
        let mut line = json!({
            "rows": report.rows,
            "loss": report.loss,
            "strength": report.strength,
            "eval_accuracy": held_out.and_then(|seen| seen.accuracy),
            "eval_examples": held_out.map(|seen| seen.examples),
            "ms": (report.ms * 1e3).round() / 1e3,
        });
        figures::add_loss(&mut line, "eval_loss", held_out.map(|seen| seen.loss));
        for (name, field) in held_out.map(figures::fields).into_iter().flatten() {
            line[format!("eval_{name}")] = field;
        }
        let log_path = self.path.join(run_dir::LOG);
        files::append(&mut self.log, &log_path, format!("{line}\n").as_bytes())?;
        files::write(&self.path.join(run_dir::TRAJECTORY), header.to_bytes()?)
    }
}
