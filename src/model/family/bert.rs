//! BERT (Devlin et al. 2018, arXiv 1810.04805); Megatron-BERT (Shoeybi et al. 2019, arXiv 1909.08053), which is BERT with
//! pre-norms; and ERNIE (Sun et al. 2019, arXiv 1904.09223), which is BERT with different pretraining.

use super::at_least_one;
use super::encoder::{EPSILON, LayerNames, Names, OF_BERT, PreNorms, Relative, encoder};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{ClassifierActivation, ClassifierSpec, ModelSpec};

pub(super) fn bert(config: &Config) -> Result<ModelSpec> {
    encoder(config, &names("bert", "bert.", "bert.pooler.dense", "BertForSequenceClassification"))
}

pub(super) fn megatron_bert(config: &Config) -> Result<ModelSpec> {
    let norms = PreNorms { last: "encoder.ln", embedding: false };
    let names = Names {
        layer: LayerNames { attention_norm: "attention.ln", mlp_norm: "ln", ..OF_BERT },
        pre_norms: Some(norms),
        ..names("megatron-bert", "bert.", "bert.pooler.dense", "MegatronBertForSequenceClassification")
    };
    encoder(config, &names)
}

pub(super) fn ernie(config: &Config) -> Result<ModelSpec> {
    // transformers gives all tokens the task type 0.
    let tasks = match config.bool_or("use_task_id", false)? {
        true => Some(at_least_one(config, "task_type_vocab_size", 3)?),
        false => None,
    };
    let names = names("ernie", "ernie.", "ernie.pooler.dense", "ErnieForSequenceClassification");
    encoder(config, &Names { tasks, ..names })
}

fn names(family: &'static str, prefix: &'static str, dense: &'static str, class: &'static str) -> Names {
    Names {
        family,
        activation: "gelu",
        prefix,
        dense: "cls.predictions.transform.dense",
        norm: "cls.predictions.transform.LayerNorm",
        decoder: "cls.predictions.decoder",
        bias: "cls.predictions.bias",
        head_activation: None,
        classifier: ClassifierSpec::first_token(class, dense, ClassifierActivation::Tanh, "classifier"),
        layer: OF_BERT,
        sharing: None,
        types: true,
        tasks: None,
        relative: Relative::None,
        position_offset: Some(0),
        epsilon: EPSILON,
        width: None,
        projection: None,
        pre_norms: None,
    }
}
