//! Two-point SPSA (Spall 1992) as MeZO uses it (Malladi et al. 2023, arXiv 2305.17333): the loss at theta + eps z and at theta - eps z gives
//! the gradient's projection on z, and the step goes along z.

use super::random::{scaled_quantiles, stream_key};
use super::trajectory::Record;
use crate::kernel::step::{Branch, Step};

/// (loss+ - loss-) / (2 epsilon).
pub fn projected_gradient(loss_plus: f32, loss_minus: f32, epsilon: f32) -> f32 {
    ((f64::from(loss_plus) - f64::from(loss_minus)) / (2.0 * f64::from(epsilon))) as f32
}

/// An update that has been decided and not yet applied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// Key of the direction.
    pub key: [u32; 2],
    /// What z is multiplied by: -(learning rate * projected gradient).
    pub coefficient: f32,
    /// What decaying tensors are multiplied by first: 1 - learning rate * weight decay.
    pub decay: f32,
}

impl Update {
    /// The update that a record describes.
    pub fn of(seed: u64, record: &Record) -> Self {
        Update {
            key: stream_key(seed, record.step, record.probe),
            coefficient: -(record.learning_rate * record.projected_grad),
            decay: record.decay,
        }
    }
}

/// What weights are multiplied by in a step, 1 - learning rate * weight decay: formed in f64 and rounded once.
pub fn decay(learning_rate: f32, weight_decay: f32) -> f32 {
    (1.0 - f64::from(learning_rate) * f64::from(weight_decay)) as f32
}

/// What the device adds in a step: the pending update, then nothing (`direction` absent: one plain branch), or
/// +/- epsilon along the direction of a key, in two branches.
pub fn step(pending: Option<&Update>, direction: Option<([u32; 2], f32)>) -> Box<Step> {
    let mut step = Step::plain();
    if let Some(update) = pending {
        step.update = 1;
        step.update_key = update.key;
        step.decay = update.decay;
        step.coefficient = scaled_quantiles(update.coefficient);
    }
    if let Some((key, epsilon)) = direction {
        step.branches[0] = Branch { key, sign: 0, perturbed: 1 };
        step.branches[1] = Branch { key, sign: 0x8000_0000, perturbed: 1 };
        step.perturbation = scaled_quantiles(epsilon);
    }
    step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_the_slope() {
        assert_eq!(projected_gradient(1.5, 1.0, 0.25), 1.0);
        assert_eq!(projected_gradient(1.0, 1.0, 1e-3), 0.0);
    }
}
