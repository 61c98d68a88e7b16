//! Learning-rate schedules.

use serde::{Deserialize, Serialize};

/// The change of the learning rate over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// The rate is constant, as in MeZO.
    #[default]
    Constant,
    /// The rate falls linearly from its full value at step 0 to zero at step `steps`.
    Linear,
}

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

impl std::str::FromStr for Schedule {
    type Err = crate::error::Error;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "constant" => Ok(Schedule::Constant),
            "linear" => Ok(Schedule::Linear),
            _ => Err(crate::error::err!(
                InvalidArgument,
                "schedule: expected \"constant\" or \"linear\", found {name:?}"
            )),
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
