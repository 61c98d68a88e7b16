//! `pocketllm generate`.

use std::ops::ControlFlow;

use serde_json::json;

use super::context::Context;
use super::model::TunedModel;
use super::print::{self, note, say};
use crate::error::Result;
use crate::train::{End, WriteOptions};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: TunedModel,
    /// The text to continue
    #[arg(long)]
    prompt: String,
    /// Maximum number of tokens to generate
    #[arg(long, default_value_t = 64)]
    max_tokens: u32,
    /// Sampling temperature; 0 always takes the most likely token
    #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
    temperature: f32,
    /// Continue after the token that ends a text
    #[arg(long)]
    ignore_eos: bool,
    /// Seed of the sampling
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

pub(super) async fn run(context: &Context, args: &Args) -> Result<()> {
    let (session, _) = args.model.load(context).await?;
    let unapplied = session.unapplied(args.temperature);
    if !unapplied.is_empty() {
        note!("generation_config.json: these fields are set and are not applied: {}", unapplied.join(", "));
    }
    let prompt = session.prompt(&args.prompt)?;
    let options = WriteOptions {
        max_tokens: args.max_tokens,
        temperature: args.temperature,
        seed: args.seed,
        ignore_eos: args.ignore_eos,
    };
    let written = session
        .write(&prompt, options, &mut |piece| {
            if context.json { Ok(ControlFlow::Continue(())) } else { print::piece(piece) }
        })
        .await?;
    if context.json {
        say!(
            "{}",
            json!({ "text": written.text, "ids": written.ids, "prompt_ids": prompt, "end": written.end })
        )?;
    } else {
        say!("")?;
    }
    if written.end == Some(End::Context) {
        note!(
            "the text ends after {} of {} tokens, because with the {} tokens of the prompt it fills the model's context of {} tokens",
            written.ids.len(),
            args.max_tokens,
            prompt.len(),
            session.model.max_length()
        );
    }
    Ok(())
}
