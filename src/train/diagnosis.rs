//! Warns in plain sentences when a run is not learning, and says what to do. The losses of MeZO are noisy, and the common faults (a
//! learning rate ten times too large or too small, an epsilon that is lost to rounding) look alike for hundreds of steps. A run
//! that has exploded is stopped by [`super::watch`]; this module warns about runs that can still continue.

use std::collections::VecDeque;

use super::step_report::StepReport;

/// Number of first steps whose losses later ones are compared with.
const FIRST: usize = 20;

/// Number of consecutive steps that are examined for problems that appear early.
const SOON: usize = 10;

/// The multiple of the reference loss above which the learning rate is suspected.
const HIGH: f64 = 2.0;

/// The part of the loss up to which the branches' losses differ by rounding alone: 32 units in the last place of f32.
const ROUNDING: f64 = 32.0 * f32::EPSILON as f64;

/// The kind of problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The loss is higher than it was.
    Rising,
    /// The loss has not moved.
    Flat,
    /// The branches' losses do not differ.
    NoDifference,
    /// The losses of the branches differ by a large part of their value.
    LargeDifference,
}

/// A warning, which is given only once per run.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Warning {
    /// The kind of problem.
    pub trouble: Trouble,
    /// The message for the user, which also says what to do.
    pub message: String,
}

/// Watches the losses of a run.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    learning_rate: f32,
    epsilon: f32,
    /// Number of steps in a window: a tenth of the run, at least 20.
    window: usize,
    first: Vec<f64>,
    last: VecDeque<f64>,
    steps: usize,
    same: usize,
    apart: usize,
    /// The loss that later losses are compared with.
    reference: f64,
    given: Vec<Trouble>,
}

impl Diagnosis {
    /// Creates the diagnosis for a run with this number of steps, learning rate and perturbation scale.
    pub fn new(steps: u32, learning_rate: f32, epsilon: f32) -> Diagnosis {
        Diagnosis {
            learning_rate,
            epsilon,
            window: (steps as usize / 10).clamp(FIRST, 200),
            first: Vec::new(),
            last: VecDeque::new(),
            steps: 0,
            same: 0,
            apart: 0,
            reference: 0.0,
            given: Vec::new(),
        }
    }

    /// Adds the losses of a step. Returns a warning for a problem that has become clear and has not been reported before.
    pub fn observe(&mut self, report: &StepReport) -> Option<Warning> {
        let loss = f64::from(report.loss());
        self.steps += 1;
        self.reference = report.reference;
        if self.first.len() < self.window {
            self.first.push(loss);
        }
        self.last.push_back(loss);
        if self.last.len() > self.window {
            self.last.pop_front();
        }
        let differences = report.probes.iter().map(|p| f64::from((p.loss_plus - p.loss_minus).abs()));
        let largest = differences.fold(0.0, f64::max);
        self.same = if largest <= ROUNDING * loss.abs() { self.same + 1 } else { 0 };
        self.apart = if largest > 0.5 * loss.abs() { self.apart + 1 } else { 0 };
        let (trouble, message) = self.look()?;
        if self.given.contains(&trouble) {
            return None;
        }
        self.given.push(trouble);
        Some(Warning { trouble, message })
    }

    fn look(&self) -> Option<(Trouble, String)> {
        let (lr, eps) = (self.learning_rate, self.epsilon);
        if self.same >= SOON {
            let message = format!(
                "the losses at theta + epsilon z and theta - epsilon z have been equal, except for rounding, for {} steps: nothing is learned. Use a larger \
                 epsilon than {eps:e}, such as {:.0e}",
                self.same,
                eps * 10.0
            );
            return Some((Trouble::NoDifference, message));
        }
        let soon = || self.last.iter().rev().take(SOON);
        if self.steps >= SOON && soon().all(|loss| *loss > HIGH * self.reference) {
            return Some(self.rising(self.reference, Summary::of(soon()).mean));
        }
        // Losses that have risen also differ a lot from each other, but then the learning rate is at fault.
        if self.apart >= SOON && Summary::of(soon()).mean <= HIGH * self.reference {
            let message = format!(
                "the two losses of a step have differed by more than half of the loss for {} steps: the perturbation is too large to \
                 measure a slope. Use a smaller epsilon than {eps:e}, such as {:.0e}",
                self.apart,
                eps / 10.0
            );
            return Some((Trouble::LargeDifference, message));
        }
        if self.steps < 2 * self.window {
            return None;
        }
        let (before, now) = (Summary::of(self.first.iter()), Summary::of(self.last.iter()));
        let change = now.mean - before.mean;
        let error = (before.error.powi(2) + now.error.powi(2)).sqrt();
        if change > 3.0 * error && change > 0.05 * before.mean.abs() {
            return Some(self.rising(before.mean, now.mean));
        }
        if self.steps >= 5 * self.window && change.abs() < 2.0 * error && change > -0.01 * before.mean.abs() {
            let message = format!(
                "the loss has stayed at {:.4} for {} steps. Try a learning rate of {:.0e}, or check whether the label words fit the \
                 prompt; the learning rate `auto` tries several",
                now.mean,
                self.steps,
                lr * 3.0
            );
            return Some((Trouble::Flat, message));
        }
        None
    }

    fn rising(&self, before: f64, now: f64) -> (Trouble, String) {
        let lr = self.learning_rate;
        let message = format!(
            "the loss has risen from {before:.4} to {now:.4}: the learning rate {lr:e} is too large. Start again with {:.0e}",
            lr / 3.0
        );
        (Trouble::Rising, message)
    }
}

/// A mean and its standard error.
struct Summary {
    mean: f64,
    error: f64,
}

impl Summary {
    fn of<'a>(values: impl ExactSizeIterator<Item = &'a f64> + Clone) -> Summary {
        let n = values.len().max(2) as f64;
        let mean = values.clone().sum::<f64>() / n;
        let variance = values.map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Summary { mean, error: (variance / n).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zo::estimator::Probe;

    /// A step whose losses are `apart` away from each other, around `loss`.
    fn step(loss: f32, apart: f32) -> StepReport {
        let probe =
            Probe { loss_plus: loss + apart / 2.0, loss_minus: loss - apart / 2.0, projected_grad: 0.0 };
        StepReport { step: 0, probes: vec![probe], learning_rate: 1e-6, reference: 0.7, ms: 1.0, tokens: 1 }
    }

    fn troubles(loss: impl Fn(f32) -> f32, apart: f32) -> Vec<Trouble> {
        let mut diagnosis = Diagnosis::new(400, 1e-6, 1e-3);
        // Noise with an amplitude of a tenth.
        let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0 * 0.2 - 0.1;
        let seen = (0..400).filter_map(|i| diagnosis.observe(&step(loss(i as f32) + noise(i), apart)));
        seen.map(|warning| warning.trouble).collect()
    }

    #[test]
    fn a_run_that_learns_is_left_alone() {
        assert_eq!(troubles(|i| 1.0 - i * 1e-3, 1e-3), []);
    }

    #[test]
    fn troubles_are_named_once() {
        assert_eq!(troubles(|_| 0.7, 1e-3), [Trouble::Flat]);
        assert_eq!(troubles(|i| 0.7 + i * 2e-3, 1e-3), [Trouble::Rising]);
        assert_eq!(troubles(|i| 1.0 - i * 1e-3, 0.0), [Trouble::NoDifference]);
        assert_eq!(troubles(|i| 1.0 - i * 1e-3, 1e-6), [Trouble::NoDifference], "rounding is no difference");
        assert_eq!(troubles(|i| 1.0 - i * 1e-3, 2.0), [Trouble::LargeDifference]);
        // Losses that have risen at once differ a lot, but epsilon is not at fault.
        assert_eq!(troubles(|i| if i < 1.0 { 0.7 } else { 40.0 }, 60.0), [Trouble::Rising]);
    }
}
