//! LFM2 (Liquid AI 2025, arXiv 2511.23404): a decoder in which most layers have a gated short convolution in place of attention.

use super::parts::{AttentionNames, HeadNorms, Sizes};
use crate::error::{Result, bail};
use crate::format::config::{Aliases, Config};
use crate::model::{
    Activation, Attention, Convolution, Embedding, HeadSpec, LayerSpec, Mixer, Mlp, ModelSpec, NormKind,
    Norms, Rotary, RotaryFields, TensorList,
};

/// Older field names, which take precedence over the current ones.
const ALIASES: Aliases = &[
    ("tie_embedding", "tie_word_embeddings"),
    ("block_ff_dim", "intermediate_size"),
    ("intermediate_size", "block_ff_dim"),
];

/// The module names of the attention.
const NAMES: AttentionNames =
    AttentionNames { output: "out_proj", query_norm: "q_layernorm", key_norm: "k_layernorm" };

pub(super) fn lfm2(config: &Config) -> Result<ModelSpec> {
    let config = &config.with_aliases(ALIASES);
    let sizes = Sizes::read(config, None)?;
    let Sizes { vocabulary, hidden, heads, kv_heads, head_dim, .. } = sizes;
    let intermediate = intermediate(config)?;
    let norm = NormKind::rms(config.f32_or("norm_eps", 1e-5)?);
    let fields = RotaryFields { default_theta: 1e6, partial: None, ..RotaryFields::default() };
    let rotary = Rotary::read(config, head_dim, fields)?;
    let taps = config.u32_or("conv_L_cache", 3)?;
    if !(1..=64).contains(&taps) {
        bail!(ModelUnsupported, "{}: conv_L_cache is {taps}, expected 1 to 64", config.name());
    }
    let bias = config.bool_or("conv_bias", false)?;

    // Checkpoints saved from the base model without a head lack the prefix `model.`.
    let mut tensors = TensorList::new(&[("model.", "")]);
    let token_table = tensors.matrix("model.embed_tokens.weight", vocabulary, hidden);
    let layers = are_attention(config, sizes.layers)?.into_iter().enumerate().map(|(i, is_attention)| {
        let layer = format!("model.layers.{i}");
        let mixer_norm = tensors.norm(format!("{layer}.operator_norm"), norm, hidden);
        let mixer = if is_attention {
            let head_norms = Some((HeadNorms::Each, norm));
            let attention = sizes.attention(&mut tensors, &layer, NAMES, (false, false), head_norms);
            Mixer::Attention(Attention { rotary: Some(rotary.clone()), ..attention })
        } else {
            let (wide, narrow) = (hidden.saturating_mul(3), hidden);
            let input = tensors.linear(format!("{layer}.conv.in_proj"), wide, hidden, bias);
            let kernel = tensors.convolution(format!("{layer}.conv.conv"), hidden, taps, bias);
            let output = tensors.linear(format!("{layer}.conv.out_proj"), narrow, hidden, bias);
            Mixer::Convolution(Convolution { input, kernel, output })
        };
        let mlp_norm = tensors.norm(format!("{layer}.ffn_norm"), norm, hidden);
        let mut part =
            |name, rows, width| tensors.linear(format!("{layer}.feed_forward.{name}"), rows, width, false);
        let (gate, up) = (part("w1", intermediate, hidden), part("w3", intermediate, hidden));
        let down = part("w2", hidden, intermediate);
        LayerSpec {
            mixer,
            mixer_norms: Norms::pre(mixer_norm),
            mlp: Mlp::Glu { gate, up, together: false, activation: Activation::Silu, down },
            mlp_norms: Norms::pre(mlp_norm),
        }
    });
    let layers = layers.collect();
    let final_norm = tensors.norm("model.embedding_norm", norm, hidden);
    let tied = config.bool_or("tie_embedding", true)?;
    let table = if tied { token_table } else { tensors.matrix("lm_head.weight", vocabulary, hidden) };
    Ok(ModelSpec {
        family: "lfm2",
        vocabulary,
        hidden,
        heads,
        kv_heads,
        head_dim,
        intermediate,
        max_length: config.u32_or("max_position_embeddings", 128_000)?,
        causal: true,
        embedding: Embedding::of(token_table),
        layers,
        parallel_residual: false,
        final_norm: Some(final_norm),
        head: Ok(HeadSpec::of(table)),
        classifier: None,
        tensors,
    })
}

/// The layers that have attention: according to `layer_types`, or listed in `full_attn_idxs`, or all of them.
fn are_attention(config: &Config, layers: u32) -> Result<Vec<bool>> {
    let (types, name) = (config.str_list("layer_types")?, config.name());
    if types.is_empty() {
        if !config.has("full_attn_idxs") {
            return Ok(vec![true; layers as usize]);
        }
        let numbers = config.u32_list("full_attn_idxs")?;
        return Ok((0..layers).map(|layer| numbers.contains(&layer)).collect());
    }
    if types.len() != layers as usize {
        bail!(ModelUnsupported, "{name}: layer_types has {} entries for {layers} layers", types.len());
    }
    let is_attention = |kind: &&str| match *kind {
        "full_attention" => Ok(true),
        "conv" => Ok(false),
        other => bail!(ModelUnsupported, "{name}: a layer of type {other:?} is not implemented"),
    };
    types.iter().map(is_attention).collect()
}

/// The width of the MLP: two thirds of the field's value, times a factor, rounded up to a multiple, unless the configuration
/// disables this.
fn intermediate(config: &Config) -> Result<u32> {
    let said = config.u32("block_ff_dim")?;
    if !config.bool_or("block_auto_adjust_ff_dim", true)? {
        return Ok(said);
    }
    let width = (u64::from(said) * 2 / 3) as u32;
    if config.is_null("block_ffn_dim_multiplier") {
        return Ok(width);
    }
    let factor = f64::from(config.f32_or("block_ffn_dim_multiplier", 1.0)?);
    let multiple = config.u32_or("block_multiple_of", 256)?.max(1);
    Ok(((factor * f64::from(width)) as u32).div_ceil(multiple).saturating_mul(multiple))
}
