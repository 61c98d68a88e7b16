//! Learning-rate schedules.

use serde::{Deserialize, Serialize};

/// How the learning rate changes over a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Always the same: MeZO's own choice.
    #[default]
    Constant,
    /// From the full rate at step 0 down to zero at step `steps`.
    Linear,
}

impl Schedule {
    /// The rate of step `step` (from 0) of `steps`.
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
                "schedule {name:?}, expected \"constant\" or \"linear\""
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
