//! ERNIE 4.5 without experts (Baidu 2025): Llama whose rotary positions rotate adjacent columns of a head.

use super::decoder::{Differences, decoder};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::{ModelSpec, RotaryFields};

pub(super) fn ernie4_5(config: &Config) -> Result<ModelSpec> {
    // A field of Baidu's own code that transformers does not have.
    let ratio = config.f32_or("compression_ratio", 1.0)?;
    if ratio != 1.0 {
        bail!(ModelUnsupported, "{}: compression_ratio is {ratio}, but only 1 is implemented", config.name());
    }
    let bias = config.bool_or("use_bias", false)?;
    let differences = Differences {
        qkv_bias: bias,
        output_bias: bias,
        mlp_bias: bias,
        head_dim: if config.is_null("head_dim") { None } else { Some(128) },
        epsilon: 1e-5,
        max_length: 131_072,
        rotary: RotaryFields { default_theta: 5e5, partial: None, adjacent: true, ..RotaryFields::default() },
        tied: true,
        ..Differences::none("ernie4_5", None)
    };
    decoder(config, &differences)
}
