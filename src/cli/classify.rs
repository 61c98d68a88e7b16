//! `pocketllm classify`.

use serde_json::{Map, Value, json};

use super::context::Context;
use super::data::{PromptArgs, note_truncation};
use super::model::TunedModel;
use super::print::say;
use crate::error::{Result, bail};
use crate::train::length;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: TunedModel,
    /// A text to classify; may be given several times
    #[arg(long, required = true)]
    text: Vec<String>,
    /// The second text of each pair, as many as there are texts
    #[arg(long)]
    text_b: Vec<String>,
    #[command(flatten)]
    prompt: PromptArgs,
    /// Maximum tokens per text; longer texts are truncated. 0 takes the value of the trajectory, or 128 for a masked and 512 for a causal model
    #[arg(long, default_value_t = 0)]
    max_length: u32,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<()> {
    if !args.text_b.is_empty() && args.text_b.len() != args.text.len() {
        let (texts, seconds) = (args.text.len(), args.text_b.len());
        bail!(InvalidArgument, "--text-b: expected one for each of the {texts} texts, found {seconds}");
    }
    let (mut session, header) = args.model.load(context).await?;
    let encoder = args.prompt.encoder(&session, header.as_ref()).await?;
    let wanted = match (args.max_length, &header) {
        (0, Some(header)) => header.settings.max_length,
        (wanted, _) => wanted,
    };
    let length = length(wanted, session.model.spec());
    let labels = encoder.label_words().to_vec();
    let seconds = args.text_b.iter().map(|text_b| Some(text_b.as_str())).chain(std::iter::repeat(None));
    let texts: Vec<_> = args.text.iter().map(String::as_str).zip(seconds).collect();
    let examples = session.texts(&encoder, &texts, length)?;
    note_truncation(Some(args.max_length), length, [Some(&examples)]);
    let mut found = Vec::new();
    for ((text, _), probabilities) in texts.iter().zip(session.classify(&encoder, &examples).await?) {
        let best = (1..probabilities.len())
            .fold(0, |best, at| if probabilities[at] > probabilities[best] { at } else { best });
        if context.json {
            let of_labels = labels.iter().zip(&probabilities).map(|(label, p)| (label.clone(), json!(p)));
            let of_labels: Map<String, Value> = of_labels.collect();
            found.push(json!({ "text": text, "label": labels[best], "probabilities": of_labels }));
        } else {
            say!("{}\t{:.1}%\t{text}", labels[best], probabilities[best] * 100.0)?;
        }
    }
    if context.json {
        say!("{}", json!(found))?;
    }
    Ok(())
}
