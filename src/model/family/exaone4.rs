//! EXAONE 4 (LG AI Research 2025, arXiv 2507.11407): Llama with output norms instead of input norms, and with a norm of each query
//! and key head. If some layers use a sliding window, the others have no rotary positions.

use super::decoder::{Differences, decoder};
use super::parts::{HeadNorms, windowed};
use super::{layer_count, window};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::ModelSpec;

pub(super) fn exaone4(config: &Config) -> Result<ModelSpec> {
    let window = window(config, 4096)?;
    // A pattern such as "LLLG" is published only together with layer_types, and transformers reads it only then.
    let every = if window.is_none() || config.has("layer_types") { 1 } else { pattern(config)? };
    let windowed = windowed(config, layer_count(config, "num_hidden_layers")?, |i| (i + 1) % every != 0)?;
    let differences = Differences {
        head_norms: Some(HeadNorms::Each),
        norms_after: true,
        epsilon: 1e-5,
        windows: windowed.iter().map(|windowed| window.filter(|_| *windowed)).collect(),
        unrotated: windowed.iter().map(|windowed| window.is_some() && !windowed).collect(),
        ..Differences::none("exaone4", Some("Exaone4ForSequenceClassification"))
    };
    decoder(config, &differences)
}

/// The period of the layers that attend to all tokens: one in this many layers does.
fn pattern(config: &Config) -> Result<u32> {
    let field = "sliding_window_pattern";
    match config.is_null(field) {
        false => match config.u32_or(field, 4)? {
            0 => bail!(ModelUnsupported, "{}: {field} is 0, expected 1 or more", config.name()),
            every => Ok(every),
        },
        true => bail!(ModelUnsupported, "{}: {field} is null, but there is a sliding_window", config.name()),
    }
}
