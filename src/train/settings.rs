//! The settings of a run, checked before anything is started. They are part of a trajectory's header.

use serde::{Deserialize, Serialize};

use super::method::Method;
use super::words::WordReadout;
use crate::error::{Result, bail};
use crate::model::{HeadKind, ModelSpec, Pooling};
use crate::names::names;
use crate::zo::estimator::Estimator;
use crate::zo::optimizer::Optimizer;
use crate::zo::random::Order;
use crate::zo::schedule::Schedule;

/// The objective to minimize, on the examples of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objective {
    /// The mean cross-entropy of the targets.
    #[default]
    Loss,
    /// The share of the targets that are not predicted.
    Accuracy,
    /// 1 - the mean over the examples of the F1 of predicted tokens, where each token is predicted from the correct previous tokens.
    F1,
}

names!(Objective: Loss = "loss", Accuracy = "accuracy", F1 = "f1");

/// The settings of a run, with a value for everything. [`super::Options`] are the values that the user gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Number of steps of the run.
    pub steps: u32,
    /// Number of examples per step.
    pub batch_size: u32,
    /// Number of examples per forward pass; 0 runs the whole batch at once.
    #[serde(default)]
    pub micro_batch: u32,
    /// The objective to minimize.
    #[serde(default)]
    pub objective: Objective,
    /// What is trained.
    pub method: Method,
    /// Patterns (`*`, `?`) for the names of the tensors that are trained. An empty list trains all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trainable: Vec<String>,
    /// The pooling of a readout that is fitted before the first step. The steps lower its loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readout: Option<Pooling>,
    /// Number of steps after which that readout is fitted again, on features from the current weights; 0 leaves it unchanged.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub refit_every: u32,
    /// How the gradient is estimated.
    #[serde(flatten)]
    pub estimator: Estimator,
    /// How the trained values are updated from the estimated gradient.
    #[serde(default)]
    pub optimizer: Optimizer,
    /// Learning rate; MeZO's are 1e-7 to 1e-5 for full parameters.
    pub learning_rate: f32,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Weight decay: every step shrinks the matrices by learning rate * weight decay.
    pub weight_decay: f32,
    /// Perturbation scale.
    pub epsilon: f32,
    /// Seed of the directions and of the data's order. Files have it in decimal digits: JavaScript's numbers do not hold 64 bits.
    #[serde(with = "decimal")]
    pub seed: u64,
    /// Takes the examples in the file's order instead of shuffling them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sequential: bool,
    /// Spreads the labels of the examples evenly over the shuffled order.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub balanced: bool,
    /// Number of steps between evaluations; 0 never evaluates. It does not change the run, so files do not contain it.
    #[serde(skip)]
    pub evaluate_every: u32,
    /// Maximum tokens per example; longer examples are truncated. 0 stands for the model's maximum, at most 128 for a masked and 512
    /// for a causal model.
    pub max_length: u32,
}

/// Whether a number has its default value, in which case files leave the field out.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A u64 in decimal digits.
mod decimal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom(format!("seed {text:?} is not a number")))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            steps: 1000,
            batch_size: 16,
            micro_batch: 0,
            objective: Objective::Loss,
            method: Method::Full,
            trainable: Vec::new(),
            readout: None,
            refit_every: 0,
            estimator: Estimator::default(),
            optimizer: Optimizer::default(),
            learning_rate: 1e-6,
            schedule: Schedule::Constant,
            weight_decay: 0.0,
            epsilon: 1e-3,
            seed: 0,
            sequential: false,
            balanced: false,
            evaluate_every: 0,
            max_length: 0,
        }
    }
}

impl Settings {
    /// # Errors
    /// `invalid-argument` naming the setting, its value and the allowed values.
    pub fn check(&self) -> Result<()> {
        self.estimator.check()?;
        self.optimizer.check(&self.estimator)?;
        if self.optimizer != Optimizer::Sgd && self.method.adapter().is_none() {
            bail!(
                InvalidArgument,
                "optimizer adam keeps two moments of every trained value, on the host: expected method lora or prefix, \
                 found {}",
                self.method.name()
            );
        }
        let counts = [("steps", self.steps, 100_000_000), ("batch size", self.batch_size, 65_536)];
        for (name, value, most) in counts {
            if value == 0 || value > most {
                bail!(InvalidArgument, "{name} is {value}, expected 1 to {most}");
            }
        }
        let positive = [("learning rate", self.learning_rate), ("epsilon", self.epsilon)];
        for (name, value) in positive {
            if !value.is_finite() || value <= 0.0 {
                bail!(InvalidArgument, "{name} is {value}, expected a positive number");
            }
        }
        if self.sequential && self.balanced {
            bail!(
                InvalidArgument,
                "sequential and balanced: expected at most one of them, since the order of the file leaves no room to spread labels"
            );
        }
        if self.refit_every > 0 && self.readout.is_none() {
            bail!(
                InvalidArgument,
                "refit every {}: expected a readout that is fitted before the first step, found none",
                self.refit_every
            );
        }
        if !self.weight_decay.is_finite() || self.weight_decay < 0.0 {
            bail!(InvalidArgument, "weight decay is {}, expected 0 or more", self.weight_decay);
        }
        if self.learning_rate * self.weight_decay >= 1.0 {
            bail!(
                InvalidArgument,
                "learning rate * weight decay is 1 or more: every step would erase the weights"
            );
        }
        Ok(())
    }

    /// The order in which a run takes its examples, which have these labels ([`crate::text::encode::Example::label`]).
    pub fn order(&self, labels: impl ExactSizeIterator<Item = u32>) -> Order {
        if self.balanced {
            return Order::balanced(self.seed, labels.collect());
        }
        Order::new((!self.sequential).then_some(self.seed), labels.len())
    }

    /// The pooling of the run's readout, if it has one.
    pub fn pooling(&self) -> Option<Pooling> {
        match self.method {
            Method::Readout { pooling } => Some(pooling),
            _ => self.readout,
        }
    }

    /// The settings of method readout on label words: the features are the hidden states that the model's head reads.
    pub(super) fn on_words(self, spec: &ModelSpec) -> Settings {
        Settings { method: Method::Readout { pooling: WordReadout::pooling(spec.causal) }, ..self }
    }

    /// Number of examples per forward pass.
    pub fn at_once(&self) -> u32 {
        if self.micro_batch == 0 { self.batch_size } else { self.micro_batch.min(self.batch_size) }
    }

    /// Maximum tokens per example for a model. A prefix takes up part of the model's positions.
    ///
    /// # Errors
    /// `invalid-argument` if the prefix leaves no positions.
    pub fn length_for(&self, spec: &ModelSpec) -> Result<u32> {
        let prefix = if let Method::Prefix { length } = self.method { length } else { 0 };
        match spec.max_length.checked_sub(prefix) {
            None | Some(0) => {
                bail!(InvalidArgument, "a prefix of {prefix} rows, expected 1 to {}", spec.max_length - 1)
            }
            Some(left) => Ok(length(self.max_length, spec).min(left)),
        }
    }
}

/// Maximum tokens per example: `wanted`, or 128 for a masked and 512 for a causal model, within the model's context.
pub fn length(wanted: u32, spec: &ModelSpec) -> u32 {
    let wanted = match (wanted, spec.head_kind()) {
        (0, HeadKind::MaskedLm) => 128,
        (0, HeadKind::CausalLm) => 512,
        (wanted, _) => wanted,
    };
    wanted.min(spec.max_length)
}

#[cfg(test)]
mod tests {
    use super::Settings;

    #[test]
    fn examples_are_shuffled_or_in_the_files_order() {
        let settings = Settings { batch_size: 3, seed: 7, ..Settings::default() };
        let batches = |settings: &Settings| {
            let mut order = settings.order([0, 0, 1, 1].into_iter());
            [order.batch(0, 3), order.batch(1, 3)]
        };
        let sequential = Settings { sequential: true, ..settings.clone() };
        assert_eq!(batches(&sequential), [[0, 1, 2], [3, 0, 1]]);
        assert_ne!(batches(&settings), batches(&sequential));
        // A header contains the option only if it is set, so that records of runs without it are unchanged.
        assert!(!serde_json::to_string(&settings).unwrap().contains("sequential"));
        let text = serde_json::to_string(&sequential).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), sequential);
    }

    #[test]
    fn a_balanced_order_is_stored_and_is_none_of_the_files() {
        let balanced = Settings { balanced: true, ..Settings::default() };
        let text = serde_json::to_string(&balanced).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), balanced);
        assert!(!serde_json::to_string(&Settings::default()).unwrap().contains("balanced"));
        let both = Settings { sequential: true, ..balanced };
        assert!(both.check().unwrap_err().to_string().contains("sequential and balanced"));
    }
}
