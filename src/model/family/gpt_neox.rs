//! GPT-NeoX (Black et al. 2022, arXiv 2204.06745) and Pythia (Biderman et al. 2023, arXiv 2304.01373): a decoder whose attention
//! and MLP read the same hidden states through separate norms, with rotary positions on a part of each head.

use super::{activation, head_dim, layer_count};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{
    Attention, ClassifierSpec, Embedding, HeadSpec, LayerSpec, Mixer, Mlp, ModelSpec, NormKind, Norms,
    Projection, Rotary, RotaryFields, TensorList,
};

pub(super) fn gpt_neox(config: &Config) -> Result<ModelSpec> {
    let hidden = config.u32("hidden_size")?;
    let heads = config.u32("num_attention_heads")?;
    let head_dim = head_dim(config, hidden, heads)?;
    let intermediate = config.u32("intermediate_size")?;
    let vocabulary = config.u32("vocab_size")?;
    let norm = NormKind::layer(config.f32_or("layer_norm_eps", 1e-5)?);
    let activation = activation(config, "hidden_act", "gelu")?;
    let bias = config.bool_or("attention_bias", true)?;
    let partial = Some(config.f32_or("rotary_pct", 0.25)?);
    let fields = RotaryFields { theta: "rotary_emb_base", partial, ..RotaryFields::default() };
    let rotary = Rotary::read(config, head_dim, fields)?;

    // Checkpoints saved from the base model without a head lack the prefix.
    let mut tensors = TensorList::new(&[("gpt_neox.", "")]);
    let token_table = tensors.matrix("gpt_neox.embed_in.weight", vocabulary, hidden);
    let layers = (0..layer_count(config, "num_hidden_layers")?).map(|i| {
        let layer = format!("gpt_neox.layers.{i}");
        let attention_norm = tensors.norm(format!("{layer}.input_layernorm"), norm, hidden);
        let mlp_norm = tensors.norm(format!("{layer}.post_attention_layernorm"), norm, hidden);
        let name = format!("{layer}.attention.query_key_value");
        let [query, key, value] =
            tensors.linear(name, hidden.saturating_mul(3), hidden, bias).split([hidden; 3]);
        let output = tensors.linear(format!("{layer}.attention.dense"), hidden, hidden, bias);
        let up = tensors.linear(format!("{layer}.mlp.dense_h_to_4h"), intermediate, hidden, true);
        let down = tensors.linear(format!("{layer}.mlp.dense_4h_to_h"), hidden, intermediate, true);
        LayerSpec {
            mixer: Mixer::Attention(Attention {
                projection: Projection::ByHead,
                rotary: Some(rotary.clone()),
                ..Attention::new(head_dim, query, key, value, output)
            }),
            mixer_norms: Norms::pre(attention_norm),
            mlp: Mlp::Plain { up, activation, down },
            mlp_norms: Norms::pre(mlp_norm),
        }
    });
    let layers = layers.collect();
    let final_norm = tensors.norm("gpt_neox.final_layer_norm", norm, hidden);
    let tied = config.bool_or("tie_word_embeddings", false)?;
    let table = if tied { token_table } else { tensors.matrix("embed_out.weight", vocabulary, hidden) };
    Ok(ModelSpec {
        family: "gpt_neox",
        vocabulary,
        hidden,
        heads,
        kv_heads: heads,
        head_dim,
        intermediate,
        max_length: config.u32_or("max_position_embeddings", 2048)?,
        causal: true,
        embedding: Embedding::of(token_table),
        layers,
        parallel_residual: config.bool_or("use_parallel_residual", true)?,
        final_norm: Some(final_norm),
        head: Ok(HeadSpec::of(table)),
        classifier: Some(ClassifierSpec::last_token("GPTNeoXForSequenceClassification")),
        tensors,
    })
}
