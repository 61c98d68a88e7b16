//! Gemma 3, its text model (arXiv 2503.19786): a decoder with norms before and after each sublayer, of query and key heads too, all of
//! which multiply by 1 + w; five layers with attention to a window for each one that sees all.

use super::parts::{Sizes, windowed};
use super::{activation, require};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::{
    Attention, Embedding, HeadSpec, LayerSpec, ModelSpec, NormKind, Norms, Rotary, RotaryFields, TensorList,
};

/// transformers has the field `attn_logit_softcapping` and does not use it: it is Gemma 2's.
pub(super) fn gemma3(config: &Config) -> Result<ModelSpec> {
    require(config, "use_bidirectional_attention", false, false)?;
    let sizes = Sizes::read(config, Some(256))?;
    let Sizes { vocabulary, hidden, heads, kv_heads, head_dim, intermediate, .. } = sizes;
    let norm = NormKind::Rms { eps: config.f32_or("rms_norm_eps", 1e-6)?, plus_one: true };
    let activation = activation(config, "hidden_activation", "gelu_pytorch_tanh")?;
    let bias = config.bool_or("attention_bias", false)?;
    let pattern = config.u32_or("sliding_window_pattern", 6)?.max(1);
    let windowed = windowed(config, sizes.layers, |i| (i + 1) % pattern != 0)?;
    let window = config.u32_or("sliding_window", 4096)?;
    let scalar = config.f32_or("query_pre_attn_scalar", 256.0)?;
    if scalar <= 0.0 {
        bail!(ModelUnsupported, "{}: query_pre_attn_scalar is {scalar}, expected more than 0", config.name());
    }
    let full =
        RotaryFields { layer_type: Some("full_attention"), default_theta: 1e6, ..RotaryFields::default() };
    let sliding = RotaryFields {
        layer_type: Some("sliding_attention"),
        theta: "rope_local_base_freq",
        default_theta: 1e4,
        scaled: false,
        ..RotaryFields::default()
    };
    let (full, sliding) = (Rotary::read(config, head_dim, full)?, Rotary::read(config, head_dim, sliding)?);

    let mut tensors = TensorList::new(&[]);
    let token_table = tensors.matrix("model.embed_tokens.weight", vocabulary, hidden);
    let layers = windowed.into_iter().enumerate().map(|(i, windowed)| {
        let layer = format!("model.layers.{i}");
        let around = |tensors: &mut TensorList, name| tensors.norm(format!("{layer}.{name}"), norm, hidden);
        let attention_norm = around(&mut tensors, "input_layernorm");
        let attention = sizes.attention(&mut tensors, &layer, (bias, bias), Some(norm));
        let attention_output_norm = around(&mut tensors, "post_attention_layernorm");
        let mlp_norm = around(&mut tensors, "pre_feedforward_layernorm");
        let mlp = sizes.mlp(&mut tensors, &layer, activation, false);
        let mlp_output_norm = around(&mut tensors, "post_feedforward_layernorm");
        LayerSpec {
            attention: Attention {
                rotary: Some(if windowed { sliding } else { full }),
                window: windowed.then_some(window),
                scale: scalar.powf(-0.5),
                ..attention
            },
            attention_norms: Norms::sandwich(attention_norm, attention_output_norm),
            mlp,
            mlp_norms: Norms::sandwich(mlp_norm, mlp_output_norm),
        }
    });
    let layers = layers.collect();
    let final_norm = tensors.norm("model.norm", norm, hidden);
    let tied = config.bool_or("tie_word_embeddings", true)?;
    let table = if tied { token_table } else { tensors.matrix("lm_head.weight", vocabulary, hidden) };
    let softcap = config.opt_f32("final_logit_softcapping")?;
    Ok(ModelSpec {
        family: "gemma3_text",
        vocabulary,
        hidden,
        heads,
        kv_heads,
        head_dim,
        intermediate,
        max_length: config.u32_or("max_position_embeddings", 131_072)?,
        causal: true,
        embedding: Embedding { scale: (hidden as f32).sqrt(), ..Embedding::of(token_table) },
        layers,
        parallel_residual: false,
        final_norm: Some(final_norm),
        head: HeadSpec { softcap, ..HeadSpec::causal(table) },
        tensors,
    })
}
