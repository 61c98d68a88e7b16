//! DeBERTa-v2 and DeBERTa-v3 (He et al. 2021, arXiv 2111.09543): BERT with disentangled attention (arXiv 2006.03654), which usually
//! replaces the learned positions.

use serde_json::Value;

use super::encoder::{LayerNames, Names, OF_BERT, Relative, encoder};
use super::{activation, require};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::{ClassifierActivation, ClassifierSpec, ModelSpec};

pub(super) fn deberta_v2(config: &Config) -> Result<ModelSpec> {
    check(config)?;
    let hidden = config.u32("hidden_size")?;
    let positions = config.u32("max_position_embeddings")?;
    let positions = counted(config, "max_relative_positions")?.unwrap_or(positions);
    let buckets = counted(config, "position_buckets")?;
    if let Some(buckets) =
        buckets.filter(|buckets| *buckets < 4 || buckets / 2 >= positions.saturating_sub(1))
    {
        bail!(
            ModelUnsupported,
            "{}: position_buckets is {buckets}, expected 4 or more, and half of it below the number of positions, {positions}, less 1",
            config.name()
        );
    }
    // With `legacy: false`, the head has the names of Microsoft's own code.
    let [dense, norm, bias] = match config.bool_or("legacy", true)? {
        true => {
            ["cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias"]
        }
        false => {
            // transformers multiplies by the embedding even if it is not tied.
            require(config, "tie_word_embeddings", true, true)?;
            [
                "lm_predictions.lm_head.dense",
                "lm_predictions.lm_head.LayerNorm",
                "lm_predictions.lm_head.bias",
            ]
        }
    };
    let names = Names {
        family: "deberta-v2",
        activation: "gelu",
        prefix: "deberta.",
        dense,
        norm,
        decoder: "cls.predictions.decoder",
        bias,
        head_activation: None,
        classifier: ClassifierSpec::first_token(
            "DebertaV2ForSequenceClassification",
            "pooler.dense",
            ClassifierActivation::Of(activation(config, "pooler_hidden_act", "gelu")?),
            "classifier",
        ),
        layer: LayerNames {
            query: "attention.self.query_proj",
            key: "attention.self.key_proj",
            value: "attention.self.value_proj",
            ..OF_BERT
        },
        sharing: None,
        types: config.u32_or("type_vocab_size", 0)? > 0,
        tasks: None,
        relative: Relative::Disentangled {
            span: buckets.unwrap_or(positions),
            positions: buckets.map(|_| positions),
            normalized: parts(config, "norm_rel_ebd")?.iter().any(|norm| norm == "layer_norm"),
        },
        position_offset: config.bool_or("position_biased_input", true)?.then_some(0),
        epsilon: 1e-7,
        width: None,
        projection: None,
        pre_norms: None,
    };
    for field in ["embedding_size", "pooler_hidden_size"] {
        if config.u32_or(field, hidden)? != hidden {
            bail!(
                ModelUnsupported,
                "{}: {field} is {}, but only hidden_size, {hidden}, is implemented",
                config.name(),
                config.u32(field)?
            );
        }
    }
    encoder(config, &names)
}

/// Refuses the parts of the architecture that no DeBERTa-v3 model has.
fn check(config: &Config) -> Result<()> {
    require(config, "relative_attention", true, false)?;
    require(config, "share_att_key", true, false)?;
    let kinds = parts(config, "pos_att_type")?;
    if !["c2p", "p2c"].iter().all(|kind| kinds.iter().any(|found| found == kind)) {
        bail!(
            ModelUnsupported,
            "{}: pos_att_type is {kinds:?}, but only \"c2p\" with \"p2c\" is implemented",
            config.name()
        );
    }
    let taps = config.u32_or("conv_kernel_size", 0)?;
    if taps > 0 {
        bail!(
            ModelUnsupported,
            "{}: conv_kernel_size is {taps}, but a convolution beside the first layer is not implemented",
            config.name()
        );
    }
    let (hidden, heads) = (config.u32("hidden_size")?, config.u32("num_attention_heads")?);
    if let Some(size) = config.opt_u32("attention_head_size")?
        && size.checked_mul(heads) != Some(hidden)
    {
        bail!(
            ModelUnsupported,
            "{}: attention_head_size is {size}, but only hidden_size / num_attention_heads is implemented",
            config.name()
        );
    }
    Ok(())
}

/// A number of positions or buckets; `None` if it is absent, or less than 1, which stands for the default.
fn counted(config: &Config, field: &str) -> Result<Option<u32>> {
    match config.value(field).and_then(Value::as_i64) {
        Some(number) if number < 1 => Ok(None),
        _ => config.opt_u32(field),
    }
}

/// The parts of a field that is a list of strings, or a string in which `|` separates them.
fn parts(config: &Config, field: &str) -> Result<Vec<String>> {
    if config.value(field).is_some_and(Value::is_array) {
        return Ok(config.str_list(field)?.into_iter().map(str::to_owned).collect());
    }
    Ok(config.str_or(field, "none")?.to_lowercase().split('|').map(|part| part.trim().to_owned()).collect())
}
