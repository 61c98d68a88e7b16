//! RoBERTa (Liu et al. 2019, arXiv 1907.11692), and XLM-RoBERTa (Conneau et al. 2019, arXiv 1911.02116) and CamemBERT (Martin et al.
//! 2019, arXiv 1911.03894), which are RoBERTa with other vocabularies.

use super::encoder::{Names, encoder};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{Activation, ClassifierActivation, ClassifierSpec, ModelSpec};

pub(super) fn roberta(config: &Config) -> Result<ModelSpec> {
    of(config, "roberta", "RobertaForSequenceClassification")
}

pub(super) fn xlm_roberta(config: &Config) -> Result<ModelSpec> {
    of(config, "xlm-roberta", "XLMRobertaForSequenceClassification")
}

pub(super) fn camembert(config: &Config) -> Result<ModelSpec> {
    of(config, "camembert", "CamembertForSequenceClassification")
}

fn of(config: &Config, family: &'static str, class: &'static str) -> Result<ModelSpec> {
    let (dense, tanh) = ("classifier.dense", ClassifierActivation::Tanh);
    let names = Names {
        family,
        prefix: "roberta.",
        dense: "lm_head.dense",
        norm: "lm_head.layer_norm",
        decoder: "lm_head.decoder",
        bias: "lm_head.bias",
        head_activation: Some(Activation::Gelu),
        classifier: ClassifierSpec::first_token(class, dense, tanh, "classifier.out_proj"),
        // Positions count from padding_idx + 1.
        position_offset: config.u32_or("pad_token_id", 1)?.saturating_add(1),
        width: None,
    };
    encoder(config, &names)
}
