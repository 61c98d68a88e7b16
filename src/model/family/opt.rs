//! OPT (Zhang et al. 2022): a decoder with learned positions and pre-norms. The 350M model has post-norms, and projections between
//! the hidden states and narrower embeddings.

use super::{activation, head_dim, layer_count, require};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{
    Attention, ClassifierSpec, Embedding, HeadSpec, LayerSpec, LearnedPositions, Mixer, Mlp, ModelSpec,
    NormKind, Norms, TensorList,
};

/// OPT's position table has two rows before position 0.
const POSITION_OFFSET: u32 = 2;

pub(super) fn opt(config: &Config) -> Result<ModelSpec> {
    require(config, "layer_norm_elementwise_affine", true, true)?;
    let hidden = config.u32("hidden_size")?;
    let width = config.u32_or("word_embed_proj_dim", hidden)?;
    let pre_norm = config.bool_or("do_layer_norm_before", true)?;
    let norms = if pre_norm { Norms::pre } else { Norms::post };
    let heads = config.u32("num_attention_heads")?;
    let head_dim = head_dim(config, hidden, heads)?;
    let intermediate = config.u32("ffn_dim")?;
    let vocabulary = config.u32("vocab_size")?;
    let max_length = config.u32("max_position_embeddings")?;
    let bias = config.bool_or("enable_bias", true)?;
    let norm = NormKind::layer(1e-5);
    let activation = activation(config, "activation_function", "relu")?;

    // Some checkpoints were saved from the base model without a head.
    let mut tensors = TensorList::new(&[("model.decoder.", "decoder.")]);
    let token_table = tensors.matrix("model.decoder.embed_tokens.weight", vocabulary, width);
    let rows = max_length.saturating_add(POSITION_OFFSET);
    let table = tensors.matrix("model.decoder.embed_positions.weight", rows, hidden);
    let projected = width != hidden;
    let projection = projected.then(|| tensors.linear("model.decoder.project_in", hidden, width, false));
    let positions = LearnedPositions { table, offset: POSITION_OFFSET, padding: None };
    let layers = (0..layer_count(config, "num_hidden_layers")?).map(|i| {
        let layer = format!("model.decoder.layers.{i}");
        let query = tensors.linear(format!("{layer}.self_attn.q_proj"), hidden, hidden, bias);
        let key = tensors.linear(format!("{layer}.self_attn.k_proj"), hidden, hidden, bias);
        let value = tensors.linear(format!("{layer}.self_attn.v_proj"), hidden, hidden, bias);
        let output = tensors.linear(format!("{layer}.self_attn.out_proj"), hidden, hidden, bias);
        let attention_norm = tensors.norm(format!("{layer}.self_attn_layer_norm"), norm, hidden);
        let up = tensors.linear(format!("{layer}.fc1"), intermediate, hidden, bias);
        let down = tensors.linear(format!("{layer}.fc2"), hidden, intermediate, bias);
        let mlp_norm = tensors.norm(format!("{layer}.final_layer_norm"), norm, hidden);
        LayerSpec {
            mixer: Mixer::Attention(Attention::new(head_dim, query, key, value, output)),
            mixer_norms: norms(attention_norm),
            mlp: Mlp::Plain { up, activation, down },
            mlp_norms: norms(mlp_norm),
        }
    });
    let layers = layers.collect();
    let normalized = pre_norm && !config.bool_or("_remove_final_layer_norm", false)?;
    let final_norm = normalized.then(|| tensors.norm("model.decoder.final_layer_norm", norm, hidden));
    let head_projection =
        projected.then(|| tensors.linear("model.decoder.project_out", width, hidden, false));
    let tied = config.bool_or("tie_word_embeddings", true)?;
    let head_table = if tied { token_table } else { tensors.matrix("lm_head.weight", vocabulary, width) };
    Ok(ModelSpec {
        family: "opt",
        vocabulary,
        hidden,
        heads,
        kv_heads: heads,
        head_dim,
        intermediate,
        max_length,
        causal: true,
        embedding: Embedding { positions: Some(positions), projection, ..Embedding::of(token_table) },
        layers,
        parallel_residual: false,
        final_norm,
        head: Ok(HeadSpec { projection: head_projection, ..HeadSpec::of(head_table) }),
        // The class of transformers scores the narrower states behind `project_out`, which is not implemented.
        classifier: (!projected).then(|| ClassifierSpec::last_token("OPTForSequenceClassification")),
        tensors,
    })
}
