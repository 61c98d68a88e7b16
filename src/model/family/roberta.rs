//! RoBERTa (Liu et al. 2019, arXiv 1907.11692); XLM-RoBERTa (Conneau et al. 2019, arXiv 1911.02116) and CamemBERT (Martin et al.
//! 2019, arXiv 1911.03894), which are RoBERTa with other vocabularies; data2vec (Baevski et al. 2022, arXiv 2202.03555), which is
//! RoBERTa with different pretraining; and RoBERTa with pre-norms (Ott et al. 2019, arXiv 1904.01038).

use super::encoder::{EPSILON, LayerNames, Names, OF_BERT, PreNorms, Relative, encoder};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{Activation, ClassifierActivation, ClassifierSpec, ModelSpec};

pub(super) fn roberta(config: &Config) -> Result<ModelSpec> {
    encoder(config, &names(config, "roberta", ROBERTA, "RobertaForSequenceClassification")?)
}

pub(super) fn xlm_roberta(config: &Config) -> Result<ModelSpec> {
    encoder(config, &names(config, "xlm-roberta", ROBERTA, "XLMRobertaForSequenceClassification")?)
}

pub(super) fn camembert(config: &Config) -> Result<ModelSpec> {
    encoder(config, &names(config, "camembert", ROBERTA, "CamembertForSequenceClassification")?)
}

pub(super) fn data2vec_text(config: &Config) -> Result<ModelSpec> {
    let class = "Data2VecTextForSequenceClassification";
    encoder(config, &names(config, "data2vec-text", "data2vec_text.", class)?)
}

pub(super) fn roberta_prelayernorm(config: &Config) -> Result<ModelSpec> {
    let (prefix, class) = ("roberta_prelayernorm.", "RobertaPreLayerNormForSequenceClassification");
    let layer =
        LayerNames { attention_norm: "attention.LayerNorm", mlp_norm: "intermediate.LayerNorm", ..OF_BERT };
    let norms = PreNorms { last: "LayerNorm", embedding: true };
    let roberta = names(config, "roberta-prelayernorm", prefix, class)?;
    encoder(config, &Names { layer, pre_norms: Some(norms), ..roberta })
}

/// The prefix of the names of most tensors.
const ROBERTA: &str = "roberta.";

fn names(config: &Config, family: &'static str, prefix: &'static str, class: &'static str) -> Result<Names> {
    let (dense, tanh) = ("classifier.dense", ClassifierActivation::Tanh);
    Ok(Names {
        family,
        activation: "gelu",
        prefix,
        dense: "lm_head.dense",
        norm: "lm_head.layer_norm",
        decoder: "lm_head.decoder",
        bias: "lm_head.bias",
        head_activation: Some(Activation::Gelu),
        classifier: ClassifierSpec::first_token(class, dense, tanh, "classifier.out_proj"),
        layer: OF_BERT,
        sharing: None,
        types: true,
        tasks: None,
        relative: Relative::None,
        // Positions are counted from padding_idx + 1.
        position_offset: Some(config.u32_or("pad_token_id", 1)?.saturating_add(1)),
        epsilon: EPSILON,
        width: None,
        projection: None,
        pre_norms: None,
    })
}
