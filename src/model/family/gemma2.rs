//! Gemma 2 (arXiv 2408.00118): Gemma 3 with soft caps of scores and logits, and without norms of
//! query and key heads.

use super::gemma3::{Version, decoder};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{ModelSpec, RotaryFields};

/// A missing cap is refused, since `null` means none and an absent field means 50 and 30.
pub(super) fn gemma2(config: &Config) -> Result<ModelSpec> {
    let version = Version {
        family: "gemma2",
        class: "Gemma2ForSequenceClassification",
        head_norms: false,
        pattern: 2,
        full: RotaryFields::default(),
        sliding: RotaryFields::default(),
        attention_softcap: Some(config.f32("attn_logit_softcapping")?),
        logit_softcap: Some(config.f32("final_logit_softcapping")?),
        max_length: 8192,
    };
    decoder(config, &version)
}
