//! Gemma 2 (arXiv 2408.00118): Gemma 3 with soft caps of scores and logits, and without norms of
//! query and key heads.

use super::gemma3::{Version, decoder};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{ModelSpec, RotaryFields};

/// An absent cap is 50 or 30, and `null` is none.
pub(super) fn gemma2(config: &Config) -> Result<ModelSpec> {
    let cap = |field, default| match config.is_null(field) {
        true => Ok(None),
        false => config.f32_or(field, default).map(Some),
    };
    let rotary = RotaryFields { partial: None, ..RotaryFields::default() };
    let version = Version {
        family: "gemma2",
        class: "Gemma2ForSequenceClassification",
        head_norms: false,
        pattern: 2,
        full: rotary,
        sliding: rotary,
        attention_softcap: cap("attn_logit_softcapping", 50.0)?,
        logit_softcap: cap("final_logit_softcapping", 30.0)?,
        max_length: 8192,
    };
    decoder(config, &version)
}
