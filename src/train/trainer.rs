//! The training loop: one MeZO step after another, resumable at any of them.

use super::evaluation::{EvaluationReport, extent, input};
use super::objective::{Examples, Objective};
use super::replay::check_model;
use super::session::Session;
use super::settings::Settings;
use crate::clock::Instant;
use crate::error::{Result, bail};
use crate::model::Extent;
use crate::text::batch::Batch;
use crate::zo::random::{Order, stream_key};
use crate::zo::spsa::{self, Update};
use crate::zo::trajectory::{Header, Record, Trajectory, hex};

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// What the trajectory keeps of it.
    pub record: Record,
    /// Wall time, milliseconds.
    pub ms: f64,
    /// Tokens of the batch.
    pub tokens: usize,
}

/// A run under way: settings, data, and the records so far. The weights are the session's.
pub struct Trainer {
    settings: Settings,
    objective: Objective,
    examples: Examples,
    order: Order,
    trajectory: Trajectory,
    pending: Option<Update>,
}

impl Trainer {
    /// A run from its first step, on a session with base weights.
    ///
    /// # Errors
    /// `invalid-argument` for a setting out of range.
    pub fn new(
        session: &Session,
        settings: Settings,
        objective: Objective,
        template: Option<&str>,
        examples: Examples,
    ) -> Result<Trainer> {
        settings.check()?;
        let (spec, weights) = (session.model.spec(), session.model.weights());
        let header = Header {
            family: spec.family.to_owned(),
            parameters: spec.parameters(),
            fingerprint: hex(weights.fingerprint()),
            method: "full".to_owned(),
            estimator: "two-point".to_owned(),
            dtype: "f32".to_owned(),
            seed: settings.seed.to_string(),
            epsilon: settings.epsilon,
            learning_rate: settings.learning_rate,
            schedule: settings.schedule,
            weight_decay: settings.weight_decay,
            steps: settings.steps,
            batch_size: settings.batch_size,
            max_length: settings.length_for(spec),
            data: hex(examples.fingerprint),
            task: examples.task.map(str::to_owned),
            template: template.map(str::to_owned),
            labels: objective.label_words().to_vec(),
        };
        let order = Order::new(settings.seed, examples.examples.len());
        let trajectory = Trajectory { header, records: Vec::new(), torn_bytes: 0 };
        Ok(Trainer { settings, objective, examples, order, trajectory, pending: None })
    }

    /// Goes on from a trajectory of the same run: its updates are applied to the session's base weights.
    ///
    /// # Errors
    /// `trajectory-mismatch` naming the setting that differs; those of [`super::replay()`].
    pub async fn resume(
        &mut self,
        session: &mut Session,
        trajectory: Trajectory,
        progress: &mut dyn FnMut(u32) -> Result<()>,
    ) -> Result<()> {
        self.check(session, &trajectory)?;
        super::replay(session, &trajectory, progress).await?;
        self.trajectory.records = trajectory.records;
        Ok(())
    }

    /// Goes on from a trajectory of the same run whose updates the session's weights already have.
    ///
    /// # Errors
    /// `trajectory-mismatch` naming the setting that differs.
    pub fn adopt(&mut self, session: &Session, trajectory: Trajectory) -> Result<()> {
        self.check(session, &trajectory)?;
        self.trajectory.records = trajectory.records;
        Ok(())
    }

    fn check(&self, session: &Session, trajectory: &Trajectory) -> Result<()> {
        check_model(session, trajectory)?;
        trajectory.header.check_same_run(&self.trajectory.header)?;
        if trajectory.records.len() > self.settings.steps as usize {
            bail!(TrajectoryMismatch, "the trajectory has more steps than the run's {}", self.settings.steps);
        }
        Ok(())
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What is learned.
    pub fn objective(&self) -> &Objective {
        &self.objective
    }

    /// The records so far, with the header that makes them a file.
    pub fn trajectory(&self) -> &Trajectory {
        &self.trajectory
    }

    /// Steps done.
    pub fn done(&self) -> u32 {
        self.trajectory.records.len() as u32
    }

    /// One step; none when the run is complete. The weights follow one step behind: see [`Trainer::settle`].
    ///
    /// # Errors
    /// `non-finite-loss` with what to do, after which the run stands before this step; those of the backend.
    pub async fn step(&mut self, session: &mut Session) -> Result<Option<StepReport>> {
        let step = self.done();
        if step >= self.settings.steps {
            return Ok(None);
        }
        let start = Instant::now();
        let settings = &self.settings;
        let chosen = self.order.batch(step, settings.batch_size as usize);
        let batch = Batch::pack(&chosen.iter().map(|i| &self.examples.examples[*i]).collect::<Vec<_>>());
        let key = stream_key(settings.seed, step, 0);
        let added = spsa::step(self.pending.as_ref(), Some((key, settings.epsilon)));
        let score = self.objective.score();
        let (model, ws) = session.prepare(extent(&batch, 2, score))?;
        let losses = model.branch_losses(ws, &input(&batch), &batch.targets, score, &added, 2).await?;
        // The pass has written the pending update to the weights.
        self.pending = None;
        let [loss_plus, loss_minus] = losses[..] else {
            bail!(InvalidArgument, "{} losses of two branches", losses.len());
        };
        if !loss_plus.is_finite() || !loss_minus.is_finite() {
            bail!(
                NonFiniteLoss,
                "step {step}: losses {loss_plus} and {loss_minus}; a smaller learning rate or epsilon is needed"
            );
        }
        let learning_rate = settings.schedule.rate(settings.learning_rate, step, settings.steps);
        let record = Record {
            step,
            probe: 0,
            projected_grad: spsa::projected_gradient(loss_plus, loss_minus, settings.epsilon),
            learning_rate,
            decay: spsa::decay(learning_rate, settings.weight_decay),
            loss_plus,
            loss_minus,
        };
        self.pending = Some(Update::of(settings.seed, &record));
        self.trajectory.records.push(record);
        Ok(Some(StepReport { record, ms: start.elapsed_ms(), tokens: batch.ids.len() }))
    }

    /// Whether an evaluation is due after the steps done.
    pub fn evaluation_due(&self) -> bool {
        let (done, every) = (self.done(), self.settings.evaluate_every);
        every > 0 && done > 0 && (done.is_multiple_of(every) || done == self.settings.steps)
    }

    /// Applies the last step's update, which the next step would have applied: the weights are then those of the records.
    ///
    /// # Errors
    /// Those of the backend.
    pub async fn settle(&mut self, session: &mut Session) -> Result<()> {
        if let Some(update) = self.pending {
            let (model, ws) = session.prepare(Extent { branches: 1, tokens: 1, targets: 1, labels: 0 })?;
            model.apply_update(ws, &spsa::step(Some(&update), None)).await?;
            self.pending = None;
        }
        Ok(())
    }

    /// Evaluates the weights of the steps done on held-out examples.
    ///
    /// # Errors
    /// Those of the backend, and what `keep_going` stops it with.
    pub async fn evaluate(
        &mut self,
        session: &mut Session,
        examples: &Examples,
        keep_going: &mut dyn FnMut() -> Result<()>,
    ) -> Result<EvaluationReport> {
        self.settle(session).await?;
        session.evaluate(&self.objective, examples, keep_going).await
    }
}
