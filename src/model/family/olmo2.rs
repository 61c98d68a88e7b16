//! OLMo 2 (arXiv 2501.00656): Llama with norms of the sublayers' outputs instead of their inputs, and with norms of all queries
//! together and of all keys together.

use super::decoder::{Differences, decoder};
use super::parts::HeadNorms;
use crate::error::Result;
use crate::format::config::Config;
use crate::model::ModelSpec;

pub(super) fn olmo2(config: &Config) -> Result<ModelSpec> {
    let differences = Differences {
        head_norms: Some(HeadNorms::Together),
        norms_after: true,
        epsilon: 1e-5,
        ..Differences::none("olmo2", Some("Olmo2ForSequenceClassification"))
    };
    decoder(config, &differences.with_attention_bias(config)?)
}
