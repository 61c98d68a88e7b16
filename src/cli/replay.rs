//! `pocketllm replay`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Context, finetune, open};
use crate::dtype::DType;
use crate::error::Result;
use crate::train::{Session, dtype, replay};
use crate::zo::trajectory::{Header, Trajectory};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The base model: Hugging Face directory, or .gguf file
    #[arg(long)]
    model: PathBuf,
    /// The trajectory of a run on it
    #[arg(long)]
    trajectory: PathBuf,
    /// Directory for model.safetensors, or for the adapter
    #[arg(long)]
    out: PathBuf,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<()> {
    let mut session = open::session(context, &args.model, dtype_of(&args.trajectory)?).await?;
    apply(&mut session, &args.trajectory).await?;
    let path = finetune::write_result(&session, &args.out).await?;
    if context.json {
        println!("{}", json!({ "model": path }));
    } else {
        println!("{}", path.display());
    }
    Ok(())
}

/// How a trajectory's run stored the weights.
pub(super) fn dtype_of(path: &Path) -> Result<DType> {
    dtype(&Trajectory::parse(&open::name(path), &open::read(path)?)?.header.dtype)
}

/// Replays a trajectory file on a session's base weights; returns its settings.
pub(super) async fn apply(session: &mut Session, path: &Path) -> Result<Header> {
    let trajectory = Trajectory::parse(&open::name(path), &open::read(path)?)?;
    if trajectory.torn_bytes > 0 {
        eprintln!("{}: the last record was cut off after {} bytes", path.display(), trajectory.torn_bytes);
    }
    let bar = open::bar(trajectory.steps().into(), "replaying {bar:30} {pos}/{len} steps");
    replay(session, &trajectory, &mut |step| {
        bar.set_position(step.into());
        Ok(())
    })
    .await?;
    bar.finish_and_clear();
    Ok(trajectory.header)
}
