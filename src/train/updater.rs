//! Keeps a session's weights in step with a run's records: pending updates, the windows of low-rank directions, and the values that
//! Adam computes on the host.

use super::session::Session;
use super::settings::Settings;
use crate::error::Result;
use crate::kernel::step::MAX_UPDATES;
use crate::model::{Adapter, AdapterSpec, Extent};
use crate::zo::estimator::{Estimator, EstimatorKind};
use crate::zo::optimizer::{Adam, AdamSettings, Optimizer};
use crate::zo::random::{merging_key, signs};
use crate::zo::record::Record;
use crate::zo::update::{self, Update};

/// The pending updates, which are decided but not applied yet, and the window of directions that the session is set up for.
#[derive(Clone, Debug, Default)]
pub(super) struct Updater {
    seed: u64,
    estimator: Estimator,
    optimizer: Optimizer,
    pending: Vec<Update>,
    window: Option<u32>,
    /// `None` before the first step, and if the optimizer is not Adam.
    on_host: Option<OnHost>,
}

/// An adapter whose values are computed on the host.
#[derive(Clone, Debug)]
struct OnHost {
    adam: Adam,
    /// The values of the trained tensors; empty until they have been read from the device.
    values: Vec<Vec<f32>>,
    /// Whether the current values have been written to the device.
    written: bool,
}

impl Updater {
    /// The updater before a run's first step.
    pub(super) fn new(settings: &Settings) -> Self {
        let Settings { seed, estimator, optimizer, .. } = settings;
        Updater { seed: *seed, estimator: estimator.clone(), optimizer: *optimizer, ..Updater::default() }
    }

    /// The updater of a session to which the steps of these records have been applied.
    pub(super) fn after(session: &Session, settings: &Settings, records: &[Record]) -> Self {
        let mut updater = Updater::new(settings);
        let last = records.last().filter(|_| updater.estimator.kind == EstimatorKind::LowRank);
        updater.window = last.map(|record| record.step / updater.estimator.interval);
        if let (Optimizer::Adam(constants), Some(adapter)) = (updater.optimizer, session.model.adapter()) {
            let mut adam = state(constants, adapter);
            for step in records.chunks(updater.estimator.probes as usize) {
                adam.step(updater.seed, &updater.estimator, step, &mut []);
            }
            updater.on_host = Some(OnHost { adam, values: Vec::new(), written: true });
        }
        updater
    }

    /// The updates that the next pass over the weights applies.
    pub(super) fn pending(&self) -> &[Update] {
        &self.pending
    }

    /// Marks the pending updates as applied.
    pub(super) fn applied(&mut self) {
        self.pending.clear();
    }

    /// Prepares for step `step`. At the boundary of a low-rank window, the accumulated update is merged, and new signs are drawn.
    ///
    /// # Errors
    /// Errors from the backend.
    pub(super) async fn enter(&mut self, session: &mut Session, step: u32) -> Result<()> {
        if self.estimator.kind != EstimatorKind::LowRank {
            return Ok(());
        }
        let window = step / self.estimator.interval;
        if self.window == Some(window) {
            return Ok(());
        }
        self.settle(session).await?;
        if let Some(before) = self.window.replace(window) {
            merge_window(session, merging_key(self.seed, before)).await?;
        }
        draw(session, self.seed, window)
    }

    /// Queues the updates of the last step of `records`. Steps are collected until one pass cannot apply any more. With Adam, the
    /// step is computed on the host.
    ///
    /// # Errors
    /// Errors from the backend.
    pub(super) async fn queue(&mut self, session: &mut Session, records: &[Record]) -> Result<()> {
        if let (Optimizer::Adam(constants), Some(adapter)) = (self.optimizer, session.model.adapter()) {
            let begin = || OnHost { adam: state(constants, adapter), values: Vec::new(), written: true };
            let on_host = self.on_host.get_or_insert_with(begin);
            if on_host.values.is_empty() {
                on_host.values = adapter.trained_values(session.model.backend()).await?;
            }
            let step = records.rchunks(self.estimator.probes as usize).next().unwrap_or_default();
            on_host.adam.step(self.seed, &self.estimator, step, &mut on_host.values);
            on_host.written = false;
            return Ok(());
        }
        let updates = self.estimator.updates(self.seed, records);
        if self.pending.len() + updates.len() > MAX_UPDATES {
            self.settle(session).await?;
        }
        self.pending.extend(updates);
        Ok(())
    }

    /// Writes the adapter values computed on the host to the device. They must be there before a pass.
    ///
    /// # Errors
    /// Errors from the backend.
    pub(super) fn write(&mut self, session: &Session) -> Result<()> {
        if let (Some(on_host), Some(adapter)) = (&mut self.on_host, session.model.adapter())
            && !on_host.written
        {
            for (index, values) in on_host.values.iter().enumerate() {
                adapter.trained.write(session.model.backend(), index, 0, values)?;
            }
            on_host.written = true;
        }
        Ok(())
    }

    /// Applies the pending updates.
    ///
    /// # Errors
    /// Errors from the backend.
    pub(super) async fn settle(&mut self, session: &mut Session) -> Result<()> {
        self.write(session)?;
        if !self.pending.is_empty() {
            let (model, ws) = session.prepare(Extent::least())?;
            model.apply_update(ws, &update::apply(&self.pending)).await?;
            self.pending.clear();
        }
        Ok(())
    }
}

/// Adam's state for the trained tensors of an adapter, before the first step.
fn state(constants: AdamSettings, adapter: &Adapter) -> Adam {
    let tensors = adapter.tensors().iter();
    Adam::new(constants, tensors.map(|tensor| (tensor.ordinal as u32, tensor.elements())))
}

/// Merges the accumulated update of a window into the weights, or keeps it in separate columns if the weights' format is read-only.
async fn merge_window(session: &mut Session, key: [u32; 2]) -> Result<()> {
    let Some(adapter) = session.model.adapter() else { return Ok(()) };
    if let AdapterSpec::LowRank { slots: 1, .. } = adapter.spec() {
        session.model.merge(key).await?;
        for (index, tensor) in adapter.tensors().iter().enumerate() {
            let zeros = vec![0.0; tensor.rows as usize * tensor.width as usize];
            adapter.trained.write(session.model.backend(), index, 0, &zeros)?;
        }
    }
    Ok(())
}

/// Draws the signs of a window's directions. With several slots, each slot keeps its signs for the whole run, and only the columns
/// of the current window are trained.
fn draw(session: &Session, seed: u64, window: u32) -> Result<()> {
    let backend = session.model.backend();
    let Some(adapter) = session.model.adapter() else { return Ok(()) };
    let (AdapterSpec::LowRank { rank, slots }, Some(fixed)) = (adapter.spec(), &adapter.fixed) else {
        return Ok(());
    };
    if *slots == 1 || window == 0 {
        let drawn = if *slots == 1 { window..window + 1 } else { 0..*slots };
        let mut index = 0;
        for tensors in adapter.fixed_tensors().chunk_by(|x, y| x.ordinal == y.ordinal) {
            let (ordinal, inputs) = (tensors[0].ordinal as u32, tensors[0].width);
            let draw = |window| signs(seed, window, ordinal, *rank, inputs);
            let values: Vec<f32> = drawn.clone().flat_map(draw).collect();
            fixed.write(backend, index, 0, &values)?;
            if tensors.len() > 1 {
                let rows: Vec<&[f32]> = values.chunks_exact(inputs as usize).collect();
                let columns = 0..inputs as usize;
                let transposed: Vec<f32> = columns.flat_map(|i| rows.iter().map(move |row| row[i])).collect();
                fixed.write(backend, index + 1, 0, &transposed)?;
            }
            index += tensors.len();
        }
    }
    if *slots > 1 {
        let vec4s = rank / 4;
        let first = window % slots * vec4s;
        adapter.trained.train_columns(backend, |_| (vec4s * slots, first..first + vec4s))?;
    }
    Ok(())
}
