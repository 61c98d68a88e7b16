//! The training loop: a sequence of MeZO steps, resumable after each of them.

use super::diagnosis::{Trouble, Warning};
use super::encoder::{ExampleEncoder, Examples};
use super::evaluation::{EvaluationReport, extent};
use super::header::{Header, hex};
use super::measure;
use super::method::{LoraA, Method, Setup, dtype_name};
use super::presets::{Preset, preset};
use super::session::Session;
use super::settings::Objective;
use super::settings::Settings;
use super::step_report::StepReport;
use super::trajectory::Trajectory;
use super::updater::Updater;
use super::watch::Watch;
use crate::clock::Instant;
use crate::error::{Code, Error, Result, bail, err};
use crate::kernel::step::Branch;
use crate::model::Pooling;
use crate::names::Named;
use crate::text::batch::Batch;
use crate::text::encode::Example;
use crate::zo::estimator::decay;
use crate::zo::random::Order;
use crate::zo::record::Record;
use crate::zo::update;

/// A run in progress: settings, data, and the records so far. The weights belong to the session.
pub struct Trainer {
    pub(super) settings: Settings,
    pub(super) encoder: ExampleEncoder,
    pub(super) examples: Examples,
    order: Order,
    pub(super) trajectory: Trajectory,
    /// None until the session is set up, and after the run has been stopped.
    pub(super) updater: Option<Updater>,
    pub(super) watch: Watch,
    /// Why the run was stopped before its last step.
    stopped: Option<Error>,
    /// The loss after the last step, once it has been measured.
    last_loss: Option<f32>,
}

impl Trainer {
    /// Creates a run before its first step, on a session with base weights. The session is not changed until [`Trainer::begin`] or
    /// the first step.
    ///
    /// # Errors
    /// `invalid-argument` for a setting out of range.
    pub fn new(
        session: &Session,
        settings: Settings,
        encoder: ExampleEncoder,
        template: Option<&str>,
        examples: Examples,
    ) -> Result<Trainer> {
        settings.check()?;
        if settings.method.is_readout() {
            bail!(InvalidArgument, "method readout has no steps: it is fitted in one pass over the rows");
        }
        let readout = encoder.classifier().map(|classifier| classifier.pooling);
        if readout != settings.readout {
            return Err(other_readout(settings.readout, readout));
        }
        let fitted_rows = if readout.is_some() { examples.examples.len() as u32 } else { 0 };
        let (spec, weights) = (session.model.spec(), session.model.weights());
        let header = Header {
            family: spec.family.to_owned(),
            parameters: spec.parameters(),
            fingerprint: hex(weights.fingerprint()),
            settings: Settings { max_length: settings.length_for(spec)?, ..settings.clone() },
            dtype: dtype_name(session.dtype()).to_owned(),
            data: hex(examples.fingerprint),
            task: examples.task.map(str::to_owned),
            template: template.map(str::to_owned),
            labels: encoder.label_words().to_vec(),
            tiles: session.model.tiles().to_string(),
            fitted_rows,
            kept_of: 0,
            refit_values: 0,
            initial_values: 0,
            initial_halves: 0,
            initial: Vec::new(),
        };
        let header = match encoder.classifier() {
            Some(classifier) if settings.refit_every > 0 => {
                Header { refit_values: classifier.linear.values().len() as u32, ..header }
            }
            _ => header,
        };
        let order = settings.order(examples.examples.iter().map(Example::label));
        let trajectory = Trajectory { header, records: Vec::new(), refits: Vec::new(), torn_bytes: 0 };
        let watch = Watch::new(spec, &settings, &encoder);
        let (updater, stopped, last_loss) = (None, None, None);
        Ok(Trainer { settings, encoder, examples, order, trajectory, updater, watch, stopped, last_loss })
    }

    /// Sets up the session for the run's first step: what is trained, and the adapter if there is one. The adapter starts from
    /// `initial` ([`super::AdapterFile::values`]) or, if that is empty, as its method specifies. An activation basis is computed
    /// here.
    ///
    /// # Errors
    /// The errors of [`Session::set_up`].
    pub async fn begin(&mut self, session: &mut Session, initial: &[f32]) -> Result<()> {
        session.use_readout(self.encoder.classifier())?;
        let mut basis = Vec::new();
        if let Method::Lora { a: LoraA::Activations, .. } = self.settings.method {
            if !initial.is_empty() {
                bail!(
                    InvalidArgument,
                    "the adapter has a factor A: expected LoRA's A trained or frozen, not activations"
                );
            }
            basis = session.activation_basis(&self.settings, &self.examples.examples).await?;
        }
        let initial = if basis.is_empty() { initial } else { &basis };
        let mut initial = session.set_up(&self.setup(initial)).await?;
        initial
            .extend(self.encoder.classifier().map_or_else(Vec::new, |classifier| classifier.linear.values()));
        let header = &mut self.trajectory.header;
        header.initial_halves = basis.len() as u64;
        (header.initial_values, header.initial) = (initial.len() as u64, initial);
        self.updater = Some(Updater::new(&self.settings));
        Ok(())
    }

    pub(super) fn setup<'a>(&'a self, initial: &'a [f32]) -> Setup<'a> {
        let Settings { method, estimator, trainable, seed, .. } = &self.settings;
        Setup { method, estimator, trainable, seed: *seed, initial }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The encoder, which turns rows into examples.
    pub fn encoder(&self) -> &ExampleEncoder {
        &self.encoder
    }

    /// The records so far, with the header that makes them a complete file.
    pub fn trajectory(&self) -> &Trajectory {
        &self.trajectory
    }

    /// Number of completed steps.
    pub fn done(&self) -> u32 {
        self.trajectory.steps()
    }

    /// Whether all steps have been taken, or the run has ended with the weights of an earlier step.
    pub fn is_complete(&self) -> bool {
        self.done() >= self.settings.steps || self.is_kept()
    }

    /// Whether the run has ended with the weights of an earlier step.
    pub fn is_kept(&self) -> bool {
        self.trajectory.header.kept_of > 0
    }

    /// Runs one step. Returns `None` if the run is complete, after [`Trainer::check_end`]. The weights lag one step behind: see
    /// [`Trainer::settle`].
    ///
    /// # Errors
    /// `non-finite-loss` with advice if the run has exploded (see `watch.rs`). The run has then ended: its records end at the
    /// last good step, but the session's weights do not match them. Errors from the backend.
    pub async fn step(&mut self, session: &mut Session) -> Result<Option<StepReport>> {
        let step = self.done();
        if self.is_complete() {
            self.check_end(session).await?;
            return Ok(None);
        }
        if self.updater.is_none() {
            self.begin(session, &[]).await?;
        }
        if let Some(error) = &self.stopped {
            return Err(error.clone());
        }
        let start = Instant::now();
        let branches = self.settings.estimator.branch_list(self.settings.seed, step);
        let (losses, tokens) = self.measure(session, step, &branches).await?;
        let (settings, estimator) = (&self.settings, &self.settings.estimator);
        let learning_rate = settings.schedule.rate(settings.learning_rate, step, settings.steps);
        let probes = estimator.estimate(&losses, settings.epsilon);
        if step == 0 && self.watch.is_suspicious(&losses) {
            self.check_untrained(session, &losses).await?;
        }
        let overflows = probes.iter().any(|probe| !(probe.projected_grad * learning_rate).is_finite());
        let watched = losses.iter().copied().chain(overflows.then_some(f32::INFINITY));
        if let Some(good) = self.watch.observe(step, watched) {
            return Err(self.stop(session, good, &losses));
        }
        let decay = decay(learning_rate, self.settings.weight_decay);
        self.trajectory.records.extend((0..).zip(&probes).map(|(probe, seen)| Record {
            step,
            probe,
            projected_grad: seen.projected_grad,
            learning_rate,
            decay,
            loss_plus: seen.loss_plus,
            loss_minus: seen.loss_minus,
        }));
        if let Some(updater) = &mut self.updater {
            updater.queue(session, &self.trajectory.records).await?;
        }
        self.refit_if_due(session).await?;
        let reference = self.watch.bound();
        Ok(Some(StepReport { step, probes, learning_rate, reference, ms: start.elapsed_ms(), tokens }))
    }

    /// Computes the losses of branches on a step's batch, with the pending updates applied. Also returns the number of tokens in
    /// the batch.
    async fn measure(
        &mut self,
        session: &mut Session,
        step: u32,
        branches: &[Branch],
    ) -> Result<(Vec<f32>, usize)> {
        let Some(updater) = &mut self.updater else { return Ok((Vec::new(), 0)) };
        let (settings, estimator) = (&self.settings, &self.settings.estimator);
        let chosen = self.order.batch(step, settings.batch_size as usize);
        updater.enter(session, step).await?;
        updater.write(session)?;
        let mut sums = vec![0.0; branches.len()];
        let (mut weights, mut tokens) = (0.0, 0);
        for chosen in chosen.chunks(settings.at_once() as usize) {
            let batch = Batch::pack(&chosen.iter().map(|i| &self.examples.examples[*i]).collect::<Vec<_>>());
            let distribution = estimator.distribution;
            let added = update::step(updater.pending(), branches, settings.epsilon, distribution);
            let (score, count) = (self.encoder.score(), branches.len() as u32);
            let (model, ws) = session.prepare(extent(&batch, count, score))?;
            let predicted = settings.objective != Objective::Loss;
            let scores = model.branch_scores(ws, &batch, score, (&added, count), predicted).await?;
            // The pass has written the pending updates to the weights.
            updater.applied();
            let (values, weight) = measure::values(settings.objective, &batch, &scores);
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value * weight);
            weights += weight;
            tokens += batch.ids.len();
        }
        let losses: Vec<f32> = sums.iter().map(|sum| (sum / weights) as f32).collect();
        Ok((losses, tokens))
    }

    /// Measures the loss of the untrained weights, because the losses at a distance of epsilon from them are implausible.
    ///
    /// # Errors
    /// `non-finite-loss` if the model or epsilon is at fault, so that no learning rate would help.
    async fn check_untrained(&mut self, session: &mut Session, losses: &[f32]) -> Result<()> {
        let chosen = self.order.batch(0, self.settings.at_once() as usize);
        let batch = Batch::pack(&chosen.iter().map(|i| &self.examples.examples[*i]).collect::<Vec<_>>());
        let plain = session.evaluate_batch(&self.encoder, &batch).await?.losses;
        let untrained = plain.iter().sum::<f32>() / plain.len().max(1) as f32;
        self.watch.begin(untrained);
        let Some(fault) = self.watch.fault_at_start(untrained, losses) else { return Ok(()) };
        let preset = self.preset(session);
        let error = fault.error(&self.settings, preset, losses);
        self.stopped = Some(error.clone());
        Err(error)
    }

    /// Measures the loss after the last step, which no later step measures, on the batch of that step. Does nothing if the run is
    /// not complete, if this was done before, or if the run has returned to the weights of an earlier step.
    ///
    /// # Errors
    /// `non-finite-loss`, as from [`Trainer::step`], if the last step has made the run explode; errors from the backend.
    pub async fn check_end(&mut self, session: &mut Session) -> Result<()> {
        if self.is_complete() && !self.is_kept() && self.last_loss.is_none() {
            self.check_weights(session).await?;
        }
        Ok(())
    }

    /// Measures the loss of the current weights on the batch of the last completed step, and stops the run if it has exploded.
    async fn check_weights(&mut self, session: &mut Session) -> Result<()> {
        let (Some(step), true) = (self.done().checked_sub(1), self.updater.is_some()) else { return Ok(()) };
        let (losses, _) = self.measure(session, step, &[Branch::PLAIN]).await?;
        if let Some(good) = self.watch.observe(step + 1, losses.iter().copied()) {
            return Err(self.stop(session, good, &losses));
        }
        self.last_loss = losses.first().copied();
        Ok(())
    }

    /// The warning for a complete run whose loss after the last step is far above the loss before the first one.
    pub fn warning_at_end(&self, session: &Session) -> Option<Warning> {
        let loss = self.last_loss.filter(|loss| self.watch.is_bad(*loss))?;
        let message = self.watch.end(&self.settings, self.preset(session), loss);
        Some(Warning { trouble: Trouble::Rising, message })
    }

    /// Ends a run that has exploded and truncates its records to the first `good` steps.
    fn stop(&mut self, session: &Session, good: u32, losses: &[f32]) -> Error {
        // The loss after the last step is not that of a step.
        let step = (self.done() + 1).min(self.settings.steps);
        self.trajectory.truncate(good);
        self.updater = None;
        let error = self.watch.explosion(&self.settings, self.preset(session), (step, good), losses);
        self.stopped.insert(error).clone()
    }

    fn preset(&self, session: &Session) -> Preset {
        let Settings { method, estimator, optimizer, balanced, .. } = &self.settings;
        preset(session.model.spec(), method, estimator, *optimizer, *balanced)
    }

    /// The records of the last completed step.
    pub fn last_records(&self) -> &[Record] {
        let records = &self.trajectory.records;
        &records[records.len().saturating_sub(self.settings.estimator.probes as usize)..]
    }

    /// Whether an evaluation is due after the completed steps.
    pub fn evaluation_due(&self) -> bool {
        let (done, every) = (self.done(), self.settings.evaluate_every);
        every > 0 && done > 0 && (done.is_multiple_of(every) || done == self.settings.steps)
    }

    /// Applies the last step's update, which would otherwise be applied by the next step. The weights then match the records.
    ///
    /// # Errors
    /// Errors from the backend.
    pub async fn settle(&mut self, session: &mut Session) -> Result<()> {
        match &mut self.updater {
            Some(updater) => updater.settle(session).await,
            None => Ok(()),
        }
    }

    /// Evaluates the weights after the completed steps on held-out examples, or on the training examples if there are none.
    ///
    /// # Errors
    /// `non-finite-loss`, also as from [`Trainer::step`] if the run has exploded; errors from the backend and from `keep_going`.
    pub async fn evaluate(
        &mut self,
        session: &mut Session,
        held_out: Option<&Examples>,
        keep_going: &mut dyn FnMut() -> Result<()>,
    ) -> Result<EvaluationReport> {
        self.settle(session).await?;
        match session.evaluate(&self.encoder, held_out.unwrap_or(&self.examples), keep_going).await {
            // If the run has exploded, the record must not end with these weights. Otherwise only the evaluated texts are at fault.
            Err(error) if error.code() == Code::NonFiniteLoss => {
                self.check_weights(session).await?;
                Err(error.at(format_args!("evaluation after step {}", self.done())))
            }
            report => report,
        }
    }
}

/// The error of a run from a readout that is continued with another readout, or without one. `given` is the pooling in the settings,
/// and `fitted` that of the run's readout.
fn other_readout(given: Option<Pooling>, fitted: Option<Pooling>) -> Error {
    match (given, fitted) {
        (Some(given), Some(fitted)) => {
            err!(
                InvalidArgument,
                "pooling: expected {}, with which the run's readout was fitted, found {}",
                fitted.name(),
                given.name()
            )
        }
        _ => err!(
            InvalidArgument,
            "a run from a readout needs the readout that was fitted before its first step"
        ),
    }
}
