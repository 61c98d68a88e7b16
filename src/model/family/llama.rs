//! Llama (Touvron et al. 2023) and its kin (SmolLM2, TinyLlama): a pre-norm decoder with rotary positions, grouped
//! heads and SwiGLU.

use super::{activation, head_dim, layer_count, require};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::{
    Attention, Embedding, HeadSpec, LayerSpec, Mlp, ModelSpec, NormKind, Norms, Rotary, RotaryFields,
    TensorList,
};

pub(super) fn llama(config: &Config) -> Result<ModelSpec> {
    require(config, "attention_bias", false, false)?;
    require(config, "mlp_bias", false, false)?;
    let name = config.name();
    if config.has("sliding_window") {
        bail!(ModelUnsupported, "{name}: sliding_window is not implemented");
    }
    let hidden = config.u32("hidden_size")?;
    let heads = config.u32("num_attention_heads")?;
    let kv_heads = config.u32_or("num_key_value_heads", heads)?;
    let head_dim = match config.has("head_dim") {
        true => config.u32("head_dim")?,
        false => head_dim(config, hidden, heads)?,
    };
    let Some((q_width, kv_width)) = heads.checked_mul(head_dim).zip(kv_heads.checked_mul(head_dim)) else {
        bail!(ModelUnsupported, "{name}: {heads} heads of {head_dim} are too many");
    };
    let intermediate = config.u32("intermediate_size")?;
    let vocabulary = config.u32("vocab_size")?;
    let norm = NormKind::rms(config.f32_or("rms_norm_eps", 1e-6)?);
    let activation = activation(config, "hidden_act", "silu")?;

    let rotary = Rotary::read(config, head_dim, RotaryFields::default())?;

    let mut tensors = TensorList::new(&[]);
    let token_table = tensors.matrix("model.embed_tokens.weight", vocabulary, hidden);
    let layers = (0..layer_count(config, "num_hidden_layers")?).map(|i| {
        let layer = format!("model.layers.{i}");
        let attention_norm = tensors.norm(format!("{layer}.input_layernorm"), norm, hidden);
        let query = tensors.linear(format!("{layer}.self_attn.q_proj"), q_width, hidden, false);
        let key = tensors.linear(format!("{layer}.self_attn.k_proj"), kv_width, hidden, false);
        let value = tensors.linear(format!("{layer}.self_attn.v_proj"), kv_width, hidden, false);
        let output = tensors.linear(format!("{layer}.self_attn.o_proj"), hidden, q_width, false);
        let mlp_norm = tensors.norm(format!("{layer}.post_attention_layernorm"), norm, hidden);
        let gate = tensors.linear(format!("{layer}.mlp.gate_proj"), intermediate, hidden, false);
        let up = tensors.linear(format!("{layer}.mlp.up_proj"), intermediate, hidden, false);
        let down = tensors.linear(format!("{layer}.mlp.down_proj"), hidden, intermediate, false);
        LayerSpec {
            attention: Attention {
                rotary: Some(rotary),
                ..Attention::new(head_dim, query, key, value, output)
            },
            attention_norms: Norms::pre(attention_norm),
            mlp: Mlp::Glu { gate, up, activation, down },
            mlp_norms: Norms::pre(mlp_norm),
        }
    });
    let layers = layers.collect();
    let final_norm = tensors.norm("model.norm", norm, hidden);
    let tied = config.bool_or("tie_word_embeddings", false)?;
    let table = if tied { token_table } else { tensors.matrix("lm_head.weight", vocabulary, hidden) };
    Ok(ModelSpec {
        family: "llama",
        vocabulary,
        hidden,
        heads,
        kv_heads,
        head_dim,
        intermediate,
        max_length: config.u32_or("max_position_embeddings", 2048)?,
        causal: true,
        embedding: Embedding::of(token_table),
        layers,
        parallel_residual: false,
        final_norm: Some(final_norm),
        head: HeadSpec::causal(table),
        tensors,
    })
}
