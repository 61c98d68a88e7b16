//! ALBERT (Lan et al. 2019, arXiv 1909.11942): BERT with narrow embeddings, whose layers share their weights.

use super::encoder::{EPSILON, LayerNames, Names, Relative, Sharing, encoder};
use super::fields::MAX_LAYERS;
use super::{at_least_one, layer_count};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::{ClassifierActivation, ClassifierSpec, ModelSpec};

pub(super) fn albert(config: &Config) -> Result<ModelSpec> {
    let executions = layer_count(config, "num_hidden_layers")?;
    let groups = at_least_one(config, "num_hidden_groups", 1)?;
    let layers = at_least_one(config, "inner_group_num", 1)?;
    if groups > executions {
        bail!(
            ModelUnsupported,
            "{}: num_hidden_groups is {groups}, expected at most num_hidden_layers, {executions}",
            config.name()
        );
    }
    if layers > MAX_LAYERS / executions {
        bail!(
            ModelUnsupported,
            "{}: {executions} executions of {layers} layers (num_hidden_layers and inner_group_num), expected at most {MAX_LAYERS} layers \
             in total",
            config.name()
        );
    }
    let names = Names {
        family: "albert",
        activation: "gelu_new",
        prefix: "albert.",
        dense: "predictions.dense",
        norm: "predictions.LayerNorm",
        decoder: "predictions.decoder",
        bias: "predictions.bias",
        head_activation: None,
        classifier: ClassifierSpec::first_token(
            "AlbertForSequenceClassification",
            "albert.pooler",
            ClassifierActivation::Tanh,
            "classifier",
        ),
        layer: LayerNames {
            query: "attention.query",
            key: "attention.key",
            value: "attention.value",
            output: "attention.dense",
            attention_norm: "attention.LayerNorm",
            up: "ffn",
            down: "ffn_output",
            mlp_norm: "full_layer_layer_norm",
        },
        sharing: Some(Sharing {
            path: "encoder.albert_layer_groups",
            inner: "albert_layers",
            groups,
            layers,
        }),
        types: true,
        tasks: None,
        relative: Relative::None,
        position_offset: Some(0),
        epsilon: EPSILON,
        width: Some(config.u32_or("embedding_size", 128)?),
        projection: Some("encoder.embedding_hidden_mapping_in"),
        pre_norms: None,
    };
    encoder(config, &names)
}
