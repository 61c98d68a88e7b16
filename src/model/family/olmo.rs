//! OLMo (Groeneveld et al. 2024, arXiv 2402.00838): Llama with layer norms that have neither weights nor biases.

use super::decoder::{Differences, decoder};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::{ModelSpec, NormKind};

pub(super) fn olmo(config: &Config) -> Result<ModelSpec> {
    if let Some(clip) = config.opt_f32("clip_qkv")? {
        bail!(ModelUnsupported, "{}: clip_qkv is {clip}, but only null is implemented", config.name());
    }
    // A field of GGUF files; transformers hardcodes this value.
    let eps = config.f32_or("layer_norm_eps", 1e-5)?;
    if eps != 1e-5 {
        bail!(ModelUnsupported, "{}: layer_norm_eps is {eps}, but only 1e-5 is implemented", config.name());
    }
    let differences = Differences {
        norm: Some(NormKind::Standard { eps }),
        ..Differences::none("olmo", Some("OlmoForSequenceClassification"))
    };
    decoder(config, &differences.with_attention_bias(config)?)
}
