//! Watches the losses of a run from the first step, and stops a run that has exploded.
//!
//! Losses are compared with a bound B: the larger of the loss before the first step and the loss of a model that has learned
//! nothing (the logarithm of the number of labels or tokens). A step is bad if even the lowest of its losses is above [`FACTOR`]
//! times B, since the losses of one step differ only by the noise of its direction. A run has exploded
//!
//! - after [`PATIENCE`] bad steps without a good one in between. A healthy model also gets single batches badly wrong, especially
//!   batches of one example, but not [`PATIENCE`] in a row;
//! - after [`CERTAIN`] steps above [`FAR`] times B;
//! - at once, if a loss or an update is infinite or NaN.
//!
//! A model that always gives the same answer has a loss of 0 on a batch where that answer is right. So after a step above [`FAR`]
//! times B, single good steps do not count: only [`RECOVERY`] good steps in a row end a series of bad ones.
//!
//! A step measures the weights that the previous step produced, and the loss after the last step is measured when the run ends. So
//! the record of an exploded run is kept up to the step before the last good one: it yields the last weights whose loss was seen to
//! be good.

use super::encoder::ExampleEncoder;
use super::presets::Preset;
use super::settings::{Objective, Settings};
use crate::error::{Error, err};
use crate::model::{ModelSpec, Score};
use crate::zo::record::Record;

/// A loss is good up to this multiple of B.
const FACTOR: f64 = 4.0;

/// The number of consecutive bad steps after which a run has exploded.
const PATIENCE: u32 = 20;

/// A multiple of B that the losses of a healthy run never reach.
const FAR: f64 = 100.0;

/// The number of steps above [`FAR`] times B after which a run has exploded.
const CERTAIN: u32 = 3;

/// The number of consecutive good steps after which a run that was above [`FAR`] times B is trusted again.
const RECOVERY: u32 = 3;

/// The state that decides whether a run has exploded, from its losses so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Watch {
    /// The loss of a model that has learned nothing.
    uniform: f64,
    /// The loss before the first step; `None` until it is measured.
    untrained: Option<f64>,
    /// The number of steps since the last one that counts as good.
    bad: u32,
    /// How many of those steps were above [`FAR`] times B.
    far: u32,
    /// The number of consecutive good steps.
    good: u32,
}

impl Watch {
    /// Creates the watch of a run that has not begun.
    pub(super) fn new(spec: &ModelSpec, settings: &Settings, encoder: &ExampleEncoder) -> Watch {
        let choices = match encoder.score() {
            Score::Labels(ids) => ids.len() as u32,
            Score::Readout(labels) => labels,
            Score::Vocabulary => spec.vocabulary,
        };
        // The other objectives are at most 1.
        let uniform =
            if settings.objective == Objective::Loss { f64::from(choices.max(2)).ln() } else { 1.0 };
        Watch { uniform, untrained: None, bad: 0, far: 0, good: 0 }
    }

    /// The loss that later ones are compared with.
    pub(super) fn bound(&self) -> f64 {
        self.untrained.map_or(self.uniform, |untrained| untrained.max(self.uniform))
    }

    /// Whether the losses at a distance of epsilon from the untrained weights are so large that the loss at the
    /// untrained weights must be measured.
    pub(super) fn is_suspicious(&self, losses: &[f32]) -> bool {
        losses.iter().any(|loss| self.is_bad(*loss))
    }

    /// Whether a loss is infinite, not a number or far above the bound.
    pub(super) fn is_bad(&self, loss: f32) -> bool {
        !loss.is_finite() || f64::from(loss) > FACTOR * self.bound()
    }

    /// Sets the loss before the first step.
    pub(super) fn begin(&mut self, untrained: f32) {
        self.untrained = Some(f64::from(untrained));
    }

    /// Observes the losses of a step. If the run has exploded, returns the number of steps that are good.
    pub(super) fn observe(&mut self, step: u32, losses: impl Iterator<Item = f32> + Clone) -> Option<u32> {
        if self.untrained.is_none() {
            let (sum, count) = losses.clone().fold((0.0, 0.0), |(sum, n), loss| (sum + loss, n + 1.0));
            self.begin(sum / count);
        }
        let lowest = losses.clone().fold(f32::INFINITY, f32::min);
        let is_finite = losses.clone().all(f32::is_finite);
        self.good = if self.is_bad(lowest) || !is_finite { 0 } else { self.good + 1 };
        self.bad += 1;
        self.far += u32::from(f64::from(lowest) > FAR * self.bound());
        if self.good >= if self.far > 0 { RECOVERY } else { 1 } {
            [self.bad, self.far] = [0, 0];
        }
        let exploded = !is_finite || self.bad >= PATIENCE || self.far >= CERTAIN;
        // The weights before the last good step were good; that step's update led away from them.
        exploded.then(|| (step + 1).saturating_sub(self.bad + 1))
    }

    /// Observes the records of steps that were taken before.
    pub(super) fn catch_up(&mut self, records: &[Record], probes: usize) {
        for step in records.chunks(probes.max(1)) {
            let number = step.first().map_or(0, |record| record.step);
            self.observe(number, step.iter().flat_map(|record| [record.loss_plus, record.loss_minus]));
        }
    }
}

/// Why a run cannot begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    /// The loss of the untrained weights is not finite.
    Model(f32),
    /// The loss of the untrained weights is good, unlike the losses at a distance of epsilon.
    Epsilon(f32),
}

impl Watch {
    /// The fault indicated by the losses of the first step and the loss of the untrained weights.
    pub(super) fn fault_at_start(&self, untrained: f32, losses: &[f32]) -> Option<Fault> {
        if !untrained.is_finite() {
            return Some(Fault::Model(untrained));
        }
        let is_lost =
            losses.iter().any(|loss| !loss.is_finite()) || losses.iter().all(|loss| self.is_bad(*loss));
        is_lost.then_some(Fault::Epsilon(untrained))
    }

    /// The error of a run that has exploded in step `step`, counted from 1, and of which the first `good` steps are kept.
    pub(super) fn explosion(
        &self,
        settings: &Settings,
        preset: Preset,
        (step, good): (u32, u32),
        losses: &[f32],
    ) -> Error {
        let kept = match good {
            0 => "No step is kept, because the loss was not good after any of them".to_owned(),
            good => {
                format!("The record is kept up to step {good}, the last one after which the loss was good")
            }
        };
        err!(NonFiniteLoss, "step {step}: {}. {kept}", self.grown("is", settings, preset, losses))
    }

    /// The warning of a run that is complete, but whose loss after the last step is far above the loss before the first one.
    pub(super) fn end(&self, settings: &Settings, preset: Preset, loss: f32) -> String {
        let grown = self.grown("after the last step is", settings, preset, &[loss]);
        format!("the run has not learned, because {grown}")
    }

    /// What has grown, why, and what to do.
    fn grown(&self, is: &str, settings: &Settings, preset: Preset, losses: &[f32]) -> String {
        let rate = settings.learning_rate;
        format!(
            "the loss {is} {}, and was {:.4} before the first step: the learning rate {} is too large. Start a new run with a \
             learning rate of {}",
            shown(losses),
            self.untrained.unwrap_or(self.uniform),
            number(rate),
            smaller(rate, preset.learning_rate)
        )
    }
}

impl Fault {
    /// The error of a run that cannot begin.
    pub(super) fn error(self, settings: &Settings, preset: Preset, losses: &[f32]) -> Error {
        match self {
            Fault::Model(loss) => err!(
                NonFiniteLoss,
                "the loss of the model is {loss} before the first step, so its weights or this format cannot be trained. Use dtype f32, and \
                 evaluate the model"
            ),
            Fault::Epsilon(loss) => err!(
                NonFiniteLoss,
                "the loss is {} at a distance of epsilon {} from the weights, and {loss:.4} at the weights: epsilon is too large. Start with an \
                 epsilon of {}",
                shown(losses),
                number(settings.epsilon),
                smaller(settings.epsilon, preset.epsilon)
            ),
        }
    }
}

/// The loss of a step to show in messages: a non-finite one if there is any, otherwise the lowest.
fn shown(losses: &[f32]) -> String {
    let lowest = losses.iter().copied().fold(f32::INFINITY, f32::min);
    let loss = losses.iter().copied().find(|loss| !loss.is_finite()).unwrap_or(lowest);
    if loss.abs() < 1e4 { format!("{loss:.4}") } else { format!("{loss:.1e}") }
}

/// A setting as a person would write it.
fn number(value: f32) -> String {
    if (0.01..1000.0).contains(&value) { value.to_string() } else { format!("{value:e}") }
}

/// A smaller value to suggest: the preset, or a tenth of a value that is not much larger than the preset. It has one digit, as a
/// person would write it.
fn smaller(value: f32, preset: f32) -> String {
    let less = if value > 2.0 * preset { preset } else { value / 10.0 };
    format!("{less:.0e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Watch {
        Watch { uniform: 0.7, untrained: None, bad: 0, far: 0, good: 0 }
    }

    /// Observes losses, each as the loss of both branches, until the run has exploded. Returns the number of steps and of good ones.
    fn exploded(losses: impl IntoIterator<Item = f32>) -> Option<(u32, u32)> {
        let mut watch = watch();
        (0..).zip(losses).find_map(|(step, loss)| {
            let good = watch.observe(step, [loss, loss].into_iter())?;
            Some((step + 1, good))
        })
    }

    #[test]
    fn healthy_runs_go_on() {
        // Noise like that of one-example batches: mostly right, and about one in four badly wrong.
        let noisy = (0..5000).map(|i: u32| if i.wrapping_mul(2_654_435_761) >> 30 == 0 { 9.0 } else { 0.1 });
        assert_eq!(exploded(noisy), None);
        assert_eq!(exploded((0..500).map(|i| 6.0 - i as f32 * 0.01)), None, "it began badly");
        assert_eq!(exploded((0..500).map(|i| 0.7 + i as f32 * 0.004)), None, "it rises, which is warned of");
        assert_eq!(exploded([vec![0.7; 5], vec![5.0; 19], vec![0.7; 5]].concat()), None);
        assert_eq!(
            exploded([vec![0.7; 5], vec![1e4; 2], vec![0.7; 9], vec![1e4; 2], vec![0.7; 9]].concat()),
            None
        );
    }

    #[test]
    fn exploded_runs_are_stopped_at_their_last_good_step() {
        assert_eq!(exploded([0.7, 0.6, 0.7, f32::NAN]), Some((4, 2)));
        assert_eq!(exploded([0.7, f32::INFINITY]), Some((2, 0)));
        assert_eq!(exploded([f32::NAN]), Some((1, 0)));
        assert_eq!(exploded([vec![0.7; 5], vec![1e13; 9]].concat()), Some((8, 4)));
        assert_eq!(exploded([vec![0.7; 5], vec![5.0; 40]].concat()), Some((25, 4)));
        // Giving the same answer to every text is right for some batches.
        assert_eq!(exploded([0.7, 0.6, 1e4, 1e4, 0.0, 1e4]), Some((6, 1)));
        assert_eq!(exploded([vec![0.7, 0.6, 1e4], [5.0, 0.0].repeat(20)].concat()), Some((22, 1)));
    }
}
