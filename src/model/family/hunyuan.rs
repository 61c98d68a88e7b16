//! Hunyuan without experts (Tencent 2025): Llama with a norm of each query and key head after rotary positions, whose base is
//! raised by a fixed factor.

use super::decoder::{Differences, decoder};
use super::parts::{AttentionNames, HeadNorms};
use super::require;
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{ModelSpec, RotaryFields};

pub(super) fn hunyuan_v1_dense(config: &Config) -> Result<ModelSpec> {
    // Fields of Tencent's own code that transformers does not read.
    require(config, "use_qk_norm", true, true)?;
    require(config, "use_cla", false, false)?;
    require(config, "mlp_bias", false, false)?;
    let differences = Differences {
        head_norms: Some(HeadNorms::Each),
        rotated_first: true,
        names: AttentionNames {
            query_norm: "query_layernorm",
            key_norm: "key_layernorm",
            ..AttentionNames::with_output("o_proj")
        },
        epsilon: 1e-5,
        rotary: RotaryFields { partial: None, alpha: true, ..RotaryFields::default() },
        ..Differences::none("hunyuan_v1_dense", Some("HunYuanDenseV1ForSequenceClassification"))
    };
    decoder(config, &differences.with_attention_bias(config)?)
}
