//! Linear layers over branch weights: stored weights, read once, become what each branch sees, in blocks of rows; and the
//! adapters' factors beside them.

use super::adapter::{Factor, Group, Pair};
use super::spec::{Linear, TensorId};
use super::transformer::{Pass, Transformer};
use super::weights::{Matrix, Part};
use super::workspace::Workspace;
use crate::dtype::DType;
use crate::error::{Result, bail};
use crate::gpu::{Buffer, Recording};
use crate::kernel::activation::{self, Activation};
use crate::kernel::layout::{Layout, PANEL};
use crate::kernel::{NO_VECTOR, dequantize, gather_rows, materialise, matmul, merge};

impl Transformer {
    /// y (+)= activation(W x + b) for `rows` rows of each branch, through the branch weights of a block of W's rows at a time.
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
        let vectors = self.vectors_of(ws, pass);
        let whole = matmul::Params {
            rows,
            columns: matrix.rows,
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
        let pair = self.pair(linear.weight);
        // What an adapter adds comes before the activation.
        let (fused, later) = if pair.is_some() { (None, y.activation) } else { (y.activation, None) };
        let layout = matmul::layout(r, &whole, pass.branches, stored(pass, matrix));
        for block in blocks(matrix, self.rows_at_once(ws, pass, matrix, layout)) {
            let w = self.record_branch_weights(r, ws, pass, matrix, &block, layout);
            let params = matmul::Params {
                columns: block.rows,
                w_start: w.start,
                w_branch: w.branch,
                c_column: y.column + block.first_row,
                bias: if bias == NO_VECTOR { bias } else { bias + block.first_row },
                ..whole
            };
            let tensors = matmul::Tensors {
                a: x,
                w: w.buffer.into(),
                layout,
                vectors: vectors.buffer,
                c: y.buffer,
                activation: fused,
            };
            matmul::record(r, &params, pass.branches, tensors);
        }
        if let Some(pair) = pair {
            self.record_pair(r, ws, pass, rows, pair, (x, matrix.width), y, 0..matrix.rows);
        }
        if let Some(activation) = later {
            activation::record(r, activation, y.buffer, pass.branches * rows * y.stride);
        }
        Ok(())
    }

    /// y += scale * B (A x) for `columns` of y's columns, the rows of B; x with its width.
    #[expect(clippy::too_many_arguments, reason = "the pass, the factors, and where they read and write")]
    pub(super) fn record_pair(
        &self,
        r: &mut Recording,
        ws: &Workspace,
        pass: &Pass<'_>,
        rows: u32,
        pair: &Pair,
        (x, width): (&Buffer, u32),
        y: Target<'_>,
        columns: std::ops::Range<u32>,
    ) {
        let (Some(a), Some(b)) = (self.factor(ws, pass, pair.a), self.factor(ws, pass, pair.b)) else {
            return;
        };
        let inner = Target::new(&ws.inner, pair.rank);
        self.record_factor(r, pass, rows, (x, width), a, inner, pair.rank);
        let b = BranchWeights { start: b.start + columns.start * pair.rank, ..b };
        let count = columns.end - columns.start;
        let y = Target { added: pair.scale, ..y };
        self.record_factor(r, pass, rows, (&ws.inner, pair.rank), b, y, count);
    }

    /// Adds the factors' part of looked-up rows: `y[b, i, :] += scale * B[ids[i], :] A`.
    #[expect(clippy::too_many_arguments, reason = "the pass, the factors, and where they read and write")]
    pub(super) fn record_pair_rows(
        &self,
        r: &mut Recording,
        ws: &Workspace,
        pass: &Pass<'_>,
        pair: &Pair,
        ids: &Buffer,
        count: u32,
        y: &Buffer,
        width: u32,
    ) {
        let transposed = pair.transposed.and_then(|a| self.factor(ws, pass, a));
        let (Some(a), Some(b)) = (transposed, self.factor(ws, pass, pair.b)) else { return };
        let rows = gather_rows::Params {
            branches: pass.branches,
            x_start: b.start,
            x_branch: b.branch,
            count,
            width: pair.rank,
        };
        gather_rows::record(r, b.buffer, ids, &ws.inner, rows);
        let y = Target { added: pair.scale, ..Target::new(y, width) };
        self.record_factor(r, pass, count, (&ws.inner, pair.rank), a, y, width);
    }

    /// y (+)= W x for a factor W of an adapter.
    #[expect(clippy::too_many_arguments, reason = "the pass, the factor, and where it reads and writes")]
    fn record_factor(
        &self,
        r: &mut Recording,
        pass: &Pass<'_>,
        rows: u32,
        (x, depth): (&Buffer, u32),
        w: BranchWeights<'_>,
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
            bias: NO_VECTOR,
            vector_stride: 0,
            added: y.added,
        };
        // No bias is read: any buffer does.
        let vectors = &self.weights().vectors().stored;
        let (w, layout) = (w.buffer.into(), Layout::Rows);
        let tensors = matmul::Tensors { a: x, w, layout, vectors, c: y.buffer, activation: None };
        matmul::record(r, &params, pass.branches, tensors);
    }

    /// Where a pass finds a factor: as every branch sees it, or as it is stored.
    pub(super) fn factor<'w>(
        &'w self,
        ws: &'w Workspace,
        pass: &Pass<'_>,
        factor: Factor,
    ) -> Option<BranchWeights<'w>> {
        let adapter = self.adapter()?;
        let (buffer, branch) = match (factor.group, &ws.adapter) {
            (Group::Trained, Some(formed)) if !pass.plain => (formed, adapter.trained.stride()),
            (Group::Trained, _) => (&adapter.trained.stored, 0),
            (Group::Fixed, _) => (&adapter.fixed.as_ref()?.stored, 0),
        };
        Some(BranchWeights { buffer, start: factor.first, branch })
    }

    /// Where a pass finds the model's vectors: as every branch sees them, or as they are stored.
    pub(super) fn vectors_of<'w>(&'w self, ws: &'w Workspace, pass: &Pass<'_>) -> Vectors<'w> {
        match &ws.vectors {
            Some(formed) if !pass.plain => {
                Vectors { buffer: formed, stride: self.weights().vectors().stride() }
            }
            _ => Vectors { buffer: &self.weights().vectors().stored, stride: 0 },
        }
    }

    /// How many rows of a matrix the scratch holds for every branch; all, where the stored weights are used as they are.
    pub(super) fn rows_at_once(
        &self,
        ws: &Workspace,
        pass: &Pass<'_>,
        matrix: &Matrix,
        layout: Layout,
    ) -> u32 {
        let copies = match (layout, stored(pass, matrix)) {
            (Layout::Stored(_), _) => return matrix.rows,
            (_, Some(_)) => 1,
            (_, None) => pass.branches.max(1),
        };
        let bytes = ws.scratch.bytes() / u64::from(copies) - 16;
        let panels = (bytes / (u64::from(matrix.width) * 4)) as u32 / PANEL;
        panels.max(1) * PANEL
    }

    /// Where a block's weights are for every branch, in this layout: where they are stored, or in the scratch, materialised or
    /// dequantized.
    pub(super) fn record_branch_weights<'w>(
        &self,
        r: &mut Recording,
        ws: &'w Workspace,
        pass: &Pass<'_>,
        matrix: &Matrix,
        block: &Block<'w>,
        layout: Layout,
    ) -> BranchWeights<'w> {
        let start = (block.first_row - block.part.first_row) * matrix.width;
        if let Layout::Stored(_) = layout {
            return BranchWeights { buffer: &block.part.buffer, start, branch: 0 };
        }
        if stored(pass, matrix).is_some() {
            let params = dequantize::Params {
                quads: Layout::Rows.quads(block.rows, matrix.width),
                first_stored: start / 4,
                branch_stride: 0,
                across: layout.across(matrix.width),
            };
            dequantize::record(r, matrix.dtype, &params, &block.part.buffer, &ws.scratch);
            return BranchWeights { buffer: &ws.scratch, start: 0, branch: 0 };
        }
        self.record_materialise(r, ws, pass.branches, matrix, block, layout);
        let branch = layout.quads(block.rows, matrix.width) * 4;
        BranchWeights { buffer: &ws.scratch, start: 0, branch }
    }

    /// Materialises a block for `branches` branches (0: only the update).
    fn record_materialise(
        &self,
        r: &mut Recording,
        ws: &Workspace,
        branches: u32,
        matrix: &Matrix,
        block: &Block<'_>,
        layout: Layout,
    ) {
        // A part begins at a multiple of four rows, and so does a block: both begin with a whole quad.
        let params = materialise::Params {
            quads: Layout::Rows.quads(block.rows, matrix.width),
            first_stored: (block.first_row - block.part.first_row) * matrix.width / 4,
            first_quad: block.first_row * matrix.width / 4,
            ordinal: matrix.id as u32,
            branches,
            branch_stride: layout.quads(block.rows, matrix.width),
            decays: 1,
            across: layout.across(matrix.width),
        };
        materialise::record_matrix(r, matrix.dtype, &params, &ws.step, &block.part.buffer, &ws.scratch);
    }

    /// Vectors and adapter as the branches see them (0 branches: only the updates), where they are trained.
    pub(super) fn record_packed(&self, r: &mut Recording, ws: &Workspace, branches: u32) {
        let vectors = (Some(self.weights().vectors()), &ws.vectors, 0);
        // As MeZO does: norms and biases do not decay, adapters do.
        let adapter = (self.adapter().map(|adapter| &adapter.trained), &ws.adapter, 1);
        for (packed, formed, decays) in [vectors, adapter] {
            if let (Some(packed), Some(formed)) = (packed, formed)
                && let Some(counters) = &packed.counters
            {
                let params = materialise::Params {
                    quads: packed.quads,
                    branches,
                    branch_stride: packed.quads,
                    decays,
                    ..Default::default()
                };
                materialise::record_packed(r, &params, &ws.step, &packed.stored, formed, counters);
            }
        }
    }

    /// Applies the pending updates to a matrix that no linear layer of the pass has materialised, where it is trained.
    pub(super) fn record_update_matrix(&self, r: &mut Recording, ws: &Workspace, id: TensorId) -> Result<()> {
        let matrix = self.weights().matrix(id)?;
        if !matrix.trained {
            return Ok(());
        }
        for block in blocks(matrix, matrix.rows) {
            self.record_materialise(r, ws, 0, matrix, &block, Layout::Rows);
        }
        Ok(())
    }

    /// Records the addition of the low-rank adapter's product to every matrix it stands beside; f16 is rounded with `key`.
    ///
    /// # Errors
    /// `invalid-argument`, by a fault of the caller only: there is no such adapter, or a matrix is quantized.
    pub fn record_merge(&self, r: &mut Recording, key: [u32; 2]) -> Result<()> {
        let Some((adapter, fixed)) = self.adapter().and_then(|a| Some((a, a.fixed.as_ref()?))) else {
            bail!(InvalidArgument, "there is no low-rank sum to merge");
        };
        for id in adapter.adapted() {
            let (matrix, Some(pair)) = (self.weights().matrix(*id)?, adapter.pair(*id)) else { continue };
            if matrix.dtype.is_quantized() {
                bail!(InvalidArgument, "a sum cannot be merged into {}", matrix.dtype);
            }
            for part in &matrix.parts {
                let params = merge::Params {
                    quads: (part.rows * matrix.width).div_ceil(4),
                    first_stored: 0,
                    first_quad: part.first_row * matrix.width / 4,
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
                merge::record(r, matrix.dtype, &params, &part.buffer, a, b);
            }
        }
        Ok(())
    }

    /// Records the pending updates of every tensor, without a pass.
    ///
    /// # Errors
    /// `invalid-argument`, by a fault of a family only.
    pub fn record_update(&self, r: &mut Recording, ws: &Workspace) -> Result<()> {
        self.record_packed(r, ws, 0);
        for matrix in self.weights().matrices() {
            self.record_update_matrix(r, ws, matrix.id)?;
        }
        Ok(())
    }
}

/// The format of a matrix that the pass sees as it is stored.
pub(super) fn stored(pass: &Pass<'_>, matrix: &Matrix) -> Option<DType> {
    (pass.plain || !matrix.trained).then_some(matrix.dtype)
}

/// The model's vectors as a pass sees them, `stride` elements between branches.
#[derive(Clone, Copy)]
pub(super) struct Vectors<'a> {
    pub buffer: &'a Buffer,
    pub stride: u32,
}

/// Where a linear layer writes: rows `stride` apart, from `column` on.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub buffer: &'a Buffer,
    pub stride: u32,
    pub column: u32,
    /// Not 0: this times the result is added to what is there; 0: it is written over it.
    pub added: f32,
    /// What the result goes through first; only where it is whole rows, written over.
    pub activation: Option<Activation>,
}

impl<'a> Target<'a> {
    /// Whole rows of `width` elements, written over.
    pub(super) fn new(buffer: &'a Buffer, width: u32) -> Self {
        Target { buffer, stride: width, column: 0, added: 0.0, activation: None }
    }
}

/// Rows of a matrix that one matmul goes over; never across parts.
pub(super) struct Block<'a> {
    pub part: &'a Part,
    pub first_row: u32,
    pub rows: u32,
}

/// Weights as a matmul takes them: first element, and elements between branches.
#[derive(Clone, Copy)]
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
