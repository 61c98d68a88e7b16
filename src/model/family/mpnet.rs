//! MPNet (Song et al. 2020, arXiv 2004.09297): RoBERTa without token types, and with relative positions besides the learned ones.

use super::encoder::{EPSILON, LayerNames, Names, OF_BERT, Relative, encoder};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::{Activation, ClassifierActivation, ClassifierSpec, ModelSpec, RelativePositions};

pub(super) fn mpnet(config: &Config) -> Result<ModelSpec> {
    let rows = config.u32_or("relative_attention_num_buckets", RelativePositions::BUCKETS)?;
    if rows < RelativePositions::BUCKETS {
        let (name, least) = (config.name(), RelativePositions::BUCKETS);
        bail!(
            ModelUnsupported,
            "{name}: relative_attention_num_buckets is {rows}, expected {least} or more, as transformers uses {least}"
        );
    }
    let (dense, tanh) = ("classifier.dense", ClassifierActivation::Tanh);
    let names = Names {
        family: "mpnet",
        activation: "gelu",
        prefix: "mpnet.",
        dense: "lm_head.dense",
        norm: "lm_head.layer_norm",
        decoder: "lm_head.decoder",
        bias: "lm_head.bias",
        head_activation: Some(Activation::Gelu),
        classifier: ClassifierSpec::first_token(
            "MPNetForSequenceClassification",
            dense,
            tanh,
            "classifier.out_proj",
        ),
        layer: LayerNames {
            query: "attention.attn.q",
            key: "attention.attn.k",
            value: "attention.attn.v",
            output: "attention.attn.o",
            attention_norm: "attention.LayerNorm",
            ..OF_BERT
        },
        sharing: None,
        types: false,
        tasks: None,
        relative: Relative::Bias(rows),
        // Positions are counted from the padding token's row + 1. transformers always uses row 1, whatever the configuration says.
        position_offset: Some(2),
        epsilon: EPSILON,
        width: None,
        projection: None,
        pre_norms: None,
    };
    encoder(config, &names)
}
