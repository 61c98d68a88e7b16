//! `pocketllm generate`.

use std::io::Write;

use serde_json::json;

use super::context::Context;
use super::model::TunedModel;
use crate::error::Result;
use crate::model::Sampling;
use crate::text::stream::Detokenizer;
use crate::zo::random::sampling_key;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: TunedModel,
    /// The text to continue
    #[arg(long)]
    prompt: String,
    /// The most tokens to write
    #[arg(long, default_value_t = 64)]
    max_tokens: u32,
    /// 0: always the most likely token
    #[arg(long, default_value_t = 0.0)]
    temperature: f32,
    /// Go on after the token that ends a text
    #[arg(long)]
    ignore_eos: bool,
    /// Seed of the sampling
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<()> {
    let (session, _) = args.model.load(context).await?;
    let tokenizer = session.tokenizer()?;
    let prompt = tokenizer.encode(&args.prompt, true)?;
    let sampling = Sampling { temperature: args.temperature };
    let mut generation = session.model.generate(&prompt, args.max_tokens, sampling)?;
    let mut text = Detokenizer::new(tokenizer.as_ref(), true);
    let mut ids = Vec::new();
    let mut written = String::new();
    for index in 0..args.max_tokens {
        let Some(id) = generation.next(&session.model, sampling_key(args.seed, index)).await? else { break };
        if Some(id) == tokenizer.eos() && !args.ignore_eos {
            break;
        }
        ids.push(id);
        if let Some(piece) = text.push(id)? {
            if !context.json {
                print!("{piece}");
                // Shown as it comes; a closed pipe is noticed by the line's end.
                let _ = std::io::stdout().flush();
            }
            written += &piece;
        }
    }
    if context.json {
        println!("{}", json!({ "text": written, "ids": ids, "prompt_ids": prompt }));
    } else {
        println!();
    }
    Ok(())
}
