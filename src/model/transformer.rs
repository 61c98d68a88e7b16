//! The transformer: a model's weights and adapter on a backend. [`super::forward`] is its forward pass.

use std::rc::Rc;

use super::adapter::Adapter;
use super::loading::LoadProgress;
use super::readout::ReadoutHead;
use super::spec::ModelSpec;
use super::tensors::TensorId;
use super::weights::Weights;
use super::workspace::{Extent, Workspace};
use crate::error::Result;
use crate::format::checkpoint::Checkpoint;
use crate::gemm::{Choice, Plan};
use crate::gpu::Backend;

/// A model on a backend, ready to run.
pub struct Transformer {
    backend: Rc<dyn Backend>,
    weights: Weights,
    adapter: Option<Adapter>,
    readout: Option<ReadoutHead>,
    tiles: Choice,
}

impl Transformer {
    /// Creates a transformer from loaded weights, without an adapter and with the matmul tiles of an untuned device.
    pub fn new(backend: Rc<dyn Backend>, weights: Weights) -> Self {
        let tiles = Choice::untuned(&backend.limits());
        Transformer { backend, weights, adapter: None, readout: None, tiles }
    }

    /// The model's description.
    pub fn spec(&self) -> &ModelSpec {
        self.weights.spec()
    }

    /// The stored weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Selects the tensors that are trained. Workspaces created before this call no longer fit.
    ///
    /// # Errors
    /// The errors of [`Weights::train`].
    pub fn train(&mut self, trained: &dyn Fn(TensorId) -> bool) -> Result<()> {
        self.weights.train(self.backend.as_ref(), trained)
    }

    /// The matmul tiles. The last bits of sums depend on them, so a resumed run uses the tiles that it began with.
    pub fn tiles(&self) -> Choice {
        self.tiles
    }

    /// Selects the matmul tiles. Workspaces created before this call may lack scratch that the tiles need.
    pub fn set_tiles(&mut self, tiles: Choice) {
        self.tiles = tiles;
    }

    /// How the matmuls of an empty recording will be computed.
    pub(super) fn plan(&self, ws: &Workspace) -> Plan {
        Plan::new(self.tiles, ws.panels.clone())
    }

    /// The adapter, if there is one.
    pub fn adapter(&self) -> Option<&Adapter> {
        self.adapter.as_ref()
    }

    /// Adds an adapter to the weights, or removes it. Workspaces created before this call no longer fit.
    pub fn set_adapter(&mut self, adapter: Option<Adapter>) {
        self.adapter = adapter;
    }

    /// The classifier that [`Score::Readout`](super::Score::Readout) uses, if there is one.
    pub fn readout(&self) -> Option<&ReadoutHead> {
        self.readout.as_ref()
    }

    /// Adds a classifier to the weights, or removes it.
    pub fn set_readout(&mut self, readout: Option<ReadoutHead>) {
        self.readout = readout;
    }

    /// Loads the base weights again, overwriting trained ones.
    ///
    /// # Errors
    /// The errors of [`Weights::load`].
    pub async fn reload(
        &mut self,
        checkpoint: &Checkpoint,
        progress: &mut dyn FnMut(LoadProgress) -> Result<()>,
    ) -> Result<()> {
        self.weights.fill(self.backend.as_ref(), checkpoint, progress).await
    }

    /// Overwrites the values of some tensors with a checkpoint's ([`Weights::fill_tensor`]).
    ///
    /// # Errors
    /// The errors of [`Weights::load`].
    pub async fn replace(&mut self, ids: &[TensorId], checkpoint: &Checkpoint) -> Result<()> {
        for &id in ids {
            self.weights.fill_tensor(self.backend.as_ref(), id, checkpoint, &mut |_| Ok(())).await?;
        }
        Ok(())
    }

    /// The backend that it runs on.
    pub fn backend(&self) -> &dyn Backend {
        self.backend.as_ref()
    }

    /// A workspace for passes of this extent. `old` is reused, or replaced by a larger workspace if it is too small.
    ///
    /// # Errors
    /// The errors of [`Workspace::new`].
    pub fn workspace(&self, old: Option<Workspace>, extent: Extent) -> Result<Workspace> {
        let capacity = match old {
            Some(old) if old.fits(extent) => return Ok(old),
            // The old workspace is freed before the new one is allocated, so that memory need not hold both.
            Some(old) => old.capacity.union(extent.into()),
            None => extent.into(),
        };
        Workspace::new(self.backend(), &self.weights, self.adapter(), self.tiles, capacity)
    }

    /// The longest sequence in tokens, without the rows of a prefix.
    pub fn max_length(&self) -> u32 {
        self.spec().max_length - self.adapter().map_or(0, Adapter::prefix_length)
    }
}
