//! Linear layers over branch weights: stored weights, read once, become what each branch sees, in blocks of rows.

use super::spec::{Linear, TensorId};
use super::transformer::{Pass, Transformer};
use super::weights::{Matrix, Part};
use super::workspace::Workspace;
use crate::error::Result;
use crate::gpu::{Buffer, Recording};
use crate::kernel::{NO_VECTOR, materialise, matmul};

impl Transformer {
    /// y = W x + b for `rows` rows of each branch, through the branch weights of a block of W's rows at a time.
    #[expect(clippy::too_many_arguments, reason = "the pass, the layer, and where it reads and writes")]
    pub(super) fn record_linear(
        &self,
        r: &mut Recording,
        ws: &Workspace,
        pass: &Pass<'_>,
        rows: u32,
        linear: &Linear,
        x: &Buffer,
        y: Target<'_>,
    ) -> Result<()> {
        let matrix = self.weights().matrix(linear.weight)?;
        let bias = self.bias(linear.bias)?;
        for block in blocks(matrix, self.rows_at_once(ws, pass, matrix)) {
            let w = self.record_branch_weights(r, ws, pass, matrix, &block);
            let params = matmul::Params {
                rows,
                columns: block.rows,
                depth: matrix.width,
                a_stride: matrix.width,
                a_branch: rows * matrix.width,
                w_start: w.start,
                w_branch: w.branch,
                c_stride: y.stride,
                c_column: y.column + block.first_row,
                bias: if bias == NO_VECTOR { bias } else { bias + block.first_row },
                vector_stride: self.vector_stride(),
                accumulate: 0,
            };
            matmul::record(r, &params, pass.branches, x, w.buffer.into(), &ws.vectors, y.buffer);
        }
        Ok(())
    }

    /// How many rows of a matrix the scratch holds for every branch; all, where the stored weights are used as they are.
    pub(super) fn rows_at_once(&self, ws: &Workspace, pass: &Pass<'_>, matrix: &Matrix) -> u32 {
        if pass.plain {
            return matrix.rows;
        }
        let bytes = ws.scratch.bytes() / u64::from(pass.branches.max(1)) - 16;
        ((bytes / (u64::from(matrix.width) * 4)) as u32 & !3).max(4)
    }

    /// Where a block's weights are for every branch: where they are stored, or in the scratch after a materialise.
    pub(super) fn record_branch_weights<'w>(
        &self,
        r: &mut Recording,
        ws: &'w Workspace,
        pass: &Pass<'_>,
        matrix: &Matrix,
        block: &Block<'w>,
    ) -> BranchWeights<'w> {
        if pass.plain {
            let start = (block.first_row - block.part.first_row) * matrix.width;
            return BranchWeights { buffer: &block.part.buffer, start, branch: 0 };
        }
        let stride = self.record_materialise(r, ws, pass.branches, matrix, block);
        BranchWeights { buffer: &ws.scratch, start: 0, branch: stride * 4 }
    }

    /// Materialises a block for `branches` branches (0: only the update); returns the quads between branches.
    fn record_materialise(
        &self,
        r: &mut Recording,
        ws: &Workspace,
        branches: u32,
        matrix: &Matrix,
        block: &Block<'_>,
    ) -> u32 {
        // A part begins at a multiple of four rows, and so does a block: both begin with a whole quad.
        let quads = (block.rows * matrix.width).div_ceil(4);
        let params = materialise::Params {
            quads,
            first_stored: (block.first_row - block.part.first_row) * matrix.width / 4,
            first_quad: block.first_row * matrix.width / 4,
            ordinal: matrix.id as u32,
            branches,
            branch_stride: quads,
            decays: 1,
        };
        materialise::record_matrix(r, &params, &ws.step, (&block.part.buffer).into(), &ws.scratch);
        quads
    }

    /// All vectors as the branches see them (0 branches: only the update).
    pub(super) fn record_vectors(&self, r: &mut Recording, ws: &Workspace, branches: u32) {
        let vectors = self.weights().vectors();
        let params = materialise::Params {
            quads: vectors.quads,
            branches,
            branch_stride: vectors.quads,
            ..Default::default()
        };
        materialise::record_packed(r, &params, &ws.step, &vectors.stored, &ws.vectors, &vectors.counters);
    }

    /// Applies the pending update to a matrix that no linear layer of the pass has materialised.
    pub(super) fn record_update_matrix(&self, r: &mut Recording, ws: &Workspace, id: TensorId) -> Result<()> {
        let matrix = self.weights().matrix(id)?;
        for block in blocks(matrix, matrix.rows) {
            self.record_materialise(r, ws, 0, matrix, &block);
        }
        Ok(())
    }

    /// Records the pending update of every tensor, without a pass.
    ///
    /// # Errors
    /// `invalid-argument`, by a fault of a family only.
    pub fn record_update(&self, r: &mut Recording, ws: &Workspace) -> Result<()> {
        self.record_vectors(r, ws, 0);
        for matrix in self.weights().matrices() {
            self.record_update_matrix(r, ws, matrix.id)?;
        }
        Ok(())
    }
}

/// Where a linear layer writes: rows `stride` apart, from `column` on.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub buffer: &'a Buffer,
    pub stride: u32,
    pub column: u32,
}

/// Rows of a matrix that one matmul goes over; never across parts.
pub(super) struct Block<'a> {
    pub part: &'a Part,
    pub first_row: u32,
    pub rows: u32,
}

/// Weights as a matmul takes them: first element, and elements between branches.
pub(super) struct BranchWeights<'a> {
    pub buffer: &'a Buffer,
    pub start: u32,
    pub branch: u32,
}

/// A matrix in blocks of at most `most` rows, a multiple of 4 or all.
pub(super) fn blocks(matrix: &Matrix, most: u32) -> impl Iterator<Item = Block<'_>> {
    matrix.parts.iter().flat_map(move |part| {
        (0..part.rows).step_by(most.max(1) as usize).map(move |first| Block {
            part,
            first_row: part.first_row + first,
            rows: most.min(part.rows - first),
        })
    })
}
