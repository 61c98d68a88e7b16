//! `pocketllm evaluate`.

use std::path::PathBuf;

use serde_json::json;

use super::context::Context;
use super::data::PromptArgs;
use super::model::TunedModel;
use crate::error::Result;
use crate::train::length;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: TunedModel,
    /// The data to evaluate on
    #[arg(long)]
    eval: PathBuf,
    #[command(flatten)]
    prompt: PromptArgs,
    /// Maximum tokens per example; longer examples are truncated. 0 takes the value of the trajectory or the task, or 128 for a masked and 512 for a causal model
    #[arg(long, default_value_t = 0)]
    max_length: u32,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<()> {
    args.prompt.task()?;
    let (mut session, header) = args.model.load(context).await?;
    let prompt = args.prompt.or_from(header.as_ref());
    let data = prompt.open(&args.eval)?.read(&session)?;
    let (drawn, held_out) = prompt.draw(data)?;
    let data = held_out.unwrap_or(drawn);
    let encoder = prompt.encoder(&session)?;
    let wanted = match (args.max_length, &header, prompt.task()?) {
        (0, Some(header), _) => header.settings.max_length,
        (0, None, Some(task)) => task.defaults(session.head(), "full")?.max_length,
        (wanted, ..) => wanted,
    };
    let length = length(wanted, session.model.spec());
    let examples = encoder.encode(&session, &data, length)?;
    let report = session.evaluate(&encoder, &examples, &mut || Ok(())).await?;
    if context.json {
        let mut value =
            json!({ "loss": report.loss, "accuracy": report.accuracy, "examples": report.examples });
        if let Some(f1) = report.f1 {
            value["f1"] = json!(f1);
        }
        println!("{value}");
    } else {
        let accuracy = report.accuracy.map_or(String::new(), |a| format!("accuracy {:.2}%, ", a * 100.0));
        let f1 = report.f1.map_or(String::new(), |f1| format!("F1 {:.2}%, ", f1 * 100.0));
        println!("{accuracy}{f1}loss {:.5} on {} examples", report.loss, report.examples);
    }
    Ok(())
}
