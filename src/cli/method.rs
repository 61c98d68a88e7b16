//! Flags that say how weights are stored, what is trained, and with which estimator.

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};

use crate::dtype::{DType, Format};
use crate::error::{Result, err};
use crate::train::{Method, dtype};
use crate::zo::estimator::{Estimator, EstimatorKind};

/// How the matrices are stored.
#[derive(Args, Clone, Debug)]
pub(super) struct DtypeArgs {
    /// Storage format of the matrices. Where a block format is named, blocks in a GGUF file are kept as they
    /// are. Formats that end in _k can only be read: weights cannot be converted to them
    #[arg(long, value_parser = formats(), default_value = "f32")]
    dtype: String,
}

impl DtypeArgs {
    pub(super) fn dtype(&self) -> Result<DType> {
        dtype(&self.dtype)
    }
}

/// The storage formats that there are.
fn formats() -> PossibleValuesParser {
    let formats = Format::ALL.iter().filter_map(|format| format.options.split_first());
    formats.map(|(name, aliases)| PossibleValue::new(*name).aliases(aliases)).collect::<Vec<_>>().into()
}

/// What is trained, and how the gradient is estimated.
#[derive(Args, Clone, Debug)]
pub(super) struct MethodArgs {
    /// What is trained
    #[arg(long, value_parser = ["full", "lora", "prefix"], default_value = "full")]
    method: String,
    /// LoRA: inner width
    #[arg(long, default_value_t = 8)]
    lora_rank: u32,
    /// LoRA: numerator of the scale, which is alpha / rank
    #[arg(long, default_value_t = 16.0)]
    lora_alpha: f32,
    /// LoRA: q, k, v, o, gate, up, down, module names, or all-linear
    #[arg(long, value_delimiter = ',', default_value = "q,v")]
    lora_targets: Vec<String>,
    /// Prefix: rows of keys and values
    #[arg(long, default_value_t = 5)]
    prefix_length: u32,
    /// Train only the tensors whose name matches one of these patterns (* and ?)
    #[arg(long, value_delimiter = ',')]
    trainable: Vec<String>,
    /// How the gradient is estimated
    #[arg(long, value_parser = [
        PossibleValue::new("two-point").aliases(["spsa", "n-spsa"]),
        PossibleValue::new("one-sided").alias("fzoo"),
        PossibleValue::new("low-rank").alias("lozo"),
    ], default_value = "two-point")]
    estimator: String,
    /// Directions a step [default: 8 for one-sided, or 1]
    #[arg(long)]
    probes: Option<u32>,
    /// What directions are made of [default: rademacher for one-sided, or gaussian]
    #[arg(long, value_parser = ["gaussian", "rademacher"])]
    distribution: Option<String>,
    /// Cut projected gradients to this magnitude; 0: do not
    #[arg(long, default_value_t = 0.0)]
    clip: f32,
    /// How much of the step before goes into the next: the directions of past steps are drawn again
    #[arg(long, default_value_t = 0.0)]
    momentum: f32,
    /// Low-rank: rank of a direction, a multiple of 4 [default: 4]
    #[arg(long)]
    rank: Option<u32>,
    /// Low-rank: steps that share V [default: 50]
    #[arg(long)]
    interval: Option<u32>,
}

/// An enum's variant by the name that serde gives it.
pub(super) fn named<T: serde::de::DeserializeOwned>(what: &str, name: &str) -> Result<T> {
    serde_json::from_value(name.into()).map_err(|e| err!(InvalidArgument, "{what}: {e}"))
}

impl MethodArgs {
    pub(super) fn method(&self) -> Method {
        match self.method.as_str() {
            "lora" => Method::Lora {
                rank: self.lora_rank,
                alpha: self.lora_alpha,
                targets: self.lora_targets.clone(),
            },
            "prefix" => Method::Prefix { length: self.prefix_length },
            _ => Method::Full,
        }
    }

    pub(super) fn trainable(&self) -> Vec<String> {
        self.trainable.clone()
    }

    pub(super) fn estimator(&self) -> Result<Estimator> {
        let kind: EstimatorKind = named("--estimator", &self.estimator)?;
        let preset = Estimator::new(kind);
        Ok(Estimator {
            probes: self.probes.unwrap_or(preset.probes),
            distribution: match &self.distribution {
                Some(name) => named("--distribution", name)?,
                None => preset.distribution,
            },
            clip: self.clip,
            momentum: self.momentum,
            rank: self.rank.unwrap_or(preset.rank),
            interval: self.interval.unwrap_or(preset.interval),
            ..preset
        })
    }
}
