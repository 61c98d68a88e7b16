//! Zeroth-order estimators of the gradient. An estimator defines the branches of a step, and
//! computes the projected gradients from their losses. A branch is one forward pass under +z, under
//! -z, or with plain weights.
//!
//! - *two-point*: SPSA (Spall 1992) as in MeZO (Malladi et al. 2023, arXiv 2305.17333). The losses
//!   at theta + eps z and at theta - eps z give the projection of the gradient on z,
//!   `g = (l+ - l-) / (2 eps)`. With n probes (n-SPSA), the estimate is the mean over n directions
//!   z.
//! - *one-sided*: FZOO (Dang et al. 2025, arXiv 2506.09034). The losses of n directions are
//!   compared with the loss l0 at theta itself, and divided by the standard deviation of the n
//!   losses: `g_i = (l_i - l0) / sigma`, with n - 1 in the divisor of sigma. The paper's factor 1 /
//!   eps is part of the learning rate, so a step moves a parameter by about learning rate /
//!   sqrt(n), whatever eps is.
//! - *low-rank*: LOZO (Chen et al. 2024, arXiv 2410.07698). This is two-point, but the direction of
//!   a matrix is U V^T, where V is drawn again every `interval` steps. `g` is divided by the rank.
//!
//! The step is `theta += sum_i -(learning rate * g_i / n) z_i`. With momentum m, a step also moves
//! along the directions of earlier steps, which are drawn again from their seeds, by `m^j` times
//! the estimate of step `t - j`, for as many j as fit in one pass over the weights: `j < 16 / n`
//! ([`Estimator::reach`]). The host computes each factor in f64, in the order of
//! [`Estimator::updates`], and rounds it to f32 once.

use serde::{Deserialize, Serialize};

use super::random::{Distribution, stream_key};
use super::record::Record;
use super::update::Update;
use crate::error::{Result, bail};
use crate::kernel::step::{Branch, MAX_BRANCHES, MAX_UPDATES};
use crate::names::names;

/// The kinds of estimators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EstimatorKind {
    /// Measures the loss on both sides of each direction.
    #[default]
    TwoPoint,
    /// Measures the loss on one side of several directions.
    OneSided,
    /// Measures the loss on both sides of low-rank directions.
    LowRank,
}

names!(
    EstimatorKind:
    TwoPoint = "two-point" | "spsa" | "n-spsa" | "mezo",
    OneSided = "one-sided" | "fzoo",
    LowRank = "low-rank" | "lozo",
);

/// The settings of the gradient estimate and its use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Estimator {
    /// The kind of estimator.
    #[serde(rename = "estimator")]
    pub kind: EstimatorKind,
    /// Number of directions per step.
    pub probes: u32,
    /// Distribution of the directions' elements.
    pub distribution: Distribution,
    /// Clips projected gradients to +/- this value; 0 turns clipping off.
    pub clip: f32,
    /// Momentum coefficient.
    pub momentum: f32,
    /// Rank of low-rank directions, a multiple of 4; 0 for other estimators.
    pub rank: u32,
    /// Number of steps for which low-rank directions share V; 0 for other estimators.
    pub interval: u32,
}

impl Default for Estimator {
    fn default() -> Self {
        Estimator::new(EstimatorKind::TwoPoint)
    }
}

/// The measurement along one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probe {
    /// Loss at theta + epsilon z.
    pub loss_plus: f32,
    /// Loss at theta - epsilon z, or at theta for the one-sided estimator.
    pub loss_minus: f32,
    /// The estimate of the gradient's projection on z.
    pub projected_grad: f32,
}

impl Estimator {
    /// An estimator with the settings of its paper.
    pub fn new(kind: EstimatorKind) -> Self {
        let (probes, distribution) = match kind {
            EstimatorKind::OneSided => (8, Distribution::Rademacher),
            EstimatorKind::TwoPoint | EstimatorKind::LowRank => (1, Distribution::Gaussian),
        };
        let (rank, interval) = if kind == EstimatorKind::LowRank { (4, 50) } else { (0, 0) };
        Estimator { kind, probes, distribution, clip: 0.0, momentum: 0.0, rank, interval }
    }

    /// Checks that the settings are allowed.
    ///
    /// # Errors
    /// `invalid-argument`, naming the setting, its value and the allowed values.
    pub fn check(&self) -> Result<()> {
        let most = match self.kind {
            EstimatorKind::OneSided => MAX_BRANCHES as u32 - 1,
            EstimatorKind::TwoPoint | EstimatorKind::LowRank => MAX_BRANCHES as u32 / 2,
        };
        let least = if self.kind == EstimatorKind::OneSided { 2 } else { 1 };
        if !(least..=most).contains(&self.probes) {
            bail!(InvalidArgument, "probes: expected {least} to {most}, found {}", self.probes);
        }
        if !self.clip.is_finite() || self.clip < 0.0 {
            bail!(InvalidArgument, "clip: expected 0 or more, found {}", self.clip);
        }
        if !(0.0..1.0).contains(&self.momentum) {
            bail!(InvalidArgument, "momentum: expected at least 0 and less than 1, found {}", self.momentum);
        }
        let low_rank = self.kind == EstimatorKind::LowRank;
        if low_rank && (self.rank == 0 || !self.rank.is_multiple_of(4) || self.rank > 256) {
            bail!(InvalidArgument, "rank: expected a multiple of 4 from 4 to 256, found {}", self.rank);
        }
        if low_rank && !(1..=100_000).contains(&self.interval) {
            bail!(InvalidArgument, "interval: expected 1 to 100000 steps, found {}", self.interval);
        }
        if !low_rank && (self.rank != 0 || self.interval != 0) {
            bail!(InvalidArgument, "rank and interval are settings of the low-rank estimator");
        }
        if low_rank && self.momentum > 0.0 {
            bail!(
                InvalidArgument,
                "momentum cannot be used with low-rank directions, because the directions of past steps are not kept"
            );
        }
        Ok(())
    }

    /// Number of branches of a step.
    pub fn branches(&self) -> u32 {
        match self.kind {
            EstimatorKind::OneSided => self.probes + 1,
            EstimatorKind::TwoPoint | EstimatorKind::LowRank => 2 * self.probes,
        }
    }

    /// The branches of a step.
    pub fn branch_list(&self, seed: u64, step: u32) -> Vec<Branch> {
        let along = (0..self.probes).map(|probe| Branch::along(stream_key(seed, step, probe)));
        match self.kind {
            EstimatorKind::OneSided => std::iter::once(Branch::PLAIN).chain(along).collect(),
            EstimatorKind::TwoPoint | EstimatorKind::LowRank => {
                along.flat_map(|branch| [branch, branch.opposite()]).collect()
            }
        }
    }

    /// Estimates the projected gradient along each direction from the losses of the branches.
    pub fn estimate(&self, losses: &[f32], epsilon: f32) -> Vec<Probe> {
        let clipped = |g: f32| if self.clip > 0.0 { g.clamp(-self.clip, self.clip) } else { g };
        match self.kind {
            EstimatorKind::OneSided => {
                let (base, rest) = losses.split_first().map_or((0.0, losses), |(base, rest)| (*base, rest));
                let sigma = deviation(rest);
                let slope = |loss: f32| match sigma > 0.0 {
                    true => ((f64::from(loss) - f64::from(base)) / sigma) as f32,
                    false => 0.0,
                };
                let probe = |&loss: &f32| Probe {
                    loss_plus: loss,
                    loss_minus: base,
                    projected_grad: clipped(slope(loss)),
                };
                rest.iter().map(probe).collect()
            }
            EstimatorKind::TwoPoint | EstimatorKind::LowRank => {
                let pairs = losses.as_chunks::<2>().0.iter();
                let probe = |&[loss_plus, loss_minus]: &[f32; 2]| Probe {
                    loss_plus,
                    loss_minus,
                    projected_grad: clipped(projected_gradient(loss_plus, loss_minus, epsilon)),
                };
                pairs.map(probe).collect()
            }
        }
    }

    /// Number of steps whose directions one step moves along: one or, with momentum, as many as fit in one pass.
    pub fn reach(&self) -> usize {
        if self.momentum > 0.0 { MAX_UPDATES / self.probes as usize } else { 1 }
    }

    /// The updates for the last step of `records`. These must be the records of at least [`Estimator::reach`] whole steps, or of
    /// all steps so far.
    pub fn updates(&self, seed: u64, records: &[Record]) -> Vec<Update> {
        let probes = self.probes as usize;
        let Some(last) = records.last() else { return Vec::new() };
        let divisor = f64::from(self.probes) * f64::from(self.rank.max(1));
        let mut updates = Vec::new();
        let mut weight = 1.0;
        for step in records.rchunks(probes).take(self.reach()) {
            for record in step {
                let product = f64::from(last.learning_rate) * weight * f64::from(record.projected_grad);
                updates.push(Update {
                    key: stream_key(seed, record.step, record.probe),
                    coefficient: -(product / divisor) as f32,
                    distribution: self.distribution,
                    // The weights decay once per step, before its first update.
                    decay: if updates.is_empty() { last.decay } else { 1.0 },
                    rounding: None,
                });
            }
            weight *= f64::from(self.momentum);
        }
        if let Some(update) = updates.last_mut() {
            update.rounding = Some(super::random::rounding_key(seed, last.step));
        }
        updates
    }
}

/// The two-point estimate of the projected gradient: (loss+ - loss-) / (2 epsilon).
pub fn projected_gradient(loss_plus: f32, loss_minus: f32, epsilon: f32) -> f32 {
    ((f64::from(loss_plus) - f64::from(loss_minus)) / (2.0 * f64::from(epsilon))) as f32
}

/// The factor by which weights are multiplied in a step, 1 - learning rate * weight decay. It is
/// computed in f64 and rounded once.
pub fn decay(learning_rate: f32, weight_decay: f32) -> f32 {
    (1.0 - f64::from(learning_rate) * f64::from(weight_decay)) as f32
}

/// The standard deviation with divisor n - 1.
fn deviation(losses: &[f32]) -> f64 {
    let n = losses.len() as f64;
    let mean = losses.iter().map(|l| f64::from(*l)).sum::<f64>() / n.max(1.0);
    let squares: f64 = losses.iter().map(|l| (f64::from(*l) - mean).powi(2)).sum();
    (squares / (n - 1.0).max(1.0)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(step: u32, probe: u32, projected_grad: f32) -> Record {
        Record {
            step,
            probe,
            projected_grad,
            learning_rate: 0.5,
            decay: 0.9,
            loss_plus: 0.0,
            loss_minus: 0.0,
        }
    }

    #[test]
    fn the_estimate_is_the_slope() {
        assert_eq!(projected_gradient(1.5, 1.0, 0.25), 1.0);
        assert_eq!(projected_gradient(1.0, 1.0, 1e-3), 0.0);
    }

    #[test]
    fn one_sided_slopes_are_in_standard_deviations() {
        let estimator = Estimator { probes: 2, ..Estimator::new(EstimatorKind::OneSided) };
        assert_eq!(estimator.branches(), 3);
        let probes = estimator.estimate(&[1.0, 2.0, 4.0], 1e-3);
        let sigma = 2.0_f32.sqrt();
        assert!((probes[0].projected_grad - 1.0 / sigma).abs() < 1e-6);
        assert!((probes[1].projected_grad - 3.0 / sigma).abs() < 1e-6);
        assert_eq!(estimator.estimate(&[1.0, 1.0, 1.0], 1e-3)[0].projected_grad, 0.0);
    }

    #[test]
    fn probes_share_the_step_and_decay_once() {
        let estimator = Estimator { probes: 2, ..Estimator::default() };
        let updates = estimator.updates(1, &[record(0, 0, 3.0), record(0, 1, -1.0)]);
        assert_eq!(updates.iter().map(|u| u.coefficient).collect::<Vec<_>>(), [-0.75, 0.25]);
        assert_eq!(updates.iter().map(|u| u.decay).collect::<Vec<_>>(), [0.9, 1.0]);
        assert_eq!(updates.iter().map(|u| u.rounding.is_some()).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn momentum_goes_along_the_directions_before() {
        let estimator = Estimator { momentum: 0.5, ..Estimator::default() };
        let records: Vec<Record> = (0..40).map(|step| record(step, 0, 1.0)).collect();
        let updates = estimator.updates(1, &records);
        assert_eq!(updates.len(), MAX_UPDATES);
        assert_eq!((updates[0].coefficient, updates[2].coefficient), (-0.5, -0.125));
        assert_eq!(updates[2].key, stream_key(1, 37, 0));
    }

    #[test]
    fn clipped_gradients_keep_their_sign() {
        let estimator = Estimator { clip: 2.0, ..Estimator::default() };
        assert_eq!(estimator.estimate(&[0.0, 1.0], 1e-3)[0].projected_grad, -2.0);
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        let base = Estimator::default();
        for bad in [
            Estimator { probes: 0, ..base.clone() },
            Estimator { probes: 9, ..base.clone() },
            Estimator { momentum: 1.0, ..base.clone() },
            Estimator { clip: f32::NAN, ..base.clone() },
            Estimator { rank: 4, ..base },
            Estimator { rank: 6, ..Estimator::new(EstimatorKind::LowRank) },
            Estimator { probes: 1, ..Estimator::new(EstimatorKind::OneSided) },
        ] {
            assert!(bad.check().is_err(), "{bad:?}");
        }
    }
}
