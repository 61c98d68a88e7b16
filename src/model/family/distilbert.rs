//! DistilBERT (Sanh et al. 2019, arXiv 1910.01108): BERT without token types, and with its own tensor names.

use super::{activation, head_dim, layer_count};
use crate::error::Result;
use crate::format::config::{Aliases, Config};
use crate::model::{
    Activation, Attention, ClassifierActivation, ClassifierSpec, Embedding, HeadSpec, HeadTransform,
    LayerSpec, LearnedPositions, Mixer, Mlp, ModelSpec, NormKind, Norms, TensorList,
};

/// DistilBERT's own names for fields that other families also have.
const ALIASES: Aliases =
    &[("hidden_size", "dim"), ("num_attention_heads", "n_heads"), ("num_hidden_layers", "n_layers")];

pub(super) fn distilbert(config: &Config) -> Result<ModelSpec> {
    // Sinusoidal positions are stored as a table in the checkpoint, like learned ones.
    let config = &config.with_aliases(ALIASES);
    let hidden = config.u32_or("hidden_size", 768)?;
    let heads = config.u32_or("num_attention_heads", 12)?;
    let head_dim = head_dim(config, hidden, heads)?;
    let intermediate = config.u32_or("hidden_dim", 3072)?;
    let vocabulary = config.u32_or("vocab_size", 30_522)?;
    let positions = config.u32_or("max_position_embeddings", 512)?;
    let norm = NormKind::layer(1e-12);
    let activation = activation(config, "activation", "gelu")?;

    // Checkpoints saved from the base model without a head lack the prefix, and some have the names of TensorFlow's norms.
    let mut tensors = TensorList::new(&[
        ("distilbert.", ""),
        ("LayerNorm.weight", "LayerNorm.gamma"),
        ("LayerNorm.bias", "LayerNorm.beta"),
    ]);
    let token_table = tensors.matrix("distilbert.embeddings.word_embeddings.weight", vocabulary, hidden);
    let table = tensors.matrix("distilbert.embeddings.position_embeddings.weight", positions, hidden);
    let embedding_norm = tensors.norm("distilbert.embeddings.LayerNorm", norm, hidden);
    let layers = (0..layer_count(config, "num_hidden_layers")?).map(|i| {
        let layer = format!("distilbert.transformer.layer.{i}");
        let square = |tensors: &mut TensorList, name| {
            tensors.linear(format!("{layer}.attention.{name}"), hidden, hidden, true)
        };
        let query = square(&mut tensors, "q_lin");
        let key = square(&mut tensors, "k_lin");
        let value = square(&mut tensors, "v_lin");
        let output = square(&mut tensors, "out_lin");
        let attention_norm = tensors.norm(format!("{layer}.sa_layer_norm"), norm, hidden);
        let up = tensors.linear(format!("{layer}.ffn.lin1"), intermediate, hidden, true);
        let down = tensors.linear(format!("{layer}.ffn.lin2"), hidden, intermediate, true);
        let mlp_norm = tensors.norm(format!("{layer}.output_layer_norm"), norm, hidden);
        LayerSpec {
            mixer: Mixer::Attention(Attention::new(head_dim, query, key, value, output)),
            mixer_norms: Norms::post(attention_norm),
            mlp: Mlp::Plain { up, activation, down },
            mlp_norms: Norms::post(mlp_norm),
        }
    });
    let layers = layers.collect();
    let dense = tensors.linear("vocab_transform", hidden, hidden, true);
    let head_norm = tensors.norm("vocab_layer_norm", norm, hidden);
    let tied = config.bool_or("tie_word_embeddings", true)?;
    let head_table =
        if tied { token_table } else { tensors.matrix("vocab_projector.weight", vocabulary, hidden) };
    let bias = tensors.bias("vocab_projector.bias", vocabulary);
    let transform = HeadTransform { dense, activation, norm: head_norm };
    Ok(ModelSpec {
        family: "distilbert",
        vocabulary,
        hidden,
        heads,
        kv_heads: heads,
        head_dim,
        intermediate,
        max_length: positions,
        causal: false,
        embedding: Embedding {
            positions: Some(LearnedPositions { table, offset: 0, padding: None }),
            norm: Some(embedding_norm),
            ..Embedding::of(token_table)
        },
        layers,
        parallel_residual: false,
        final_norm: None,
        head: Ok(HeadSpec { transform: Some(transform), bias: Some(bias), ..HeadSpec::of(head_table) }),
        classifier: Some(ClassifierSpec::first_token(
            "DistilBertForSequenceClassification",
            "pre_classifier",
            ClassifierActivation::Of(Activation::Relu),
            "classifier",
        )),
        tensors,
    })
}
