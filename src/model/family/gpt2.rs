//! GPT-2 (Radford et al. 2019): a pre-norm decoder with learned positions, whose linear layers are stored transposed, and whose
//! queries, keys and values are one of them.

use super::{activation, head_dim, layer_count, require};
use crate::error::Result;
use crate::format::config::{Aliases, Config};
use crate::model::{
    Attention, ClassifierSpec, Embedding, HeadSpec, LayerSpec, LearnedPositions, Mixer, Mlp, ModelSpec,
    NormKind, Norms, Projection, TensorList,
};

/// GPT-2's own names of fields that other families have too.
const ALIASES: Aliases = &[
    ("hidden_size", "n_embd"),
    ("intermediate_size", "n_inner"),
    ("max_position_embeddings", "n_positions"),
    ("max_position_embeddings", "n_ctx"),
    ("num_attention_heads", "n_head"),
    ("num_hidden_layers", "n_layer"),
];

pub(super) fn gpt2(config: &Config) -> Result<ModelSpec> {
    let config = &config.with_aliases(ALIASES);
    require(config, "add_cross_attention", false, false)?;
    let hidden = config.u32("hidden_size")?;
    let heads = config.u32("num_attention_heads")?;
    let head_dim = head_dim(config, hidden, heads)?;
    let intermediate = config.u32_or("intermediate_size", hidden.saturating_mul(4))?;
    let vocabulary = config.u32("vocab_size")?;
    let max_length = config.u32_or("max_position_embeddings", 1024)?;
    let norm = NormKind::layer(config.f32_or("layer_norm_epsilon", 1e-5)?);
    let activation = activation(config, "activation_function", "gelu_new")?;
    let scaled = config.bool_or("scale_attn_weights", true)?;
    let scaled_by_layer = config.bool_or("scale_attn_by_inverse_layer_idx", false)?;

    // The first checkpoints were saved from the model without its head.
    let mut tensors = TensorList::new(&[("transformer.", "")]);
    let token_table = tensors.matrix("transformer.wte.weight", vocabulary, hidden);
    let table = tensors.matrix("transformer.wpe.weight", max_length, hidden);
    let layers = (0..layer_count(config, "num_hidden_layers")?).map(|i| {
        let layer = format!("transformer.h.{i}");
        let attention_norm = tensors.norm(format!("{layer}.ln_1"), norm, hidden);
        let fused = tensors.conv1d(format!("{layer}.attn.c_attn"), hidden.saturating_mul(3), hidden, true);
        let [query, key, value] = fused.split([hidden; 3]);
        let output = tensors.conv1d(format!("{layer}.attn.c_proj"), hidden, hidden, true);
        let mlp_norm = tensors.norm(format!("{layer}.ln_2"), norm, hidden);
        let up = tensors.conv1d(format!("{layer}.mlp.c_fc"), intermediate, hidden, true);
        let down = tensors.conv1d(format!("{layer}.mlp.c_proj"), hidden, intermediate, true);
        let mut attention = Attention::new(head_dim, query, key, value, output);
        // Parts begin with whole vec4s.
        if !hidden.is_multiple_of(4) {
            attention.projection = Projection::Together;
        }
        if !scaled {
            attention.scale = 1.0;
        }
        if scaled_by_layer {
            attention.scale /= (i + 1) as f32;
        }
        LayerSpec {
            mixer: Mixer::Attention(attention),
            mixer_norms: Norms::pre(attention_norm),
            mlp: Mlp::Plain { up, activation, down },
            mlp_norms: Norms::pre(mlp_norm),
        }
    });
    let layers = layers.collect();
    let final_norm = tensors.norm("transformer.ln_f", norm, hidden);
    let tied = config.bool_or("tie_word_embeddings", true)?;
    let head_table = if tied { token_table } else { tensors.matrix("lm_head.weight", vocabulary, hidden) };
    let positions = LearnedPositions { table, offset: 0, padding: None };
    Ok(ModelSpec {
        family: "gpt2",
        vocabulary,
        hidden,
        heads,
        kv_heads: heads,
        head_dim,
        intermediate,
        max_length,
        causal: true,
        embedding: Embedding { positions: Some(positions), ..Embedding::of(token_table) },
        layers,
        parallel_residual: false,
        final_norm: Some(final_norm),
        head: Ok(HeadSpec::of(head_table)),
        classifier: Some(ClassifierSpec::last_token("GPT2ForSequenceClassification")),
        tensors,
    })
}
