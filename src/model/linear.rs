//! Linear layers over branch weights: each block of stored rows is read once and materialized for every branch.

use std::ops::Range;

use super::pass::{BranchWeights, Pass, Target};
use super::tensors::Linear;
use super::weights::{Matrix, Part};
use crate::error::Result;
use crate::gemm::{self, Layout};
use crate::gpu::Buffer;
use crate::kernel::panels::PANEL;
use crate::kernel::{NO_BIAS, activation, dequantize, matmul};

/// An input of a linear layer, and where its output goes.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    /// Rows of each branch.
    pub rows: u32,
    /// `[B, rows, inputs]`.
    pub x: &'a Buffer,
    /// `[B, rows, outputs]`.
    pub y: Target<'a>,
}

impl<'a> Pass<'a> {
    /// `y = activation(W x + b)`, or `y += added * (W x + b)`, for `rows` rows of each branch; x `[B, rows, inputs]`.
    ///
    /// # Errors
    /// `invalid-argument` only if a family's spec is wrong.
    pub(super) fn linear(&mut self, linear: &Linear, rows: u32, x: &Buffer, y: Target<'_>) -> Result<()> {
        self.keep_input(linear.weight, x, linear.width);
        self.linear_of_all(linear, &[Input { rows, x, y }])
    }

    /// The same for several inputs. The weights are materialized one block of W's rows at a time, and each block once for all inputs.
    ///
    /// # Errors
    /// `invalid-argument` only if a family's spec is wrong.
    pub(super) fn linear_of_all(&mut self, linear: &Linear, inputs: &[Input<'_>]) -> Result<()> {
        let matrix = self.model.weights().matrix(linear.weight)?;
        let bias = self.offset(linear.bias)?;
        let vectors = self.norms_and_biases();
        let whole = |Input { rows, y, .. }: &Input<'_>| matmul::Params {
            rows: *rows,
            columns: linear.rows,
            depth: matrix.width,
            a_stride: matrix.width,
            a_branch: rows * matrix.width,
            w_start: 0,
            w_branch: 0,
            c_stride: y.stride,
            c_column: y.column,
            bias,
            vector_stride: vectors.stride,
            added: y.added,
        };
        let Some(most) = inputs.iter().max_by_key(|input| input.rows) else { return Ok(()) };
        let layout = self.plan.layout(&whole(most), self.branches, self.stored(matrix));
        let pair = self.pair(linear.weight);
        let rows_of_w = linear.first_row..linear.first_row + linear.rows;
        for block in blocks(matrix, rows_of_w.clone(), self.rows_at_once(matrix, layout)) {
            let w = self.branch_weights(matrix, &block, layout);
            for input in inputs {
                let params = matmul::Params {
                    columns: block.rows,
                    w_start: w.start,
                    w_branch: w.branch,
                    c_column: input.y.column + block.first_row - linear.first_row,
                    bias: if bias == NO_BIAS { bias } else { bias + block.first_row },
                    ..whole(input)
                };
                let tensors = gemm::Tensors {
                    a: input.x,
                    w: w.buffer.into(),
                    layout,
                    vectors: vectors.buffer,
                    c: input.y.buffer,
                    // An adapter's contribution is added before the activation.
                    activation: input.y.activation.filter(|_| pair.is_none()),
                };
                self.plan.matmul(&mut self.r, &params, self.branches, &tensors);
            }
        }
        if let Some(pair) = pair {
            for Input { rows, x, y } in inputs {
                self.factor_product(pair, *rows, (x, matrix.width), *y, rows_of_w.clone());
                if let Some(activation) = y.activation {
                    activation::record(&mut self.r, activation, y.buffer, self.branches * rows * y.stride);
                }
            }
        }
        Ok(())
    }

    /// The number of rows of a matrix that fit in the scratch for every branch; all rows if the stored weights are used directly.
    pub(super) fn rows_at_once(&self, matrix: &Matrix, layout: Layout) -> u32 {
        let copies = match (layout, self.stored(matrix)) {
            (Layout::Stored(_), _) => return matrix.rows,
            (_, Some(_)) => 1,
            (_, None) => self.branches.max(1),
        };
        let bytes = self.ws.scratch.bytes() / u64::from(copies) - 16;
        let panels = (bytes / (u64::from(matrix.width) * 4)) as u32 / PANEL;
        panels.max(1) * PANEL
    }

    /// The weights of a block for every branch in this layout: in their own buffer, or dequantized or materialized in the scratch.
    pub(super) fn branch_weights<'b>(
        &mut self,
        matrix: &Matrix,
        block: &Block<'b>,
        layout: Layout,
    ) -> BranchWeights<'b>
    where
        'a: 'b,
    {
        let scratch = &self.ws.scratch;
        let start = (block.first_row - block.part.first_row) * matrix.width;
        if let Layout::Stored(_) = layout {
            return BranchWeights { buffer: &block.part.buffer, start, branch: 0 };
        }
        if self.stored(matrix).is_some() {
            let params = dequantize::Params {
                vec4s: Layout::Rows.vec4s(block.rows, matrix.width),
                first_stored: start / 4,
                branch_stride: 0,
                across: layout.across(matrix.width),
            };
            dequantize::record(&mut self.r, matrix.dtype, &params, &block.part.buffer, scratch);
            return BranchWeights { buffer: scratch, start: 0, branch: 0 };
        }
        self.materialize(matrix, block, layout);
        let branch = layout.vec4s(block.rows, matrix.width) * 4;
        BranchWeights { buffer: scratch, start: 0, branch }
    }
}

/// Rows of a matrix that one matmul multiplies by. They never span two parts.
pub(super) struct Block<'a> {
    pub part: &'a Part,
    pub first_row: u32,
    pub rows: u32,
}

/// The rows `rows` of a matrix in blocks of at most `most` rows. `most` is a multiple of 4 or covers all rows, and `rows` starts at
/// a multiple of 4.
pub(super) fn blocks(matrix: &Matrix, rows: Range<u32>, most: u32) -> impl Iterator<Item = Block<'_>> {
    matrix.parts.iter().flat_map(move |part| {
        let (first, end) = (rows.start.max(part.first_row), rows.end.min(part.first_row + part.rows));
        let blocks = (first..end).step_by(most.max(1) as usize);
        blocks.map(move |first_row| Block { part, first_row, rows: most.min(end - first_row) })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::gpu::{Backend, MemoryClass};
    use crate::reference::Host;

    #[test]
    fn blocks_stay_in_their_rows_and_parts() {
        let backend = Host::open();
        let part = |first_row, rows| {
            let buffer = backend.create("part", 16, MemoryClass::Weights).unwrap();
            Part { first_row, rows, buffer }
        };
        let parts = vec![part(0, 8), part(8, 8), part(16, 3)];
        let matrix = Matrix { id: 0, dtype: DType::F32, trained: true, rows: 19, width: 4, parts };
        let found = |rows: Range<u32>, most| -> Vec<(u32, u32, u32)> {
            blocks(&matrix, rows, most).map(|b| (b.part.first_row, b.first_row, b.rows)).collect()
        };
        assert_eq!(found(0..19, 19), [(0, 0, 8), (8, 8, 8), (16, 16, 3)]);
        assert_eq!(found(0..19, 4), [(0, 0, 4), (0, 4, 4), (8, 8, 4), (8, 12, 4), (16, 16, 3)]);
        assert_eq!(found(4..12, 19), [(0, 4, 4), (8, 8, 4)]);
        assert_eq!(found(12..19, 4), [(8, 12, 4), (16, 16, 3)]);
    }
}
