//! `pocketllm evaluate`.

use std::path::PathBuf;

use serde_json::json;

use super::context::Context;
use super::data::PromptArgs;
use super::figures;
use super::model::TunedModel;
use super::print::{note, say};
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
    /// Also list the rows that were answered wrongly
    #[arg(long)]
    wrong: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<()> {
    args.prompt.task()?;
    let (mut session, header) = args.model.load(context).await?;
    let prompt = args.prompt.or_from(header.as_ref());
    let labeled = header.as_ref().is_some_and(|header| !header.labels.is_empty());
    let data = prompt.open(&args.eval, labeled)?.read(&session)?;
    let (drawn, held_out) = prompt.draw(data)?;
    let data = held_out.unwrap_or(drawn);
    let encoder = args.prompt.encoder(&session, header.as_ref()).await?;
    let wanted = match (args.max_length, &header, prompt.task()?) {
        (0, Some(header), _) => header.settings.max_length,
        (0, None, Some(task)) => task.defaults(session.head(), "full")?.max_length,
        (wanted, ..) => wanted,
    };
    let length = length(wanted, session.model.spec());
    let examples = encoder.encode(&session, &data, length)?;
    examples.notes.iter().for_each(|note| note!("{note}"));
    let report = session.evaluate(&encoder, &examples, &mut || Ok(())).await?;
    let wrong = report.labels.as_ref().map_or_else(Vec::new, |labels| labels.wrong(&data.rows));
    if context.json {
        let mut value =
            json!({ "loss": report.loss, "accuracy": report.accuracy, "examples": report.examples });
        if let Some(object) = value.as_object_mut() {
            object.extend(figures::fields(&report));
            if args.wrong {
                object.insert("wrong".to_owned(), json!(wrong));
            }
        }
        say!("{value}")?;
    } else {
        let f1 = report.f1.map(|f1| format!("F1 {:.1}%", f1 * 100.0));
        let loss = format!("loss {:.5} on {} examples", report.loss, report.examples);
        let parts = [Some(figures::accuracy(&report)), f1, Some(loss)];
        say!(
            "{}",
            parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
        )?;
        figures::sentences(&report).iter().try_for_each(|line| say!("{line}"))?;
        if args.wrong {
            wrong.iter().try_for_each(|row| say!("{}", figures::wrong(row)))?;
        }
    }
    Ok(())
}
