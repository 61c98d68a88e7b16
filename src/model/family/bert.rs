//! BERT (Devlin et al. 2018), RoBERTa (Liu et al. 2019), XLM-RoBERTa (Conneau et al. 2019) and CamemBERT (Martin et al. 2019):
//! post-norm encoders with a masked-LM head.

use super::{activation, head_dim, layer_count};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::ClassifierActivation::Tanh;
use crate::model::{
    Attention, ClassifierSpec, Embedding, HeadSpec, HeadTransform, LayerSpec, LearnedPositions, Mlp,
    ModelSpec, NormKind, Norms, TensorList,
};

/// What differs between them: names, and where positions begin.
struct Naming {
    family: &'static str,
    prefix: &'static str,
    dense: &'static str,
    norm: &'static str,
    bias: &'static str,
    classifier: ClassifierSpec,
    position_offset: u32,
}

pub(super) fn bert(config: &Config) -> Result<ModelSpec> {
    let class = "BertForSequenceClassification";
    encoder(
        config,
        &Naming {
            family: "bert",
            prefix: "bert.",
            dense: "cls.predictions.transform.dense",
            norm: "cls.predictions.transform.LayerNorm",
            bias: "cls.predictions.bias",
            classifier: ClassifierSpec::first_token(class, "bert.pooler.dense", Tanh, "classifier"),
            position_offset: 0,
        },
    )
}

pub(super) fn roberta(config: &Config) -> Result<ModelSpec> {
    robust(config, "roberta", "RobertaForSequenceClassification")
}

pub(super) fn xlm_roberta(config: &Config) -> Result<ModelSpec> {
    robust(config, "xlm-roberta", "XLMRobertaForSequenceClassification")
}

pub(super) fn camembert(config: &Config) -> Result<ModelSpec> {
    robust(config, "camembert", "CamembertForSequenceClassification")
}

/// RoBERTa, and what has its names and another vocabulary.
fn robust(config: &Config, family: &'static str, class: &'static str) -> Result<ModelSpec> {
    // Positions count from padding_idx + 1.
    let position_offset = config.u32_or("pad_token_id", 1)?.saturating_add(1);
    encoder(
        config,
        &Naming {
            family,
            prefix: "roberta.",
            dense: "lm_head.dense",
            norm: "lm_head.layer_norm",
            bias: "lm_head.bias",
            classifier: ClassifierSpec::first_token(class, "classifier.dense", Tanh, "classifier.out_proj"),
            position_offset,
        },
    )
}

fn encoder(config: &Config, naming: &Naming) -> Result<ModelSpec> {
    let kind = config.str_or("position_embedding_type", "absolute")?;
    if kind != "absolute" {
        let name = config.name();
        bail!(ModelUnsupported, "{name}: position_embedding_type {kind:?}, only \"absolute\" is implemented");
    }
    super::require(config, "tie_word_embeddings", true, true)?;
    super::require(config, "is_decoder", false, false)?;
    let hidden = config.u32("hidden_size")?;
    let heads = config.u32("num_attention_heads")?;
    let head_dim = head_dim(config, hidden, heads)?;
    let intermediate = config.u32("intermediate_size")?;
    let vocabulary = config.u32("vocab_size")?;
    let positions = config.u32("max_position_embeddings")?;
    let norm = NormKind::layer(config.f32_or("layer_norm_eps", 1e-12)?);
    let hidden_act = activation(config, "hidden_act", "gelu")?;

    let family = naming.prefix.trim_end_matches('.');
    // Checkpoints of the first BERT release call a norm's parameters gamma and beta. Sentence encoders are saved from the model
    // without its head, whose names lack the family's.
    let mut tensors = TensorList::new(&[
        (naming.prefix, ""),
        ("LayerNorm.weight", "LayerNorm.gamma"),
        ("LayerNorm.bias", "LayerNorm.beta"),
        ("cls.predictions.bias", "cls.predictions.decoder.bias"),
        ("lm_head.bias", "lm_head.decoder.bias"),
    ]);
    let token_table =
        tensors.matrix(format!("{family}.embeddings.word_embeddings.weight"), vocabulary, hidden);
    let table = tensors.matrix(format!("{family}.embeddings.position_embeddings.weight"), positions, hidden);
    let types = config.u32_or("type_vocab_size", 2)?;
    let type_table =
        tensors.matrix(format!("{family}.embeddings.token_type_embeddings.weight"), types, hidden);
    let embedding_norm = tensors.norm(format!("{family}.embeddings.LayerNorm"), norm, hidden);
    let layers = (0..layer_count(config, "num_hidden_layers")?).map(|i| {
        let layer = format!("{family}.encoder.layer.{i}");
        let query = tensors.linear(format!("{layer}.attention.self.query"), hidden, hidden, true);
        let key = tensors.linear(format!("{layer}.attention.self.key"), hidden, hidden, true);
        let value = tensors.linear(format!("{layer}.attention.self.value"), hidden, hidden, true);
        let output = tensors.linear(format!("{layer}.attention.output.dense"), hidden, hidden, true);
        let attention_norm = tensors.norm(format!("{layer}.attention.output.LayerNorm"), norm, hidden);
        let up = tensors.linear(format!("{layer}.intermediate.dense"), intermediate, hidden, true);
        let down = tensors.linear(format!("{layer}.output.dense"), hidden, intermediate, true);
        let mlp_norm = tensors.norm(format!("{layer}.output.LayerNorm"), norm, hidden);
        LayerSpec {
            attention: Attention::new(head_dim, query, key, value, output),
            attention_norms: Norms::post(attention_norm),
            mlp: Mlp::Plain { up, activation: hidden_act, down },
            mlp_norms: Norms::post(mlp_norm),
        }
    });
    let layers = layers.collect();
    let dense = tensors.linear(naming.dense, hidden, hidden, true);
    let head_norm = tensors.norm(naming.norm, norm, hidden);
    let bias = tensors.bias(naming.bias, vocabulary);
    let transform = HeadTransform { dense, activation: hidden_act, norm: head_norm };
    Ok(ModelSpec {
        family: naming.family,
        vocabulary,
        hidden,
        heads,
        kv_heads: heads,
        head_dim,
        intermediate,
        max_length: positions.saturating_sub(naming.position_offset),
        causal: false,
        embedding: Embedding {
            types: Some(type_table),
            positions: Some(LearnedPositions { table, offset: naming.position_offset }),
            norm: Some(embedding_norm),
            ..Embedding::of(token_table)
        },
        layers,
        parallel_residual: false,
        final_norm: None,
        head: Ok(HeadSpec { transform: Some(transform), bias: Some(bias), ..HeadSpec::of(token_table) }),
        classifier: Some(naming.classifier),
        tensors,
    })
}
