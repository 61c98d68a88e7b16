//! The optimizers, which use the gradient estimate: plain steps along the directions, or Adam (Kingma and Ba 2015, arXiv 1412.6980).
//!
//! With plain steps, the device adds multiples of the directions to the weights ([`super::update`]). Adam needs the estimate
//! itself, and two moments of every trained value; ZO-AdaMM (Chen et al. 2019, arXiv 1910.06513) is Adam with a zeroth-order
//! estimate. An adapter is so small that the host computes all of this, and the device only receives the new values:
//!
//! ```text
//! g  = 1/n sum_i g_i z_i            over the n probes of the step, in their order
//! m  = beta1 m + (1 - beta1) g      v = beta2 v + (1 - beta2) g^2
//! w  = f32(w decay - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon))
//! ```
//! All of this is f64 arithmetic with one rounding per operation, and sqrt, which IEEE 754 rounds correctly. The powers of the
//! betas are computed as products. So the values follow from the initial values, the seed and the records, with the same bits on
//! every host.

use serde::{Deserialize, Serialize};

use super::estimator::Estimator;
use super::random::{scaled, stream_key};
use super::record::Record;
use crate::error::{Result, bail};
use crate::rng::{Table, direction};

/// The rule for updating the trained values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Steps along the directions, with momentum if the estimator has it.
    #[default]
    Sgd,
    /// Adam, with decoupled weight decay (Loshchilov and Hutter 2019).
    Adam(AdamSettings),
}

/// The constants of Adam.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamSettings {
    /// The decay rate of the mean of the gradient.
    pub beta1: f32,
    /// The decay rate of the mean of the squared gradient.
    pub beta2: f32,
    /// Added to the square root of that mean.
    pub epsilon: f32,
}

impl Default for AdamSettings {
    /// The constants of the paper.
    fn default() -> Self {
        AdamSettings { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

impl Optimizer {
    /// Checks that the settings are allowed, also in combination with those of the estimator.
    ///
    /// # Errors
    /// `invalid-argument`, naming the setting, its value and the allowed values.
    pub fn check(&self, estimator: &Estimator) -> Result<()> {
        let Optimizer::Adam(AdamSettings { beta1, beta2, epsilon }) = *self else { return Ok(()) };
        for (name, beta) in [("beta1", beta1), ("beta2", beta2)] {
            if !(0.0..1.0).contains(&beta) {
                bail!(InvalidArgument, "{name}: expected at least 0 and less than 1, found {beta}");
            }
        }
        if !epsilon.is_finite() || epsilon <= 0.0 {
            bail!(InvalidArgument, "Adam's epsilon: expected a positive number, found {epsilon}");
        }
        if estimator.momentum > 0.0 {
            bail!(InvalidArgument, "momentum is a setting of optimizer sgd: adam has beta1 instead");
        }
        Ok(())
    }
}

/// The moments of one tensor.
#[derive(Clone, Debug)]
struct Moments {
    ordinal: u32,
    /// The moments of the gradient and of its square, for each element.
    of: Vec<[f64; 2]>,
}

/// Adam's state for the tensors of an adapter.
#[derive(Clone, Debug)]
pub struct Adam {
    settings: AdamSettings,
    /// The powers of the two betas for the steps so far.
    powers: [f64; 2],
    tensors: Vec<Moments>,
}

impl Adam {
    /// The state before the first step, for tensors with these ordinals and numbers of elements.
    pub fn new(settings: AdamSettings, tensors: impl IntoIterator<Item = (u32, usize)>) -> Adam {
        let moments = |(ordinal, elements)| Moments { ordinal, of: vec![[0.0; 2]; elements] };
        Adam { settings, powers: [1.0; 2], tensors: tensors.into_iter().map(moments).collect() }
    }

    /// Takes a step. `records` are all records of that step, with directions of `estimator`. `values` are the values of the
    /// tensors. If `values` has fewer tensors, only the moments of the others are updated.
    pub fn step(&mut self, seed: u64, estimator: &Estimator, records: &[Record], values: &mut [Vec<f32>]) {
        let Some(last) = records.last() else { return };
        let AdamSettings { beta1, beta2, epsilon } = self.settings;
        let (betas, epsilon) = ([f64::from(beta1), f64::from(beta2)], f64::from(epsilon));
        self.powers = [self.powers[0] * betas[0], self.powers[1] * betas[1]];
        let corrections = self.powers.map(|power| 1.0 - power);
        let (rate, decay) = (f64::from(last.learning_rate), f64::from(last.decay));
        let table = scaled(estimator.distribution, 1.0);
        let probes: Vec<([u32; 2], f64)> = records
            .iter()
            .map(|r| (stream_key(seed, r.step, r.probe), f64::from(r.projected_grad) / records.len() as f64))
            .collect();
        for (index, tensor) in self.tensors.iter_mut().enumerate() {
            let mut values = values.get_mut(index);
            for (block, moments) in tensor.of.chunks_mut(4).enumerate() {
                let gradient = gradient(&probes, [block as u32, tensor.ordinal], &table);
                for (lane, ([first, second], g)) in moments.iter_mut().zip(gradient).enumerate() {
                    *first = betas[0] * *first + (1.0 - betas[0]) * g;
                    *second = betas[1] * *second + (1.0 - betas[1]) * (g * g);
                    let Some(value) = values.as_mut().and_then(|values| values.get_mut(4 * block + lane))
                    else {
                        continue;
                    };
                    let scale = (*second / corrections[1]).sqrt() + epsilon;
                    let moved = rate * (*first / corrections[0] / scale);
                    *value = (f64::from(*value) * decay - moved) as f32;
                }
            }
        }
    }
}

/// The gradient estimate for four elements.
fn gradient(probes: &[([u32; 2], f64)], counter: [u32; 2], table: &Table) -> [f64; 4] {
    let mut sum = [0.0; 4];
    for (key, weight) in probes {
        for (sum, z) in sum.iter_mut().zip(direction(*key, counter, table)) {
            *sum += weight * f64::from(z);
        }
    }
    sum
}
