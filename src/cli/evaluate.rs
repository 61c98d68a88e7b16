//! `pocketllm evaluate`.

use std::path::PathBuf;

use serde_json::json;

use super::data::{PromptArgs, dataset};
use super::method::DtypeArgs;
use super::{Context, open, replay};
use crate::error::Result;
use crate::train::length;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Hugging Face directory, or .gguf file
    #[arg(long)]
    model: PathBuf,
    /// Replay this trajectory first; it also knows template and labels
    #[arg(long)]
    trajectory: Option<PathBuf>,
    #[command(flatten)]
    dtype: DtypeArgs,
    /// The data to evaluate on
    #[arg(long)]
    eval: PathBuf,
    #[command(flatten)]
    prompt: PromptArgs,
    /// Tokens that an example is cut to; 0: as the trajectory says, or 128 for a masked model, 512 for a causal one
    #[arg(long, default_value_t = 0)]
    max_length: u32,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<()> {
    let data = dataset(&args.eval)?;
    let mut session =
        open::session(context, &args.model, open::dtype_for(&args.dtype, args.trajectory.as_deref())?)
            .await?;
    let header = match &args.trajectory {
        Some(path) => Some(replay::apply(&mut session, path).await?),
        None => None,
    };
    let objective = args.prompt.or_from(header.as_ref()).objective(&session)?;
    let wanted = match (args.max_length, &header) {
        (0, Some(header)) => header.max_length,
        (wanted, _) => wanted,
    };
    let length = length(wanted, session.model.spec());
    let examples = objective.encode(&session, &data, length)?;
    let report = session.evaluate(&objective, &examples, &mut || Ok(())).await?;
    if context.json {
        let (loss, accuracy, examples) = (report.loss, report.accuracy, report.examples);
        println!("{}", json!({ "loss": loss, "accuracy": accuracy, "examples": examples }));
    } else {
        let accuracy = report.accuracy.map_or(String::new(), |a| format!("accuracy {:.2}%, ", a * 100.0));
        println!("{accuracy}loss {:.5} on {} examples", report.loss, report.examples);
    }
    Ok(())
}
