//! Gemma 2 (arXiv 2408.00118): Gemma 3 with softcaps on scores and logits, and without norms of query and key heads. VaultGemma
//! (arXiv 2510.15001): the same without output norms.

use super::gemma3::{Version, decoder};
use super::require;
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{ModelSpec, RotaryFields};

pub(super) fn gemma2(config: &Config) -> Result<ModelSpec> {
    decoder(config, &version(config)?)
}

pub(super) fn vaultgemma(config: &Config) -> Result<ModelSpec> {
    decoder(config, &Version { family: "vaultgemma", class: None, output_norms: false, ..version(config)? })
}

/// An absent cap field means 50 for scores and 30 for logits; `null` means no cap.
fn version(config: &Config) -> Result<Version> {
    require(config, "use_bidirectional_attention", false, false)?;
    let cap = |field, default| match config.is_null(field) {
        true => Ok(None),
        false => config.f32_or(field, default).map(Some),
    };
    let rotary = RotaryFields { partial: None, ..RotaryFields::default() };
    Ok(Version {
        family: "gemma2",
        class: Some("Gemma2ForSequenceClassification"),
        output_norms: true,
        head_norms: false,
        bidirectional: false,
        pattern: 2,
        full: rotary,
        sliding: rotary,
        attention_softcap: cap("attn_logit_softcapping", 50.0)?,
        logit_softcap: cap("final_logit_softcapping", 30.0)?,
        max_length: 8192,
    })
}
