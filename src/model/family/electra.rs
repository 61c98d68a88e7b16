//! ELECTRA (Clark et al. 2020, arXiv 2003.10555): BERT with embeddings of another width. Its generator has a masked-LM head; the
//! head of its discriminator is not used here.

use super::encoder::{EPSILON, Names, OF_BERT, Relative, encoder};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{Activation, ClassifierActivation, ClassifierSpec, ModelSpec};

pub(super) fn electra(config: &Config) -> Result<ModelSpec> {
    let width = config.u32_or("embedding_size", 128)?;
    let names = Names {
        family: "electra",
        activation: "gelu",
        prefix: "electra.",
        dense: "generator_predictions.dense",
        norm: "generator_predictions.LayerNorm",
        decoder: "generator_lm_head",
        bias: "generator_lm_head.bias",
        head_activation: Some(Activation::Gelu),
        classifier: ClassifierSpec::first_token(
            "ElectraForSequenceClassification",
            "classifier.dense",
            ClassifierActivation::Of(Activation::Gelu),
            "classifier.out_proj",
        ),
        layer: OF_BERT,
        sharing: None,
        types: true,
        tasks: None,
        relative: Relative::None,
        position_offset: Some(0),
        epsilon: EPSILON,
        width: Some(width),
        projection: (width != config.u32("hidden_size")?).then_some("embeddings_project"),
        pre_norms: None,
    };
    encoder(config, &names)
}
