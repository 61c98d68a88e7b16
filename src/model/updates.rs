//! Changes of the weights: pending updates, which are applied when weights are materialized, and merging a low-rank sum.

use super::linear::{Block, blocks};
use super::pass::Pass;
use super::tensors::TensorId;
use super::transformer::Transformer;
use super::weights::Matrix;
use super::workspace::Workspace;
use crate::error::{Result, bail};
use crate::gemm::Layout;
use crate::gpu::Recording;
use crate::kernel::step::Step;
use crate::kernel::{materialize, merge};

impl Pass<'_> {
    /// Applies the pending updates to norms, biases and the adapter, if they are trained, and writes the version that each branch
    /// sees to the workspace.
    pub(super) fn materialize_small_tensors(&mut self) {
        let (model, ws) = (self.model, self.ws);
        let norms_and_biases = (Some(model.weights().norms_and_biases()), &ws.norms_and_biases, 0);
        // As in MeZO, weight decay does not apply to norms and biases. It does apply to adapters.
        let adapter = (model.adapter().map(|adapter| &adapter.trained), &ws.adapter, 1);
        for (packed, materialized, decays) in [norms_and_biases, adapter] {
            if let (Some(packed), Some(materialized)) = (packed, materialized)
                && let Some(counters) = &packed.counters
            {
                let params = materialize::Params {
                    vec4s: packed.vec4s,
                    branches: self.branches,
                    branch_stride: packed.vec4s,
                    decays,
                    ..Default::default()
                };
                let (step, stored) = (&ws.step, &packed.stored);
                materialize::record_packed(&mut self.r, &params, step, stored, materialized, counters);
            }
        }
    }

    /// Applies the pending updates to a block of a matrix, and writes the version that each branch sees to the scratch.
    pub(super) fn materialize(&mut self, matrix: &Matrix, block: &Block<'_>, layout: Layout) {
        // Parts and blocks start at multiples of four rows, so both start at a whole vec4.
        let params = materialize::Params {
            vec4s: Layout::Rows.vec4s(block.rows, matrix.width),
            first_stored: (block.first_row - block.part.first_row) * matrix.width / 4,
            first_vec4: block.first_row * matrix.width / 4,
            ordinal: matrix.id as u32,
            branches: self.branches,
            branch_stride: layout.vec4s(block.rows, matrix.width),
            decays: 1,
            across: layout.across(matrix.width),
        };
        let (step, scratch) = (self.step, &self.ws.scratch);
        materialize::record_matrix(&mut self.r, matrix.dtype, &params, step, &block.part.buffer, scratch);
    }

    /// Applies the pending updates to a matrix that is trained but was not materialized by a linear layer of the pass.
    ///
    /// # Errors
    /// `invalid-argument` only if a family's spec is wrong.
    pub(super) fn update_matrix(&mut self, id: TensorId) -> Result<()> {
        let matrix = self.model.weights().matrix(id)?;
        if matrix.trained {
            let branches = std::mem::replace(&mut self.branches, 0);
            for block in blocks(matrix, 0..matrix.rows, matrix.rows) {
                self.materialize(matrix, &block, Layout::Rows);
            }
            self.branches = branches;
        }
        Ok(())
    }
}

impl Transformer {
    /// Applies the pending updates of `step` to all weights, without a pass.
    ///
    /// # Errors
    /// Errors from the backend.
    pub async fn apply_update(&self, ws: &Workspace, step: &Step) -> Result<()> {
        self.backend().write(&ws.step, 0, &step.to_bytes())?;
        let mut pass = Pass::of_updates(self, ws);
        pass.materialize_small_tensors();
        for matrix in self.weights().matrices() {
            pass.update_matrix(matrix.id)?;
        }
        pass.run().await
    }

    /// Adds the product of the low-rank adapter's factors to every adapted matrix. f16 weights are rounded stochastically with
    /// random bits from `key`.
    ///
    /// # Errors
    /// `invalid-argument` if there is no such adapter or a matrix is quantized, which only a bug in the caller can cause; errors
    /// from the backend.
    pub async fn merge(&self, key: [u32; 2]) -> Result<()> {
        let Some((adapter, fixed)) = self.adapter().and_then(|a| Some((a, a.fixed.as_ref()?))) else {
            bail!(InvalidArgument, "there is no low-rank sum to merge");
        };
        let mut r = Recording::new();
        for id in adapter.adapted() {
            let (matrix, Some(pair)) = (self.weights().matrix(*id)?, adapter.pair(*id)) else { continue };
            if !matrix.dtype.format().trainable {
                bail!(InvalidArgument, "a low-rank sum cannot be merged into weights in {}", matrix.dtype);
            }
            for part in &matrix.parts {
                let params = merge::Params {
                    vec4s: (part.rows * matrix.width).div_ceil(4),
                    first_stored: 0,
                    first_vec4: part.first_row * matrix.width / 4,
                    width: matrix.width,
                    rank: pair.rank,
                    a_start: pair.a.first,
                    b_start: pair.b.first,
                    ordinal: matrix.id as u32,
                    key_low: key[0],
                    key_high: key[1],
                    zero: 0,
                };
                let (a, b) = (&fixed.stored, &adapter.trained.stored);
                merge::record(&mut r, matrix.dtype, &params, &part.buffer, a, b);
            }
        }
        self.backend().run(&r).await
    }
}
