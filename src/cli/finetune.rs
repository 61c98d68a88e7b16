//! `pocketllm finetune`.

use std::path::Path;

use indicatif::ProgressBar;
use serde_json::json;

use super::context::Context;
use super::figures;
use super::finetune_args::Args;
use super::memory::line;
use super::prepared::Prepared;
use super::print::{note, say};
use super::run_dir::{self, RunDir};
use super::{device, model, output, progress};
use crate::clock::Instant;
use crate::error::{Code, Result};
use crate::format::files::WEIGHTS_FILE;
use crate::format::peft;
use crate::train::{Diagnosis, EvaluationReport, Examples, Plan, Session, Trainer, Trajectory};

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
    let mut prepared = Prepared::of(args, &session, (data, held_out), existing.as_ref()).await?;
    let plan = args.limit.check(&session, &prepared.settings, &prepared.sizes(), backend.capacity()).await?;
    device::note_software(backend.as_ref());
    note!("{}", line(context.device, backend.as_ref(), &plan, true));
    let settings = &prepared.settings;
    let records = u64::from(settings.steps) * u64::from(settings.estimator.probes);
    args.check_space(&out, &session, &settings.method, records)?;
    let mut session = model::load(session, backend).await?;
    prepared.complete(&mut session, args.options.searches(), existing.as_ref()).await?;
    let Prepared { settings, initial, encoder, examples, held_out, template, shared, .. } = prepared;
    let mut trainer = Trainer::new(&session, settings, encoder, template.as_deref(), examples)?;
    let before = existing.as_ref().map(Trajectory::steps);
    match existing {
        Some(trajectory) => resume(&mut session, &mut trainer, trajectory).await?,
        None => trainer.begin(&mut session, &initial).await?,
    }
    if before.is_none() && !args.resume {
        RunDir::forget_log(out.path())?;
    }
    let mut run = RunDir::open(out.path(), trainer.trajectory())?;
    let mut last = train(&mut session, &mut trainer, held_out.as_ref(), &mut run).await?;
    if args.options.keep_best
        && let Some(report) = keep_best(&mut session, &mut trainer, held_out.as_ref(), &mut run).await?
    {
        last = Some(report);
    }
    if args.save_model {
        output::write_result(&session, Some(&trainer.trajectory().latest_header()), &args.out).await?;
    } else if let Some(before) = before.filter(|before| *before != trainer.done()) {
        note_stale(&args.out, before);
    }
    summary(context, args, &session, &trainer, last.as_ref(), (&plan, shared))
}

/// Continues the run of a trajectory, and says where.
async fn resume(session: &mut Session, trainer: &mut Trainer, trajectory: Trajectory) -> Result<()> {
    note!("the run continues after step {} of {}", trajectory.steps(), trainer.settings().steps);
    if trajectory.torn_bytes > 0 {
        note!("the last record was cut off after {} bytes: its step is repeated", trajectory.torn_bytes);
    }
    let bar = progress::bar(trajectory.steps().into(), progress::REPLAY);
    trainer
        .resume(session, trajectory, &mut |step| {
            bar.set_position(step.into());
            Ok(())
        })
        .await?;
    bar.finish_and_clear();
    Ok(())
}

/// Returns to the weights of the lowest held-out loss, and evaluates them. Returns `None` if they are the last ones.
async fn keep_best(
    session: &mut Session,
    trainer: &mut Trainer,
    held_out: Option<&Examples>,
    run: &mut RunDir,
) -> Result<Option<EvaluationReport>> {
    let of = trainer.done();
    let Some(steps) = run.best_step().filter(|steps| *steps < of) else { return Ok(None) };
    trainer.keep(session, steps, &mut |_| Ok(())).await?;
    run.keep(trainer.trajectory())?;
    let report = trainer.evaluate(session, held_out, &mut || Ok(())).await?;
    note!("kept the weights after step {steps} of {of}, which have the lowest held-out loss");
    Ok(Some(report))
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
