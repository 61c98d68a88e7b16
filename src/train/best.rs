//! The step of a run with the lowest held-out loss, and ending the run there.

use super::classifier::Classifier;
use super::encoder::{ExampleEncoder, Examples};
use super::replay::advance;
use super::session::Session;
use super::trainer::Trainer;
use super::trajectory::Trajectory;
use super::updater::Updater;
use crate::error::Result;

/// The evaluation with the lowest held-out loss, or the first of several equal ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Best {
    /// Number of completed steps before it.
    pub steps: u32,
    /// Its loss.
    pub loss: f64,
}

impl Best {
    /// The better of this evaluation and the best one so far.
    pub fn or(before: Option<Best>, steps: u32, loss: f64) -> Best {
        before.filter(|best| best.loss <= loss).unwrap_or(Best { steps, loss })
    }
}

impl Trainer {
    /// The best evaluation of the steps so far, for a surface that stores no evaluations. The weights are recomputed from the base
    /// weights and evaluated before the first step and wherever an evaluation was due. Evaluations on one device give the same bits
    /// each time.
    ///
    /// # Errors
    /// The errors of [`super::replay()`] and of the backend; errors from `keep_going`.
    pub async fn best_so_far(
        &mut self,
        session: &mut Session,
        held_out: &Examples,
        keep_going: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Best> {
        let done = self.done();
        if done == 0 {
            let report = self.evaluate(session, Some(held_out), keep_going).await?;
            return Ok(Best { steps: 0, loss: report.loss });
        }
        let trajectory = self.trajectory.clone();
        session.reset(&mut |_| Ok(())).await?;
        let (initial, _) = Classifier::split(&trajectory.header, session);
        let at = |steps: u32, session: &Session| {
            let mut part = Trajectory { records: Vec::new(), ..trajectory.clone() };
            part.refits.truncate(steps.checked_div(self.settings.refit_every).unwrap_or(0) as usize);
            Ok(Classifier::of(&part.latest_header(), session)?.map(ExampleEncoder::Readout))
        };
        session.use_readout(self.encoder.classifier())?;
        session.set_up(&self.setup(initial)).await?;
        let mut updater = Updater::new(&self.settings);
        let mut best = None;
        for step in 0..=done {
            keep_going()?;
            let every = self.settings.evaluate_every;
            if step == 0 || every > 0 && step.is_multiple_of(every) || step == self.settings.steps {
                updater.settle(session).await?;
                let readout = at(step, session)?;
                let encoder = readout.as_ref().unwrap_or(&self.encoder);
                let report = session.evaluate(encoder, held_out, keep_going).await?;
                best = Some(Best::or(best, step, report.loss));
            }
            if step < done {
                advance(session, &mut updater, &trajectory, step).await?;
            }
        }
        updater.settle(session).await?;
        self.updater = Some(updater);
        Ok(best.unwrap_or(Best { steps: 0, loss: f64::INFINITY }))
    }

    /// Ends the run with the weights after its first `steps` steps, which are recomputed from the base weights.
    ///
    /// # Errors
    /// The errors of [`super::replay()`]; errors from `progress`.
    pub async fn keep(
        &mut self,
        session: &mut Session,
        steps: u32,
        progress: &mut dyn FnMut(u32) -> Result<()>,
    ) -> Result<()> {
        self.trajectory.truncate(steps);
        self.trajectory.header.kept_of = self.settings.steps;
        self.updater = None;
        if let Some(classifier) = Classifier::of(&self.trajectory.latest_header(), session)? {
            self.encoder = ExampleEncoder::Readout(classifier);
        }
        session.reset(&mut |_| Ok(())).await?;
        let trajectory = self.trajectory.clone();
        self.resume(session, trajectory, progress).await
    }
}
