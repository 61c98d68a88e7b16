//! StarCoder2 (Lozhkov et al. 2024, arXiv 2402.19173): Llama with layer norms, biases, and an MLP without a gate.

use super::decoder::{Differences, decoder};
use super::parts::MlpLayers;
use super::{layer_count, window};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{ModelSpec, NormKind, RotaryFields};

pub(super) fn starcoder2(config: &Config) -> Result<ModelSpec> {
    let layers = layer_count(config, "num_hidden_layers")? as usize;
    let window = if config.has("sliding_window") { window(config, 0)? } else { None };
    let bias = config.bool_or("use_bias", true)?;
    let differences = Differences {
        qkv_bias: bias,
        output_bias: bias,
        mlp_bias: bias,
        norm: Some(NormKind::layer(config.f32_or("norm_epsilon", 1e-5)?)),
        mlp: MlpLayers::Plain { input: "mlp.c_fc", output: "mlp.c_proj" },
        activation: "gelu_pytorch_tanh",
        max_length: 4096,
        rotary: RotaryFields { partial: None, ..RotaryFields::default() },
        tied: true,
        windows: vec![window; layers],
        ..Differences::none("starcoder2", Some("Starcoder2ForSequenceClassification"))
    };
    decoder(config, &differences)
}
