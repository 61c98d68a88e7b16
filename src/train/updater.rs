//! Keeps a session's weights in step with a run's records: pending updates, and the windows of low-rank directions.

use super::session::Session;
use crate::error::Result;
use crate::kernel::step::MAX_UPDATES;
use crate::model::{AdapterSpec, Extent};
use crate::zo::estimator::{Estimator, EstimatorKind};
use crate::zo::random::{merging_key, signs};
use crate::zo::record::Record;
use crate::zo::update::{self, Update};

/// The pending updates, which are decided but not yet applied, and the window of directions that the session is set up for.
#[derive(Clone, Debug, Default)]
pub(super) struct Updater {
    seed: u64,
    estimator: Estimator,
    pending: Vec<Update>,
    window: Option<u32>,
}

impl Updater {
    pub(super) fn new(seed: u64, estimator: Estimator) -> Self {
        Updater { seed, estimator, pending: Vec::new(), window: None }
    }

    /// The updater of a session to which `steps` steps have been applied.
    pub(super) fn after(seed: u64, estimator: Estimator, steps: u32) -> Self {
        let last = steps.checked_sub(1).filter(|_| estimator.kind == EstimatorKind::LowRank);
        let window = last.map(|step| step / estimator.interval);
        Updater { window, ..Updater::new(seed, estimator) }
    }

    /// The updates that the next pass over the weights applies.
    pub(super) fn pending(&self) -> &[Update] {
        &self.pending
    }

    /// The pending updates have been applied.
    pub(super) fn applied(&mut self) {
        self.pending.clear();
    }

    /// Prepares for step `step`. At the boundary of a low-rank window, the accumulated update is merged and new signs are drawn.
    ///
    /// # Errors
    /// Those of the backend.
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

    /// Queues the updates of the last step of `records`. Steps are collected until one pass can apply no more.
    ///
    /// # Errors
    /// Those of the backend.
    pub(super) async fn queue(&mut self, session: &mut Session, records: &[Record]) -> Result<()> {
        let updates = self.estimator.updates(self.seed, records);
        if self.pending.len() + updates.len() > MAX_UPDATES {
            self.settle(session).await?;
        }
        self.pending.extend(updates);
        Ok(())
    }

    /// Applies the pending updates.
    ///
    /// # Errors
    /// Those of the backend.
    pub(super) async fn settle(&mut self, session: &mut Session) -> Result<()> {
        if !self.pending.is_empty() {
            let (model, ws) = session.prepare(Extent::least())?;
            model.apply_update(ws, &update::apply(&self.pending)).await?;
            self.pending.clear();
        }
        Ok(())
    }
}

/// Merges the sum of a window into the weights, or keeps it in its own columns where the format of the weights is read-only.
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
        let quads = rank / 4;
        let first = window % slots * quads;
        adapter.trained.train_columns(backend, |_| (quads * slots, first..first + quads))?;
    }
    Ok(())
}
