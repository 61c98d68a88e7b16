//! EuroBERT (arXiv 2503.05500): Llama whose tokens see later tokens too, trained as a masked language model.

use super::decoder::{Differences, decoder};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::{Activation, ClassifierActivation, ClassifierSpec, HeadSpec, ModelSpec, Pooling};

pub(super) fn eurobert(config: &Config) -> Result<ModelSpec> {
    let mlp_bias = config.bool_or("mlp_bias", false)?;
    let differences = Differences {
        mlp_bias,
        epsilon: 1e-5,
        max_length: 8192,
        ..Differences::none("eurobert", None).with_attention_bias(config)?
    };
    let mut spec = decoder(config, &differences)?;
    spec.causal = false;
    spec.classifier = classifier(config)?;
    if mlp_bias {
        let bias = spec.tensors.bias("lm_head.bias", spec.vocabulary);
        spec.head = spec.head.map(|head| HeadSpec { bias: Some(bias), ..head });
    }
    Ok(spec)
}

/// The head of the class for text classification. With the pooling "late", the class averages the scores of all tokens, which is not
/// implemented, so such a head is not read.
fn classifier(config: &Config) -> Result<Option<ClassifierSpec>> {
    let pooling = match config.str_or("classifier_pooling", "late")? {
        "bos" => Pooling::First,
        "mean" => Pooling::Mean,
        "late" => return Ok(None),
        other => bail!(
            ModelUnsupported,
            "{}: classifier_pooling is {other:?}, expected bos, mean or late",
            config.name()
        ),
    };
    let gelu = ClassifierActivation::Of(Activation::Gelu);
    let head = ClassifierSpec::first_token("EuroBertForSequenceClassification", "dense", gelu, "classifier");
    Ok(Some(ClassifierSpec { pooling, ..head }))
}
