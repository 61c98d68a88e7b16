//! `pocketllm plan`: how much GPU memory a run needs. No weights are read.

use super::context::Context;
use super::device;
use super::dtype::DtypeArgs;
use super::memory::LimitArgs;
use super::model::{self, ModelOrConfig};
use super::print::say;
use crate::error::{Result, bail};
use crate::train::{MethodOptions, Session, Settings, Sizes};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: ModelOrConfig,
    #[command(flatten)]
    method: MethodOptions,
    #[command(flatten)]
    dtype: DtypeArgs,
    /// Number of examples per step
    #[arg(long, default_value_t = 8)]
    batch_size: u32,
    /// Number of examples per forward pass; 0 runs the whole batch at once
    #[arg(long, default_value_t = 0)]
    micro_batch: u32,
    /// Number of tokens per example
    #[arg(long, default_value_t = 64)]
    seq_len: u32,
    /// Number of label words, or of labels with --readout; 0 scores the whole vocabulary
    #[arg(long, default_value_t = 0)]
    labels: u32,
    #[command(flatten)]
    limit: LimitArgs,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<()> {
    args.method.check()?;
    if args.method.readout && args.labels < 2 {
        bail!(
            InvalidArgument,
            "--readout: expected the number of --labels, at least 2, found {}",
            args.labels
        );
    }
    let settings = Settings {
        steps: 1,
        batch_size: args.batch_size,
        micro_batch: args.micro_batch,
        method: args.method.method(),
        trainable: args.method.trainable(),
        estimator: args.method.estimator(),
        optimizer: args.method.optimizer(),
        ..Settings::default()
    };
    settings.check()?;
    let limits = device::limits(context).await;
    let session = Session::describe(limits, args.model.dir()?.as_ref(), args.dtype.dtype()?).await?;
    let session = model::streamed(context, session)?;
    let spec = session.model.spec();
    let pooling = args.method.pooling.unwrap_or_else(|| spec.pooling());
    let settings = Settings { readout: args.method.readout.then_some(pooling), ..settings };
    let most = Settings { max_length: spec.max_length, ..settings.clone() }.length_for(spec)?;
    if args.seq_len == 0 || args.seq_len > most {
        bail!(InvalidArgument, "--seq-len {}: expected 1 to {most}", args.seq_len);
    }
    let sizes = Sizes::even(spec.head_kind(), args.batch_size, args.seq_len, args.labels);
    let plan = args.limit.check(&session, &settings, &sizes, None).await?;
    if context.json {
        say!("{}", serde_json::json!(plan))?;
        return Ok(());
    }
    let rows = [
        ("weights", plan.weights),
        ("adapter", plan.adapter),
        ("perturbed weights", plan.scratch),
        ("activations", plan.activations),
        ("transfer", plan.transfer),
        ("peak", plan.peak),
        ("Adam in f32, at least", plan.adam),
    ];
    for (what, bytes) in rows {
        say!("{what:<22} {:>10.1} MB", bytes as f64 / 1e6)?;
    }
    Ok(())
}
