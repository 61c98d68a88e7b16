//! `pocketllm bench`: a plain forward pass beside a whole training step, on random tokens.

use std::rc::Rc;

use serde_json::json;

use super::method::{DtypeArgs, MethodArgs};
use super::{Context, open};
use crate::clock::Instant;
use crate::error::{Result, bail};
use crate::gpu::Backend;
use crate::kernel::tuner;
use crate::model::{Extent, Input, ModelSpec, Score, TensorKind};
use crate::text::batch::Batch;
use crate::train::{Session, Settings, Setup, Sizes, random_examples, trial};
use crate::zo::trajectory::Record;
use crate::zo::update::{self, Update};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: open::ModelArgs,
    /// Measure the matmul kernel's cuts, and no model
    #[arg(long)]
    kernels: bool,
    /// Sequences a batch
    #[arg(long, default_value_t = 8)]
    batch_size: u32,
    /// Tokens a sequence
    #[arg(long, default_value_t = 64)]
    seq_len: u32,
    #[command(flatten)]
    method: MethodArgs,
    #[command(flatten)]
    dtype: DtypeArgs,
    /// Rounds that are timed, after one that is not; the median counts
    #[arg(long, default_value_t = 3)]
    repeat: u32,
    /// Run the first step of a training and its update, and nothing beside it; and say what was planned
    #[arg(long)]
    one_step: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<()> {
    if args.kernels {
        return kernels(context).await;
    }
    if args.batch_size == 0 || args.seq_len < 2 || args.repeat == 0 {
        bail!(InvalidArgument, "--batch-size and --repeat are at least 1, --seq-len at least 2");
    }
    let (backend, dir) = (open::backend(context).await?, args.model.dir()?);
    let mut session = open::describe(context, backend.as_ref(), dir.as_ref(), args.dtype.dtype()?).await?;
    let most = session.model.spec().max_length;
    if args.seq_len > most {
        bail!(InvalidArgument, "--seq-len {}: the model takes {most}", args.seq_len);
    }
    let estimator = args.method.estimator()?;
    let (method, trainable) = (args.method.method(), args.method.trainable());
    if args.one_step {
        let settings =
            Settings { batch_size: args.batch_size, method, trainable, estimator, ..Settings::default() };
        return one_step(context, session, backend, &settings, args.seq_len).await;
    }
    session = open::load(session, backend).await?;
    let spec = session.model.spec();
    let examples = random_examples(spec, args.batch_size, args.seq_len);
    let Batch { ids, positions, cu_seqlens, targets, .. } = Batch::pack(&examples.iter().collect::<Vec<_>>());
    let tokens = ids.len() as u32;
    let flops = forward_flops(spec, tokens, targets.len() as u32);
    let input = Input { ids: &ids, positions: &positions, cu_seqlens: &cu_seqlens };
    let setup =
        Setup { method: &method, estimator: &estimator, trainable: &trainable, seed: 0, initial: &[] };
    session.set_up(&setup).await?;
    let branches = estimator.branches();
    let extent = Extent { branches, tokens, targets: targets.len() as u32, labels: 0 };
    let (model, ws) = session.prepare(extent)?;
    let (mut forwards, mut steps) = (Vec::new(), Vec::new());
    let mut pending: Vec<Update> = Vec::new();
    for round in 0..=args.repeat {
        let start = Instant::now();
        let plain = model.evaluate(ws, &input, &targets, Score::Vocabulary).await?;
        let forward_ms = start.elapsed_ms();
        let list = estimator.branch_list(0, round);
        let step = update::step(&pending, &list, 1e-3, estimator.distribution);
        let start = Instant::now();
        let losses =
            model.branch_scores(ws, &input, &targets, Score::Vocabulary, &step, branches, false).await?.means;
        let step_ms = start.elapsed_ms();
        // What is timed must be right first: the branches' losses lie about that of the weights between them.
        let loss = plain.losses.iter().sum::<f32>() / plain.losses.len() as f32;
        let middle = losses.iter().sum::<f32>() / losses.len() as f32;
        if !loss.is_finite() || (middle - loss).abs() > 0.05 * loss {
            bail!(NonFiniteLoss, "the step's losses {losses:?} are not about the forward pass's {loss}");
        }
        // Small enough to leave the weights as they are, for the next round's check.
        let records: Vec<Record> = (0..estimator.probes)
            .map(|probe| Record {
                step: round,
                probe,
                projected_grad: 1.0,
                learning_rate: 1e-12,
                decay: 1.0,
                loss_plus: 0.0,
                loss_minus: 0.0,
            })
            .collect();
        pending = estimator.updates(0, &records);
        if round > 0 {
            forwards.push(forward_ms);
            steps.push(step_ms);
        }
    }
    let (forward_ms, step_ms) = (median(forwards), median(steps));
    let memory = model.backend().memory();
    let value = json!({
        "forward_ms": forward_ms,
        "step_ms": step_ms,
        "step_over_two_forwards": step_ms / (2.0 * forward_ms),
        "tokens_per_s": f64::from(tokens) / step_ms * 1e3,
        "gflops": flops / forward_ms / 1e6,
        "gpu_bytes": {
            "weights": memory.weights,
            "adapter": memory.adapter,
            "scratch": memory.scratch,
            "activations": memory.activations,
            "peak": memory.peak,
        },
        "adapter": model.backend().name(),
    });
    if context.json {
        println!("{value}");
        return Ok(());
    }
    println!("adapter                 {}", model.backend().name());
    println!("forward                 {forward_ms:.1} ms, {:.2} GFLOP/s", flops / forward_ms / 1e6);
    println!("step                    {step_ms:.1} ms, {:.0} tokens/s", f64::from(tokens) / step_ms * 1e3);
    println!("step / two forwards     {:.3}", step_ms / (2.0 * forward_ms));
    let mb = |bytes: u64| bytes as f64 / 1e6;
    println!(
        "GPU memory              {:.1} MB weights, {:.1} MB scratch, {:.1} MB activations, {:.1} MB peak",
        mb(memory.weights),
        mb(memory.scratch),
        mb(memory.activations),
        mb(memory.peak)
    );
    Ok(())
}

/// Matmuls of a wide model, of SmolLM2's width, of few rows, of one row and of an adapter's rank: rows, columns, depth.
const MATMULS: &[[u32; 3]] = &[
    [512, 1024, 1024],
    [512, 576, 1536],
    [64, 1024, 1024],
    [16, 1024, 1024],
    [1, 1024, 1024],
    [512, 8, 1024],
];

/// Measures the matmul kernel by itself.
async fn kernels(context: &Context) -> Result<()> {
    let backend = open::backend(context).await?;
    let measured = tuner::measure(backend.as_ref(), MATMULS).await?;
    if context.json {
        let rows = measured.iter().map(
            |m| json!({ "shape": m.shape, "tile": m.tile, "gflops": m.gflops, "of_multiply_add": m.of_peak }),
        );
        println!("{}", json!({ "adapter": backend.name(), "matmul": rows.collect::<Vec<_>>() }));
        return Ok(());
    }
    println!(
        "adapter {}; rows x columns x depth, and the part of a pure multiply-add kernel's rate",
        backend.name()
    );
    for m in measured {
        let [rows, columns, depth] = m.shape;
        let shape = format!("{rows} x {columns} x {depth}");
        println!("{shape:20} {:18} {:8.2} GFLOP/s {:5.1}%", m.tile, m.gflops, 100.0 * m.of_peak);
    }
    Ok(())
}

/// Runs one whole step of a training; prints what it took beside what was planned.
async fn one_step(
    context: &Context,
    session: Session,
    backend: Rc<dyn Backend>,
    settings: &Settings,
    length: u32,
) -> Result<()> {
    let sizes = Sizes::even(session.model.spec().head.kind, settings.batch_size, length, 0);
    let settings = Settings { steps: 1, ..settings.clone() };
    let plan = session.plan(&settings, session.dtype(), &sizes).await?;
    eprintln!("{}", super::plan::line(&plan));
    let mut session = open::load(session, backend).await?;
    let report = trial(&mut session, &settings, length).await?;
    let (memory, adapter) = (session.model.backend().memory(), session.model.backend().name());
    if context.json {
        let value = json!({
            "step_ms": report.ms,
            "loss_plus": report.loss_plus(),
            "loss_minus": report.loss_minus(),
            "gpu_bytes": memory,
            "plan": plan,
            "adapter": adapter,
        });
        println!("{value}");
        return Ok(());
    }
    println!("adapter                 {adapter}");
    println!("step                    {:.1} ms, loss {:.4}", report.ms, report.loss());
    println!("GPU memory              {} bytes at most, {} planned", memory.peak, plan.peak);
    Ok(())
}

/// Multiply-adds of the linear layers and the head, twice; attention's own are left out.
fn forward_flops(spec: &ModelSpec, tokens: u32, targets: u32) -> f64 {
    let tensors = spec.tensors.as_slice();
    let head = &tensors[spec.head.table];
    let looked_up = |name: &str| name.contains("embed");
    let layers: f64 = tensors
        .iter()
        .filter(|t| t.kind == TensorKind::Matrix && !looked_up(&t.name) && t.name != head.name)
        .map(|t| t.elements() as f64)
        .sum();
    2.0 * (layers * f64::from(tokens) + head.elements() as f64 * f64::from(targets))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
