//! The measurements of one step of a run.

use crate::zo::estimator::Probe;

/// The result of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Index of the step, from 0.
    pub step: u32,
    /// What was measured along each direction.
    pub probes: Vec<Probe>,
    /// The step's learning rate.
    pub learning_rate: f32,
    /// The loss that the step's loss is compared with: the larger of the loss before the first step and the loss of a model that
    /// has learned nothing.
    pub reference: f64,
    /// Wall time in milliseconds.
    pub ms: f64,
    /// Number of tokens in the batch.
    pub tokens: usize,
}

impl StepReport {
    /// Mean over the probes.
    fn mean(&self, of: impl Fn(&Probe) -> f32) -> f32 {
        let sum: f64 = self.probes.iter().map(|probe| f64::from(of(probe))).sum();
        (sum / self.probes.len().max(1) as f64) as f32
    }

    /// Mean over the probes of the loss at theta + epsilon z.
    pub fn loss_plus(&self) -> f32 {
        self.mean(|probe| probe.loss_plus)
    }

    /// Mean over the probes of the loss at theta - epsilon z, or at theta.
    pub fn loss_minus(&self) -> f32 {
        self.mean(|probe| probe.loss_minus)
    }

    /// Mean over the probes of the projected gradient.
    pub fn projected_grad(&self) -> f32 {
        self.mean(|probe| probe.projected_grad)
    }

    /// Mean of all branches' losses, weighted as the estimator weights them.
    pub fn loss(&self) -> f32 {
        self.mean(|probe| (probe.loss_plus + probe.loss_minus) / 2.0)
    }
}
