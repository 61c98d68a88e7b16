//! `pocketllm finetune`.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::data::{PromptArgs, dataset};
use super::method::{DtypeArgs, MethodArgs, named};
use super::run_dir::RunDir;
use super::{Context, open};
use crate::error::{Result, bail, err};
use crate::train::{EvaluationReport, Examples, Session, Settings, Trainer, save_model};
use crate::zo::schedule::Schedule;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Hugging Face directory, or .gguf file
    #[arg(long)]
    model: PathBuf,
    /// Training data: .csv, .tsv, .jsonl with text and label or prompt and completion, or plain text
    #[arg(long)]
    train: PathBuf,
    /// Held-out data
    #[arg(long)]
    eval: Option<PathBuf>,
    #[command(flatten)]
    prompt: PromptArgs,
    #[command(flatten)]
    method: MethodArgs,
    #[command(flatten)]
    dtype: DtypeArgs,
    /// What is made small
    #[arg(long, value_parser = ["loss", "accuracy", "f1"], default_value = "loss")]
    objective: String,
    /// Steps of the run
    #[arg(long, default_value_t = 1000)]
    steps: u32,
    /// Examples a step
    #[arg(long, default_value_t = 16)]
    batch_size: u32,
    /// Examples that go through the model at a time, where the memory does not hold a batch; 0: all
    #[arg(long, default_value_t = 0)]
    micro_batch: u32,
    /// Learning rate; 1e-7 to 1e-5 for large models, more for tiny ones
    #[arg(long, default_value_t = 1e-6)]
    lr: f32,
    /// How the learning rate changes: constant or linear
    #[arg(long, default_value = "constant")]
    schedule: Schedule,
    /// Weight decay of the matrices
    #[arg(long, default_value_t = 0.0)]
    weight_decay: f32,
    /// Perturbation scale
    #[arg(long, default_value_t = 1e-3)]
    eps: f32,
    /// Seed of directions and data order
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Evaluate before the first step, every so many steps, and after the last; 0: before and after
    #[arg(long, default_value_t = 0)]
    eval_every: u32,
    /// Tokens that an example is cut to; 0: 128 for a masked model, 512 for a causal one
    #[arg(long, default_value_t = 0)]
    max_length: u32,
    /// Also write the fine-tuned model
    #[arg(long)]
    save_model: bool,
    /// Go on with the run in --out
    #[arg(long)]
    resume: bool,
    /// The run's directory: trajectory.pocket and log.jsonl
    #[arg(long)]
    out: PathBuf,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<()> {
    let settings = Settings {
        steps: args.steps,
        batch_size: args.batch_size,
        micro_batch: args.micro_batch,
        objective: named("--objective", &args.objective)?,
        method: args.method.method(),
        trainable: args.method.trainable(),
        estimator: args.method.estimator()?,
        learning_rate: args.lr,
        schedule: args.schedule,
        weight_decay: args.weight_decay,
        epsilon: args.eps,
        seed: args.seed,
        evaluate_every: if args.eval_every == 0 { args.steps } else { args.eval_every },
        max_length: args.max_length,
    };
    settings.check()?;
    let existing = RunDir::existing(&args.out)?;
    if existing.is_some() && !args.resume {
        bail!(
            InvalidArgument,
            "{}: there is a run; give --resume to go on, or another --out",
            args.out.display()
        );
    }
    let data = dataset(&args.train)?;
    let held_out = args.eval.as_deref().map(dataset).transpose()?;
    let mut session = open::session(context, &args.model, args.dtype.dtype()?).await?;
    let objective = args.prompt.objective(&session)?;
    let length = settings.length_for(session.model.spec());
    let examples = objective.encode(&session, &data, length)?;
    let held_out = held_out.map(|data| objective.encode(&session, &data, length)).transpose()?;
    let template = args.prompt.template.as_deref();
    let mut trainer = Trainer::new(&session, settings, objective, template, examples)?;
    if existing.is_none() {
        trainer.begin(&mut session).await?;
    }
    if let Some(trajectory) = existing {
        if trajectory.torn_bytes > 0 {
            eprintln!(
                "the last record was cut off after {} bytes: its step is done again",
                trajectory.torn_bytes
            );
        }
        let bar = open::bar(trajectory.steps().into(), "replaying {bar:30} {pos}/{len} steps");
        trainer
            .resume(&mut session, trajectory, &mut |step| {
                bar.set_position(step.into());
                Ok(())
            })
            .await?;
        bar.finish_and_clear();
    }
    let mut run = RunDir::open(&args.out, &trainer.trajectory().header, &trainer.trajectory().records)?;
    let last = train(&mut session, &mut trainer, held_out.as_ref(), &mut run).await?;
    if args.save_model {
        write_model(&session, &args.out).await?;
    }
    summary(context, args, &session, &trainer, last.as_ref());
    Ok(())
}

/// Steps until the run is complete. Returns the last evaluation.
async fn train(
    session: &mut Session,
    trainer: &mut Trainer,
    held_out: Option<&Examples>,
    run: &mut RunDir,
) -> Result<Option<EvaluationReport>> {
    let steps = trainer.settings().steps;
    let bar = open::bar(steps.into(), "{bar:20} {pos}/{len}  {msg}  {per_sec}  left {eta}");
    bar.set_position(trainer.done().into());
    let mut last = None;
    let mut smooth: Option<f64> = None;
    loop {
        let due = trainer.done() == 0 || trainer.evaluation_due();
        if let Some(examples) = held_out
            && due
            && (!run.has_evaluation(trainer.done()) || trainer.done() == steps)
        {
            let report = trainer.evaluate(session, examples, &mut || Ok(())).await?;
            if !run.has_evaluation(trainer.done()) {
                run.evaluation(trainer.done(), &report)?;
            }
            let accuracy = report.accuracy.map_or(String::new(), |a| format!(", accuracy {:.1}%", a * 100.0));
            bar.suspend(|| {
                eprintln!("step {:>6}: held-out loss {:.4}{accuracy}", trainer.done(), report.loss);
            });
            last = Some(report);
        }
        let Some(report) = trainer.step(session).await? else { break };
        run.step(trainer.last_records(), report.ms)?;
        let loss = f64::from(report.loss());
        let shown = smooth.map_or(loss, |before| 0.98 * before + 0.02 * loss);
        smooth = Some(shown);
        bar.set_message(format!("loss {shown:.4}"));
        bar.inc(1);
    }
    trainer.settle(session).await?;
    run.sync()?;
    bar.finish_and_clear();
    Ok(last)
}

/// Writes `model.safetensors` into a directory, by way of a temporary name.
pub(super) async fn write_model(session: &Session, dir: &Path) -> Result<PathBuf> {
    let path = open::make_dir(dir)?.join("model.safetensors");
    let partial = dir.join("model.safetensors.partial");
    let failed = |e: &std::io::Error| open::write_error(&path, e);
    let mut file = BufWriter::new(std::fs::File::create(&partial).map_err(|e| failed(&e))?);
    save_model(session, &mut |bytes| file.write_all(bytes).map_err(|e| failed(&e))).await?;
    let file = file.into_inner().map_err(|e| err!(StorageFull, "{}: {e}", path.display()))?;
    file.sync_all().and_then(|()| std::fs::rename(&partial, &path)).map_err(|e| failed(&e))?;
    Ok(path)
}

fn summary(
    context: &Context,
    args: &Args,
    session: &Session,
    trainer: &Trainer,
    last: Option<&EvaluationReport>,
) {
    let steps = trainer.done();
    let loss = trainer.last_records().last().map(|r| f64::from(r.loss_plus + r.loss_minus) / 2.0);
    if context.json {
        let value = json!({
            "steps": steps,
            "loss": loss,
            "eval_loss": last.map(|r| r.loss),
            "eval_accuracy": last.and_then(|r| r.accuracy),
            "trajectory": args.out.join("trajectory.pocket"),
            "gpu_bytes": session.model.backend().memory(),
            "adapter": session.model.backend().name(),
        });
        println!("{value}");
    } else {
        let loss = loss.map_or(String::new(), |loss| format!(", last loss {loss:.4}"));
        println!("{steps} steps{loss}: {}", args.out.join("trajectory.pocket").display());
    }
}
