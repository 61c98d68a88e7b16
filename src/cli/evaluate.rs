//! `pocketllm evaluate`.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::context::Context;
use super::data::{DataArgs, note_truncation};
use super::figures;
use super::model::TunedModel;
use super::print::{note, say};
use crate::error::Result;
use crate::train::{Demonstrations, ExampleEncoder, IN_CONTEXT_LENGTH, Session, length};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: TunedModel,
    /// The data to evaluate on
    #[arg(long)]
    eval: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    /// In-context learning for causal models: number of rows of --train that precede each evaluated row with their answers, with
    /// equal numbers of each label. --data-seed is the seed of the draw. 0 is zero-shot
    #[arg(long, default_value_t = 0, requires = "train")]
    in_context: u32,
    /// The data that the rows of --in-context are drawn from
    #[arg(long, requires = "in_context")]
    train: Option<PathBuf>,
    /// Maximum tokens per example; longer examples are truncated. 0 takes the value of the trajectory or the task, or 128 for a masked and 512 for a causal
    /// model; with --in-context, 2048 or the model's context
    #[arg(long, default_value_t = 0)]
    max_length: u32,
    /// Also list the rows that were answered wrongly
    #[arg(long)]
    wrong: bool,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<()> {
    args.data.prompt.task()?;
    if args.in_context == 0 {
        args.data.check_draw()?;
    }
    let (mut session, header) = args.model.load(context).await?;
    let wanted = args.data.or_from(header.as_ref());
    let labeled = header.as_ref().is_some_and(|header| !header.labels.is_empty());
    let data = wanted.open(&args.eval, labeled)?.read(&session)?;
    let (drawn, held_out) = wanted.draw(data)?;
    let data = held_out.unwrap_or(drawn);
    let encoder = args.data.prompt.encoder(&session, header.as_ref()).await?;
    let most = match (args.max_length, &header, wanted.prompt.task()?) {
        (0, ..) if args.in_context > 0 => IN_CONTEXT_LENGTH,
        (0, Some(header), _) => header.settings.max_length,
        (0, None, Some(task)) => task.defaults(session.head(), "full")?.max_length,
        (given, ..) => given,
    };
    let length = length(most, session.model.spec());
    let demonstrations = args.demonstrations(&session, &wanted, &encoder)?;
    let (encoder, prompted) = match &demonstrations {
        Some(demonstrations) => demonstrations.put_before(&encoder, &data),
        None => (encoder, data.clone()),
    };
    if demonstrations.is_some() {
        let notes = session.check_demonstrations(&encoder, &prompted, length)?;
        notes.iter().for_each(|note| note!("{note}"));
    }
    let examples = encoder.encode(&session, &prompted, length)?;
    examples.notes.iter().for_each(|note| note!("{note}"));
    // The note on demonstrations counts the truncated texts.
    let counted = demonstrations.is_none().then_some(&examples);
    note_truncation(Some(args.max_length), length, [counted]);
    let report = session.evaluate(&encoder, &examples, &mut || Ok(())).await?;
    let wrong = report.labels.as_ref().map_or_else(Vec::new, |labels| labels.wrong(&data.rows));
    if context.json {
        let mut value =
            json!({ "loss": report.loss, "accuracy": report.accuracy, "examples": report.examples });
        if let Some(object) = value.as_object_mut() {
            object.extend(figures::fields(&report));
            if let Some(shown) = &demonstrations {
                let per_label: Map<String, Value> =
                    shown.per_label.iter().map(|(label, count)| (label.clone(), json!(count))).collect();
                let field = json!({ "rows": shown.rows, "per_label": per_label, "text": shown.text });
                object.insert("in_context".to_owned(), field);
            }
            if args.wrong {
                object.insert("wrong".to_owned(), json!(wrong));
            }
        }
        say!("{value}")?;
    } else {
        let f1 = report.f1.map(|f1| format!("F1 {:.1}%", f1 * 100.0));
        let loss = format!("loss {:.5} on {} examples", report.loss, report.examples);
        let shown = demonstrations.as_ref().map(|shown| match shown.rows.len() {
            1 => "1 example in the prompt".to_owned(),
            count => format!("{count} examples in the prompt"),
        });
        let parts = [shown, Some(figures::accuracy(&report)), f1, Some(loss)];
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

impl Args {
    /// The demonstrations to put before each evaluated row, if any are requested.
    fn demonstrations(
        &self,
        session: &Session,
        wanted: &DataArgs,
        encoder: &ExampleEncoder,
    ) -> Result<Option<Demonstrations>> {
        let Some(train) = self.train.as_deref().filter(|_| self.in_context > 0) else { return Ok(None) };
        let data = wanted.open(train, false)?.read(session)?;
        let shown = Demonstrations::draw(session, encoder, &data, self.in_context, wanted.draw.data_seed)?;
        let of: Vec<String> =
            shown.per_label.iter().map(|(label, count)| format!("{count} of {label:?}")).collect();
        let tokens = session.tokenizer()?.encode(&shown.text, false)?.len();
        let of = if of.is_empty() { String::new() } else { format!(" ({})", of.join(", ")) };
        note!("{} examples{of} precede each row: {tokens} tokens", shown.rows.len());
        Ok(Some(shown))
    }
}
