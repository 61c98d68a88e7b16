//! `pocketllm replay`.

use std::path::PathBuf;

use serde_json::json;

use super::context::Context;
use super::model::{self, ModelPath};
use super::out_dir::{OutDir, RESULTS};
use super::print::say;
use super::{device, output, trajectory};
use crate::error::Result;
use crate::train::dtype;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: ModelPath,
    /// The trajectory of a run on it
    #[arg(long)]
    trajectory: PathBuf,
    /// Directory for model.safetensors, or for the adapter
    #[arg(long)]
    out: PathBuf,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<()> {
    let inputs = [args.model.input(), ("--trajectory", args.trajectory.as_path())];
    let out = OutDir::claim(&args.out, &inputs, RESULTS)?;
    let header = trajectory::header(&args.trajectory)?;
    let backend = device::backend(context).await?;
    let session =
        model::describe(context, backend.as_ref(), &args.model.dir()?, dtype(&header.dtype)?).await?;
    header.settings.method.adapter().map_or(Ok(()), |adapter| session.check_saved(&adapter))?;
    out.check_space(output::model_bytes(&session, &header.settings.method))?;
    let mut session = model::load(session, backend).await?;
    let header = trajectory::apply(&mut session, &args.trajectory).await?;
    let path = output::write_result(&session, Some(&header), out.path()).await?;
    if context.json {
        say!("{}", json!({ "model": path }))?;
    } else {
        say!("{}", path.display())?;
    }
    Ok(())
}
