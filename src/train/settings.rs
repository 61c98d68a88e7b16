//! The settings of a run, checked before anything is started.

use serde::{Deserialize, Serialize};

use super::method::Method;
use crate::error::{Result, bail};
use crate::model::{HeadKind, ModelSpec};
use crate::zo::estimator::Estimator;
use crate::zo::schedule::Schedule;
use crate::zo::trajectory::Measure;

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Settings {
    /// Steps of the run.
    pub steps: u32,
    /// Examples a step.
    pub batch_size: u32,
    /// Examples that go through the model at a time; 0: the whole batch.
    pub micro_batch: u32,
    /// What is made small.
    pub objective: Measure,
    /// What is trained.
    pub method: Method,
    /// Of the model's tensors only those whose name matches one of these patterns (`*`, `?`); empty: all.
    pub trainable: Vec<String>,
    /// How the gradient is estimated.
    #[serde(flatten)]
    pub estimator: Estimator,
    /// Learning rate; MeZO's are 1e-7 to 1e-5 for full parameters.
    pub learning_rate: f32,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Matrices shrink by learning rate * weight decay a step.
    pub weight_decay: f32,
    /// Perturbation scale.
    pub epsilon: f32,
    /// Seed of directions and data order.
    pub seed: u64,
    /// Evaluate every so many steps, and after the last; 0: never.
    pub evaluate_every: u32,
    /// Tokens that an example is cut to; 0: what the model takes, at most 128 for a masked and 512 for a causal model.
    pub max_length: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            steps: 1000,
            batch_size: 16,
            micro_batch: 0,
            objective: Measure::Loss,
            method: Method::Full,
            trainable: Vec::new(),
            estimator: Estimator::default(),
            learning_rate: 1e-6,
            schedule: Schedule::Constant,
            weight_decay: 0.0,
            epsilon: 1e-3,
            seed: 0,
            evaluate_every: 0,
            max_length: 0,
        }
    }
}

impl Settings {
    /// # Errors
    /// `invalid-argument` naming the setting, its value and what it may be.
    pub fn check(&self) -> Result<()> {
        self.estimator.check()?;
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

    /// Examples that go through the model at a time.
    pub fn at_once(&self) -> u32 {
        if self.micro_batch == 0 { self.batch_size } else { self.micro_batch.min(self.batch_size) }
    }

    /// Tokens that an example is cut to for a model: a prefix takes its length of the model's positions.
    ///
    /// # Errors
    /// `invalid-argument` where the prefix leaves none.
    pub fn length_for(&self, spec: &ModelSpec) -> Result<u32> {
        let prefix = if let Method::Prefix { length } = self.method { length } else { 0 };
        match spec.max_length.checked_sub(prefix) {
            None | Some(0) => {
                bail!(InvalidArgument, "a prefix of {prefix}, expected 1 to {}", spec.max_length - 1)
            }
            Some(left) => Ok(length(self.max_length, spec).min(left)),
        }
    }
}

/// Tokens that an example is cut to: `wanted`, or 128 for a masked and 512 for a causal model, within the model's context.
pub fn length(wanted: u32, spec: &ModelSpec) -> u32 {
    let wanted = match (wanted, spec.head.kind) {
        (0, HeadKind::MaskedLm) => 128,
        (0, HeadKind::CausalLm) => 512,
        (wanted, _) => wanted,
    };
    wanted.min(spec.max_length)
}
