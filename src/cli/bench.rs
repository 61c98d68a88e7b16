//! `pocketllm bench`: times a plain forward pass and a whole training step on random tokens.

use std::rc::Rc;

use serde_json::json;

use super::context::Context;
use super::dtype::DtypeArgs;
use super::model::{self, ModelOrConfig};
use super::print::{note, say};
use super::{device, memory};
use crate::clock::Instant;
use crate::error::{Result, bail};
use crate::gemm::tuner;
use crate::gpu::{Backend, KernelTime, Profiler};
use crate::reference::Host;
use crate::train::{Bench, MethodKind, MethodOptions, Session, Settings, Sizes, trial};

/// Minimum milliseconds of untimed warm-up rounds.
const WARM_UP_MS: f64 = 500.0;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: ModelOrConfig,
    /// Measure only the matmul kernel, with every tile, and no model
    #[arg(long)]
    kernels: bool,
    /// Number of sequences per batch
    #[arg(long, default_value_t = 8)]
    batch_size: u32,
    /// Number of tokens per sequence
    #[arg(long, default_value_t = 64)]
    seq_len: u32,
    #[command(flatten)]
    method: MethodOptions,
    #[command(flatten)]
    dtype: DtypeArgs,
    /// Number of timed rounds after half a second of warming up; the median is reported
    #[arg(long, default_value_t = 3)]
    repeat: u32,
    /// Report the time of each kernel in a forward pass and in a step
    #[arg(long)]
    profile: bool,
    /// Run only the first training step and its update, and report its memory next to the plan
    #[arg(long)]
    one_step: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<()> {
    if args.kernels {
        return kernels(context).await;
    }
    if args.batch_size == 0 || args.seq_len < 2 || args.repeat == 0 {
        bail!(InvalidArgument, "--batch-size and --repeat must be at least 1, and --seq-len at least 2");
    }
    let (backend, dir) = (device::backend(context).await?, args.model.dir()?);
    let mut session = model::describe(context, backend.as_ref(), dir.as_ref(), args.dtype.dtype()?).await?;
    let most = session.model.spec().max_length;
    if args.seq_len > most {
        bail!(InvalidArgument, "--seq-len {}: the model takes at most {most} tokens", args.seq_len);
    }
    args.method.check()?;
    if args.method.readout || args.method.method == Some(MethodKind::Readout) {
        bail!(
            InvalidArgument,
            "bench does not time readouts: the log.jsonl of a run has the time of each fit"
        );
    }
    let of_host = [
        ("--optimizer", args.method.optimizer.is_some()),
        ("--beta1", args.method.beta1.is_some()),
        ("--beta2", args.method.beta2.is_some()),
        ("--adam-eps", args.method.adam_epsilon.is_some()),
    ];
    if let Some((flag, _)) = of_host.iter().find(|(_, given)| *given) {
        bail!(InvalidArgument, "{flag}: bench times plain steps, and not Adam, which computes on the host");
    }
    let settings = Settings {
        batch_size: args.batch_size,
        method: args.method.method(),
        trainable: args.method.trainable(),
        estimator: args.method.estimator(),
        ..Settings::default()
    };
    if args.one_step {
        return one_step(context, session, backend, &settings, args.seq_len).await;
    }
    if args.profile {
        return profile(context, session, backend, settings, args.seq_len).await;
    }
    session = model::load(session, backend).await?;
    let mut bench = Bench::new(session, settings, args.seq_len).await?;
    // These rounds compile the pipelines, and let an idle GPU raise its clock.
    let start = Instant::now();
    while start.elapsed_ms() < WARM_UP_MS {
        bench.forward().await?;
        bench.step().await?;
    }
    let (mut forwards, mut steps, mut of_host) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.repeat {
        let forward_ms = bench.forward().await?;
        let before = bench.session().model.backend().waited_ms();
        let step_ms = bench.step().await?;
        let waited_ms = bench.session().model.backend().waited_ms() - before;
        forwards.push(forward_ms);
        steps.push(step_ms);
        of_host.push(step_ms - waited_ms);
    }
    let (forward_ms, step_ms, host_ms) = (median(forwards), median(steps), median(of_host));
    let (tokens, flops) = (bench.batch().tokens() as f64, bench.flops());
    let backend = bench.session().model.backend();
    let memory = backend.memory();
    let value = json!({
        "forward_ms": forward_ms,
        "step_ms": step_ms,
        "step_over_two_forwards": step_ms / (2.0 * forward_ms),
        "host_ms": host_ms,
        "tokens_per_s": tokens / step_ms * 1e3,
        "gflops": flops / forward_ms / 1e6,
        "gpu_bytes": {
            "weights": memory.weights,
            "adapter": memory.adapter,
            "scratch": memory.scratch,
            "activations": memory.activations,
            "peak": memory.peak,
        },
        "adapter": backend.name(),
    });
    if context.json {
        say!("{value}")?;
        return Ok(());
    }
    say!("adapter                 {}", backend.name())?;
    say!("forward                 {forward_ms:.1} ms, {:.2} GFLOP/s", flops / forward_ms / 1e6)?;
    say!("step                    {step_ms:.1} ms, {:.0} tokens/s", tokens / step_ms * 1e3)?;
    let ratio = step_ms / (2.0 * forward_ms);
    let why = if ratio < 1.0 { ": all branches of a step share one pass over the weights" } else { "" };
    say!("step / two forwards     {ratio:.3}{why}")?;
    say!("host time per step      {host_ms:.1} ms, {:.1}%", 100.0 * host_ms / step_ms)?;
    let mb = |bytes: u64| bytes as f64 / 1e6;
    say!(
        "GPU memory              {:.1} MB weights, {:.1} MB scratch, {:.1} MB activations, {:.1} MB peak",
        mb(memory.weights),
        mb(memory.scratch),
        mb(memory.activations),
        mb(memory.peak)
    )?;
    Ok(())
}

/// Times the kernels of a forward pass and of a step, each kernel separately.
async fn profile(
    context: &Context,
    session: Session,
    backend: Rc<dyn Backend>,
    settings: Settings,
    length: u32,
) -> Result<()> {
    let profiler = Profiler::new(backend);
    let session = model::load(session, profiler.clone()).await?;
    let mut bench = Bench::new(session, settings, length).await?;
    // The step before the measured one leaves a pending update to apply.
    bench.forward().await?;
    bench.step().await?;
    profiler.forget();
    bench.forward().await?;
    let forward = profiler.kernels().await?;
    bench.step().await?;
    let step = profiler.kernels().await?;
    // A forward pass reads each weight; a step also writes the weights that it trains.
    let memory = profiler.memory();
    let trained = if memory.adapter > 0 { memory.adapter } else { memory.weights };
    let least = [memory.weights, memory.weights + memory.adapter + trained];
    if context.json {
        let value = json!({
            "adapter": profiler.name(),
            "forward": forward,
            "step": step,
            "least_bytes": { "forward": least[0], "step": least[1] },
        });
        say!("{value}")?;
        return Ok(());
    }
    say!("adapter {}", profiler.name())?;
    for ((pass, kernels), least) in [("forward", forward), ("step", step)].into_iter().zip(least) {
        let total: f64 = kernels.iter().map(|k| k.ms).sum();
        let moved: u64 = kernels.iter().map(|k| k.bytes).sum();
        let [moved, least] = [moved, least].map(|bytes| bytes as f64 / 1e6);
        say!(
            "{pass}: {total:.1} ms, {moved:.1} MB read and written, of which at least {least:.1} MB are weights"
        )?;
        for KernelTime { kernel, dispatches, ms, bytes } in kernels {
            let (part, mb) = (100.0 * ms / total, bytes as f64 / 1e6);
            say!("  {kernel:22} {dispatches:5} dispatches {ms:10.2} ms {part:5.1}% {mb:10.2} MB")?;
        }
    }
    Ok(())
}

/// Measures the matmul kernel separately.
async fn kernels(context: &Context) -> Result<()> {
    let backend = device::backend(context).await?;
    let large = if backend.limits().software { &[][..] } else { tuner::LARGE_SHAPES };
    let shapes = [tuner::SHAPES, large].concat();
    let measured = tuner::measure(backend.as_ref(), Host::open().as_ref(), &shapes).await?;
    if context.json {
        let value = json!({ "adapter": backend.name(), "limits": backend.limits(), "matmul": measured });
        say!("{value}")?;
        return Ok(());
    }
    say!(
        "adapter {}; rows x columns x depth, and the share of a pure multiply-add kernel's rate",
        backend.name()
    )?;
    for m in measured {
        let [rows, columns, depth] = m.shape;
        let shape = format!("{rows} x {columns} x {depth}");
        say!("{shape:20} {:18} {:8.2} GFLOP/s {:5.1}%", m.tile, m.gflops, 100.0 * m.of_peak)?;
    }
    Ok(())
}

/// Runs one whole training step, and prints its memory next to the plan.
async fn one_step(
    context: &Context,
    session: Session,
    backend: Rc<dyn Backend>,
    settings: &Settings,
    length: u32,
) -> Result<()> {
    let sizes = Sizes::even(session.model.spec().head_kind(), settings.batch_size, length, 0);
    let settings = Settings { steps: 1, ..settings.clone() };
    let plan = session.plan(&settings, session.dtype(), &sizes).await?;
    note!("{}", memory::line(context.device, backend.as_ref(), &plan, true));
    let mut session = model::load(session, backend).await?;
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
        say!("{value}")?;
        return Ok(());
    }
    say!("adapter                 {adapter}")?;
    say!("step                    {:.1} ms, loss {:.4}", report.ms, report.loss())?;
    say!("GPU memory              {} bytes at most, {} planned", memory.peak, plan.peak)?;
    Ok(())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
