//! Learning-rate schedules.

use crate::names::names;

/// The change of the learning rate over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schedule {
    /// The rate is constant, as in MeZO.
    #[default]
    Constant,
    /// The rate falls linearly from its full value at step 0 to zero at step `steps`.
    Linear,
}

names!(Schedule: Constant = "constant", Linear = "linear");

impl Schedule {
    /// The learning rate of step `step` (counted from 0) of `steps`.
    pub fn rate(self, base: f32, step: u32, steps: u32) -> f32 {
        match self {
            Schedule::Constant => base,
            Schedule::Linear => {
                let left = f64::from(steps.saturating_sub(step)) / f64::from(steps.max(1));
                (f64::from(base) * left) as f32
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;

    #[test]
    fn linear_decay_ends_at_zero() {
        assert_eq!(Schedule::Linear.rate(2.0, 0, 4), 2.0);
        assert_eq!(Schedule::Linear.rate(2.0, 3, 4), 0.5);
        assert_eq!(Schedule::Linear.rate(2.0, 4, 4), 0.0);
        assert_eq!(Schedule::Constant.rate(2.0, 3, 4), 2.0);
    }
}
