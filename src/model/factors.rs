//! The contributions of an adapter's low-rank factors to a matrix's product and to looked-up rows.

use super::adapter::Pair;
use super::pass::{BranchWeights, Pass, Target};
use crate::gemm::{self, Layout};
use crate::gpu::Buffer;
use crate::kernel::{NO_BIAS, gather_rows, matmul};

impl Pass<'_> {
    /// `y += scale * B (A x)` for the columns of y that correspond to the rows `columns` of B; x `[B, rows, width]`. If the layer
    /// is added with the factor `y.added`, this is too.
    pub(super) fn factor_product(
        &mut self,
        pair: &Pair,
        rows: u32,
        (x, width): (&Buffer, u32),
        y: Target<'_>,
        columns: std::ops::Range<u32>,
    ) {
        let (Some(a), Some(b)) = (self.factor(pair.a), self.factor(pair.b)) else { return };
        let inner = &self.ws.inner; // [B, rows, rank]
        self.multiply_factor(a, rows, (x, width), Target::new(inner, pair.rank), pair.rank);
        let b = BranchWeights { start: b.start + columns.start * pair.rank, ..b };
        // If the layer adds to y with a factor, the low-rank product is added with the same factor. If it has overwritten y, the
        // product is added to that.
        let factor = if y.added == 0.0 { 1.0 } else { y.added };
        let y = Target { added: factor * pair.scale, ..y };
        self.multiply_factor(b, rows, (inner, pair.rank), y, columns.end - columns.start);
    }

    /// `y[b, i, :] += added * scale * B[ids[i], :] A`: the factors' contribution to looked-up rows, which have already been
    /// multiplied by `y.added`; ids `[count]`, y `[B, count, width]`.
    pub(super) fn factor_rows(&mut self, pair: &Pair, ids: &Buffer, count: u32, y: Target<'_>) {
        let transposed = pair.transposed.and_then(|a| self.factor(a));
        let (Some(a), Some(b)) = (transposed, self.factor(pair.b)) else { return };
        let inner = &self.ws.inner; // [B, count, rank]
        let rows = gather_rows::Params {
            branches: self.branches,
            x_start: b.start,
            x_branch: b.branch,
            count,
            width: pair.rank,
            scale: 1.0,
        };
        gather_rows::record(&mut self.r, b.buffer, ids, inner, rows);
        let y = Target { added: y.added * pair.scale, ..y };
        self.multiply_factor(a, count, (inner, pair.rank), y, y.stride);
    }

    /// `y = W x`, or `y += added * W x`, for a factor W `[columns, depth]`; x `[B, rows, depth]`.
    fn multiply_factor(
        &mut self,
        w: BranchWeights<'_>,
        rows: u32,
        (x, depth): (&Buffer, u32),
        y: Target<'_>,
        columns: u32,
    ) {
        let params = matmul::Params {
            rows,
            columns,
            depth,
            a_stride: depth,
            a_branch: rows * depth,
            w_start: w.start,
            w_branch: w.branch,
            c_stride: y.stride,
            c_column: y.column,
            bias: NO_BIAS,
            vector_stride: 0,
            added: y.added,
        };
        // There is no bias to read, so any buffer may be bound.
        let vectors = &self.model.weights().norms_and_biases().stored;
        let (w, layout) = (w.buffer.into(), Layout::Rows);
        let tensors = gemm::Tensors { a: x, w, layout, vectors, c: y.buffer, activation: None };
        self.plan.matmul(&mut self.r, &params, self.branches, &tensors);
    }
}
