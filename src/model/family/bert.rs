//! BERT (Devlin et al. 2018, arXiv 1810.04805).

use super::encoder::{Names, encoder};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{ClassifierActivation, ClassifierSpec, ModelSpec};

pub(super) fn bert(config: &Config) -> Result<ModelSpec> {
    let names = Names {
        family: "bert",
        prefix: "bert.",
        dense: "cls.predictions.transform.dense",
        norm: "cls.predictions.transform.LayerNorm",
        decoder: "cls.predictions.decoder",
        bias: "cls.predictions.bias",
        head_activation: None,
        classifier: ClassifierSpec::first_token(
            "BertForSequenceClassification",
            "bert.pooler.dense",
            ClassifierActivation::Tanh,
            "classifier",
        ),
        position_offset: 0,
        width: None,
    };
    encoder(config, &names)
}
