//! Continues a run from its trajectory, or ends it at an earlier step.

use super::basis;
use super::classifier::Classifier;
use super::header::Header;
use super::method::{LoraA, Method};
use super::replay::{check_model, follow};
use super::session::Session;
use super::settings::Settings;
use super::trainer::Trainer;
use super::trajectory::Trajectory;
use super::updater::Updater;
use crate::error::{Result, bail};
use crate::gemm::Choice;
use crate::names::Named;
use crate::text::encode::Example;
use crate::zo::schedule::Schedule;

impl Trainer {
    /// Continues from a trajectory of the same run. Its updates are applied to the session's base weights.
    ///
    /// # Errors
    /// `trajectory-mismatch` naming the setting that differs; the errors of [`super::replay()`].
    pub async fn resume(
        &mut self,
        session: &mut Session,
        trajectory: Trajectory,
        progress: &mut dyn FnMut(u32) -> Result<()>,
    ) -> Result<()> {
        self.check(session, &trajectory)?;
        keep_tiles(session, &trajectory.header)?;
        session.use_readout(self.encoder.classifier())?;
        let latest = trajectory.latest_header();
        let (initial, stored) = Classifier::split(&latest, session);
        if self.encoder.classifier().is_some_and(|own| own.linear.values() != stored) {
            bail!(TrajectoryMismatch, "the trajectory was made with another readout");
        }
        session.set_up(&self.setup(initial)).await?;
        self.updater = Some(follow(session, &trajectory, progress).await?);
        self.continue_from(trajectory);
        self.refit_if_due(session).await
    }

    /// Continues from a trajectory of the same run whose updates the session's weights already contain.
    ///
    /// # Errors
    /// `trajectory-mismatch` naming the setting that differs; errors from the backend.
    pub async fn adopt(&mut self, session: &mut Session, trajectory: Trajectory) -> Result<()> {
        self.check(session, &trajectory)?;
        keep_tiles(session, &trajectory.header)?;
        self.updater = Some(Updater::after(session, &self.settings, &trajectory.records));
        self.continue_from(trajectory);
        self.refit_if_due(session).await
    }

    /// Continues from the records of a trajectory, whose run may have had fewer steps than this one.
    fn continue_from(&mut self, trajectory: Trajectory) {
        self.trajectory = trajectory;
        let header = &mut self.trajectory.header;
        header.settings.steps = self.settings.steps;
        // A run that is extended continues from the step that was kept.
        header.kept_of = if header.kept_of < self.settings.steps { 0 } else { header.kept_of };
        self.watch.catch_up(&self.trajectory.records, self.settings.estimator.probes as usize);
    }

    fn check(&self, session: &Session, trajectory: &Trajectory) -> Result<()> {
        check_model(session, trajectory)?;
        let header = &self.trajectory.header;
        // The initial values of the adapter and the matmul tiles come from the trajectory.
        let Header { initial_values, initial_halves, kept_of, ref tiles, .. } = trajectory.header;
        let tiles = tiles.clone();
        let mut header = Header { initial_values, initial_halves, kept_of, tiles, ..header.clone() };
        header.settings.steps = self.lengthened(trajectory.header.settings.steps)?;
        trajectory.header.check_same_run(&header)?;
        if trajectory.steps() > self.settings.steps {
            bail!(TrajectoryMismatch, "the trajectory has more steps than the run's {}", self.settings.steps);
        }
        Ok(())
    }

    /// The number of steps that the header of a run of `before` steps must have for this run to continue it: `before` if the run
    /// can be extended, otherwise the number of steps of this run.
    ///
    /// # Errors
    /// `trajectory-mismatch` if a longer run would have had different first steps.
    fn lengthened(&self, before: u32) -> Result<u32> {
        let (steps, schedule) = (self.settings.steps, self.settings.schedule);
        match schedule {
            _ if steps <= before => Ok(steps),
            Schedule::Constant if self.basis_passes(before) != self.basis_passes(steps) => bail!(
                TrajectoryMismatch,
                "steps: the run has {before}, and cannot be continued to {steps}: LoRA's factor A was computed from the batches of its \
                 {before} steps, and a longer run computes it from more of them"
            ),
            Schedule::Constant => Ok(before),
            Schedule::Linear => bail!(
                TrajectoryMismatch,
                "steps: the run has {before}, and schedule {} cannot be continued to {steps}: it lowers the learning rate in proportion \
                 to the number of all steps, so a longer run has different rates from its first step. Only a run with schedule constant can \
                 be made longer",
                schedule.name()
            ),
        }
    }

    /// The examples that an activation basis is computed from in a run of `steps` steps; empty if the method has no such basis.
    fn basis_passes(&self, steps: u32) -> Vec<Vec<usize>> {
        if !matches!(self.settings.method, Method::Lora { a: LoraA::Activations, .. }) {
            return Vec::new();
        }
        let examples = &self.examples.examples;
        let tokens: Vec<u32> = examples.iter().map(|e| e.ids.len() as u32).collect();
        let order = self.settings.order(examples.iter().map(Example::label));
        basis::passes(&Settings { steps, ..self.settings.clone() }, order, &tokens)
    }
}

/// Uses the matmul tiles that the run began with, if this device supports them.
pub(super) fn keep_tiles(session: &mut Session, header: &Header) -> Result<()> {
    if !header.tiles.is_empty() {
        let limits = session.model.backend().limits();
        let tiles = header.tiles.parse::<Choice>().and_then(|tiles| tiles.moved_to(&limits));
        session.set_tiles(tiles.map_err(|e| e.at("trajectory"))?);
    }
    Ok(())
}
