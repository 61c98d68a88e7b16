//! The options for what is trained and how the gradient is estimated, as the user gives them: see [`super::options`].

use serde::{Deserialize, Serialize};

use super::method::{LoraA, Method};
use crate::error::{Result, bail};
use crate::model::Pooling;
use crate::names::{Named, names};
use crate::zo::estimator::{Estimator, EstimatorKind};
use crate::zo::optimizer::{AdamSettings, Optimizer};
use crate::zo::random::Distribution;
use crate::zo::schedule::Schedule;

/// The name of a [`Method`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MethodKind {
    /// [`Method::Full`].
    #[default]
    Full,
    /// [`Method::Lora`].
    Lora,
    /// [`Method::Prefix`].
    Prefix,
    /// [`Method::Readout`].
    Readout,
}

names!(MethodKind: Full = "full", Lora = "lora", Prefix = "prefix", Readout = "readout");

/// The name of an [`Optimizer`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OptimizerKind {
    /// [`Optimizer::Sgd`].
    #[default]
    Sgd,
    /// [`Optimizer::Adam`].
    Adam,
}

names!(OptimizerKind: Sgd = "sgd", Adam = "adam");

/// A choice of several options at once, based on measurements (BENCHMARKS.md). Options that are given override it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedPreset {
    /// LoRA on all linear layers with an activation basis, 8 one-sided probes, Adam, a linear schedule and a balanced order.
    LowestLoss,
}

names!(NamedPreset: LowestLoss = "lowest-loss");

/// What is trained, and how the gradient is estimated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(clap::Args))]
pub struct MethodOptions {
    /// Sets several options at once; options that are given override it. lowest-loss is method lora with targets all-linear, estimator one-sided,
    /// schedule linear and a balanced order: it is among the choices with the lowest loss after the same number of forward passes. It takes the memory of 9 branches
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<NamedPreset>,
    /// What is trained. readout fits a classifier on hidden states or, with a template and labels, the head on label words [default: full]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<MethodKind>,
    /// LoRA: rank of the factors [default: 8]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora_rank: Option<u32>,
    /// LoRA: numerator of the scale, which is alpha / rank [default: 16]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long, allow_negative_numbers = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora_alpha: Option<f32>,
    /// LoRA: the adapted layers, by q, k, v, o, gate, up, down, module names, or all-linear [default: q,v]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long, value_delimiter = ','))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora_targets: Option<Vec<String>>,
    /// LoRA: the factor A, which a layer's inputs are multiplied by: trained along with B, frozen as drawn from the seed (LoRA-FA), or frozen as
    /// the principal directions of the inputs on the first batches (activations) [default: activations; trained for an adapter that is
    /// continued]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lora_a: Option<LoraA>,
    /// Prefix: number of rows of keys and values before every sequence [default: 5]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_length: Option<u32>,
    /// First fit a readout on hidden states, as method readout does; the steps then lower its loss instead of that of label words
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub readout: bool,
    /// With a readout before another method: number of steps after which it is fitted again, on the training rows with the
    /// current weights [default: 0, it is not fitted again]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refit_every: Option<u32>,
    /// Readout without a template: the tokens whose hidden states are the features: the mean over all, the first, or the last [default:
    /// mean for a masked, last for a causal model]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pooling: Option<Pooling>,
    /// With method full: train only the tensors whose name matches one of these patterns (* and ?)
    #[cfg_attr(not(target_arch = "wasm32"), arg(long, value_delimiter = ','))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trainable: Option<Vec<String>>,
    /// How the gradient is estimated [default: two-point]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimator: Option<EstimatorKind>,
    /// Number of random directions per step [default: 8 for one-sided, otherwise 1]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes: Option<u32>,
    /// Distribution of the directions' elements [default: rademacher for one-sided, otherwise gaussian]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
    /// Clip the projected gradient to +/- this value; 0 turns clipping off [default: 0]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long, allow_negative_numbers = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<f32>,
    /// Momentum coefficient. It takes no memory: the directions of past steps are drawn again [default: 0]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long, allow_negative_numbers = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f32>,
    /// How the trained values are updated from the estimated gradient. adam is for methods lora and prefix; its moments are on the host [default: adam if LoRA's A is activations and there is no momentum; otherwise sgd]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<OptimizerKind>,
    /// Adam: decay rate of the mean of the gradient [default: 0.9]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long, allow_negative_numbers = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta1: Option<f32>,
    /// Adam: decay rate of the mean of the squared gradient [default: 0.999]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long, allow_negative_numbers = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta2: Option<f32>,
    /// Adam: added to the square root of the mean of the squared gradient [default: 1e-8]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long = "adam-eps", allow_negative_numbers = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adam_epsilon: Option<f32>,
    /// Estimator low-rank: rank of a direction, a multiple of 4 [default: 4]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<u32>,
    /// Estimator low-rank: number of steps that share a factor V [default: 50]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<u32>,
}

impl MethodOptions {
    /// The method's kind: as given, or according to the preset.
    fn kind(&self) -> MethodKind {
        self.method.unwrap_or(match self.preset {
            Some(NamedPreset::LowestLoss) => MethodKind::Lora,
            None => MethodKind::default(),
        })
    }

    /// The change of the learning rate if no option specifies it.
    pub(super) fn schedule(&self) -> Schedule {
        match self.preset {
            Some(NamedPreset::LowestLoss) => Schedule::Linear,
            None => Schedule::Constant,
        }
    }

    /// Whether the labels are spread evenly over the order of the data if no option specifies it.
    pub(super) fn is_balanced(&self) -> bool {
        self.preset == Some(NamedPreset::LowestLoss)
    }

    /// LoRA's targets: as given, or according to the preset.
    fn targets(&self) -> Vec<String> {
        let default: &[&str] = match self.preset {
            Some(NamedPreset::LowestLoss) => &["all-linear"],
            None => &["q", "v"],
        };
        self.lora_targets.clone().unwrap_or_else(|| default.iter().map(|&name| name.to_owned()).collect())
    }

    /// The method.
    pub fn method(&self) -> Method {
        match self.kind() {
            MethodKind::Full => Method::Full,
            MethodKind::Lora => Method::Lora {
                rank: self.lora_rank.unwrap_or(8),
                alpha: self.lora_alpha.unwrap_or(16.0),
                targets: self.targets(),
                a: self.lora_a.unwrap_or(LoraA::Activations),
            },
            MethodKind::Prefix => Method::Prefix { length: self.prefix_length.unwrap_or(5) },
            // The default depends on the model: see `Options::resolve`.
            MethodKind::Readout => Method::Readout { pooling: self.pooling.unwrap_or(Pooling::Mean) },
        }
    }

    pub(super) fn set(&mut self, method: &Method) {
        let (mut lora, mut prefix, mut readout) = ((None, None, None, None), None, None);
        self.method = Some(match method.clone() {
            Method::Full => MethodKind::Full,
            Method::Lora { rank, alpha, targets, a } => {
                lora = (Some(rank), Some(alpha), Some(targets), Some(a));
                MethodKind::Lora
            }
            Method::Prefix { length } => {
                prefix = Some(length);
                MethodKind::Prefix
            }
            Method::Readout { pooling } => {
                readout = Some(pooling);
                MethodKind::Readout
            }
        });
        (self.lora_rank, self.lora_alpha, self.lora_targets, self.lora_a) = lora;
        self.prefix_length = prefix;
        self.pooling = readout;
    }

    /// Checks that every given value belongs to the method, so that none is silently ignored.
    ///
    /// # Errors
    /// `invalid-argument` naming the value and the method that has it.
    pub fn check(&self) -> Result<()> {
        let kind = self.kind();
        let given = [
            ("the preset", self.preset == Some(NamedPreset::LowestLoss), MethodKind::Lora),
            ("LoRA's rank", self.lora_rank.is_some(), MethodKind::Lora),
            ("LoRA's alpha", self.lora_alpha.is_some(), MethodKind::Lora),
            ("LoRA's targets", self.lora_targets.is_some(), MethodKind::Lora),
            ("LoRA's factor A", self.lora_a.is_some(), MethodKind::Lora),
            ("the prefix length", self.prefix_length.is_some(), MethodKind::Prefix),
            ("the pooling", self.pooling.is_some() && !self.readout, MethodKind::Readout),
        ];
        if let Some((what, _, of)) = given.iter().find(|(_, is_given, of)| *is_given && *of != kind) {
            bail!(InvalidArgument, "{what}: expected method {}, found {}", of.name(), kind.name());
        }
        let of_adam = [("beta1", self.beta1), ("beta2", self.beta2), ("Adam's epsilon", self.adam_epsilon)];
        if let (Optimizer::Sgd, Some((what, _))) =
            (self.optimizer(), of_adam.iter().find(|(_, value)| value.is_some()))
        {
            bail!(InvalidArgument, "{what}: expected optimizer adam, found sgd");
        }
        Ok(())
    }

    /// The optimizer. Values that are left out are those of its paper.
    pub fn optimizer(&self) -> Optimizer {
        let basis = matches!(self.method(), Method::Lora { a: LoraA::Activations, .. });
        let adapts = basis && self.momentum.is_none_or(|momentum| momentum == 0.0);
        let default = if adapts { OptimizerKind::Adam } else { OptimizerKind::Sgd };
        match self.optimizer.unwrap_or(default) {
            OptimizerKind::Sgd => Optimizer::Sgd,
            OptimizerKind::Adam => {
                let paper = AdamSettings::default();
                Optimizer::Adam(AdamSettings {
                    beta1: self.beta1.unwrap_or(paper.beta1),
                    beta2: self.beta2.unwrap_or(paper.beta2),
                    epsilon: self.adam_epsilon.unwrap_or(paper.epsilon),
                })
            }
        }
    }

    pub(super) fn set_optimizer(&mut self, optimizer: Optimizer) {
        self.optimizer = Some(OptimizerKind::Sgd);
        if let Optimizer::Adam(AdamSettings { beta1, beta2, epsilon }) = optimizer {
            self.optimizer = Some(OptimizerKind::Adam);
            (self.beta1, self.beta2, self.adam_epsilon) = (Some(beta1), Some(beta2), Some(epsilon));
        }
    }

    /// The estimator. Values that are left out are those of its paper.
    pub fn estimator(&self) -> Estimator {
        let preset = Estimator::new(self.estimator.unwrap_or(match self.preset {
            Some(NamedPreset::LowestLoss) => EstimatorKind::OneSided,
            None => EstimatorKind::default(),
        }));
        Estimator {
            probes: self.probes.unwrap_or(preset.probes),
            distribution: self.distribution.unwrap_or(preset.distribution),
            clip: self.clip.unwrap_or(preset.clip),
            momentum: self.momentum.unwrap_or(preset.momentum),
            rank: self.rank.unwrap_or(preset.rank),
            interval: self.interval.unwrap_or(preset.interval),
            ..preset
        }
    }

    /// The patterns of the tensors that are trained.
    pub fn trainable(&self) -> Vec<String> {
        self.trainable.clone().unwrap_or_default()
    }
}
