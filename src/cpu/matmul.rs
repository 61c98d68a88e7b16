//! Matmul of a linear layer.
//!
//! Both operands are packed, and a microkernel keeps a tile of sums in registers, as in BLIS (Van Zee and van de Geijn 2015). Every sum
//! runs over the whole depth in order, so that neither the size of a tile nor the number of threads changes it. A few rows are not worth
//! packing for; there, each sum has 32 partial sums.

use pulp::{Arch, Simd, WithSimd};

use super::matrix::Matrix;
use super::threads::chunks;
use super::vector::activate;
use super::weights::decode;
use crate::dtype::DType;
use crate::error::Result;
use crate::kernel::NO_BIAS;
use crate::kernel::activation::Activation;
use crate::kernel::matmul::Params;
use crate::reference::Call;
use crate::reference::activation::provided;
use crate::reference::storage::stored_as;

/// Up to so many rows, weights are read where they are.
const FEW_ROWS: usize = 4;

/// Partial sums of a product with few rows.
const PARTS: usize = 32;

/// The most rows of a tile and columns of a tile.
const MOST: [usize; 2] = [8, 32];

/// Rows of a task, a multiple of the rows of every tile.
const TASK_ROWS: usize = 48;

/// What the sums go through on their way to `c`.
#[derive(Clone, Copy)]
struct Finish<'a> {
    /// One for each column, or none.
    bias: &'a [f32],
    activation: Option<Activation>,
    added: f32,
}

impl Finish<'_> {
    /// Finishes the sums of the columns from `first` on.
    #[inline(always)]
    fn run(&self, sums: &mut [f32], first: usize, c: &mut [f32]) {
        if !self.bias.is_empty() {
            sums.iter_mut().zip(&self.bias[first..]).for_each(|(sum, bias)| *sum += bias);
        }
        if let Some(activation) = self.activation {
            activate(activation, sums);
        }
        if self.added == 0.0 {
            c.iter_mut().zip(sums).for_each(|(c, sum)| *c = *sum);
        } else {
            c.iter_mut().zip(sums).for_each(|(c, sum)| *c += self.added * *sum);
        }
    }
}

pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let a = &call.input::<f32>(0)?[..];
    let words = &call.input::<u32>(1)?[..];
    let vectors = &call.input::<f32>(2)?[..];
    let mut c = call.output::<f32>(3)?;
    let dtype = stored_as(call);
    let [rows, columns, depth] = [params.rows, params.columns, params.depth].map(|n| n as usize);
    let packed = call.provider("operands").is_some_and(|operands| operands.starts_with("operands_panels"));
    let tile = Arch::new().dispatch(TileSize);
    let mut w_panels = Vec::new();
    for b in 0..call.grid()[2] as usize {
        let a = &a[b * params.a_branch as usize..];
        let start = params.w_start as usize + b * params.w_branch as usize;
        let (a, w) = if packed {
            (Matrix::Panels { values: a }, Matrix::Panels { values: &bytemuck::cast_slice(words)[start..] })
        } else {
            let a = Matrix::Rows { values: a, stride: params.a_stride as usize };
            let w = match dtype {
                DType::F32 => Matrix::Rows { values: &bytemuck::cast_slice(words)[start..], stride: depth },
                _ => Matrix::Stored { words, dtype, start },
            };
            (a, w)
        };
        let bias = match params.bias {
            NO_BIAS => &[],
            bias => &vectors[b * params.vector_stride as usize + bias as usize..][..columns],
        };
        let finish = Finish { bias, activation: provided(call), added: params.added };
        let stride = params.c_stride as usize;
        let c = &mut c[b * rows * stride..];
        let c_len = (rows - 1) * stride + params.c_column as usize + columns;
        let c = C { values: &mut c[..c_len], stride, column: params.c_column as usize, columns };
        match a {
            Matrix::Rows { values, stride } if rows <= FEW_ROWS => {
                few_rows((values, stride), w, c, [rows, depth], finish);
            }
            _ => {
                if w_panels.is_empty() || params.w_branch != 0 {
                    pack_weights(w, columns, depth, tile[1], &mut w_panels);
                }
                many_rows(a, &w_panels, c, [rows, depth], finish);
            }
        }
    }
    Ok(())
}

/// The columns of `c` that are written.
struct C<'a> {
    values: &'a mut [f32],
    stride: usize,
    column: usize,
    columns: usize,
}

/// Packs weights to `[column / across, k, column % across]`.
fn pack_weights(w: Matrix<'_>, columns: usize, depth: usize, across: usize, panels: &mut Vec<f32>) {
    panels.resize(columns.next_multiple_of(across) * depth, 0.0);
    chunks(panels, depth * across, |i, panel| {
        let first = i * across;
        w.pack(first, across.min(columns - first), depth, panel, across, &mut Vec::new());
    });
}

/// Multiplies with weights that are packed.
fn many_rows(a: Matrix<'_>, panels: &[f32], c: C<'_>, [rows, depth]: [usize; 2], finish: Finish<'_>) {
    let C { values, stride, column, columns } = c;
    chunks(values, TASK_ROWS * stride, |task, c| {
        let first = task * TASK_ROWS;
        let rows = TASK_ROWS.min(rows - first);
        let task = Task { a, first, rows, panels, c, stride, column, columns, depth, finish };
        #[cfg(target_arch = "wasm32")]
        return RELAXED.with(|relaxed| match relaxed {
            Some(products) => task.relaxed(products),
            None => Arch::new().dispatch(task),
        });
        #[cfg(not(target_arch = "wasm32"))]
        Arch::new().dispatch(task);
    });
}

#[cfg(target_arch = "wasm32")]
thread_local! {
    static RELAXED: Option<super::relaxed::Products> = super::relaxed::Products::new();
}

/// Rows of `c` that a thread computes.
struct Task<'a> {
    a: Matrix<'a>,
    first: usize,
    rows: usize,
    panels: &'a [f32],
    c: &'a mut [f32],
    stride: usize,
    column: usize,
    columns: usize,
    depth: usize,
    finish: Finish<'a>,
}

/// Rows and columns of a tile with these instructions: as many as leave registers for the operands.
fn tile_size<S: Simd>() -> [usize; 2] {
    match S::F32_LANES {
        16 => [8, 32],
        8 => [6, 16],
        4 => [4, 8],
        _ => [4, 2],
    }
}

struct TileSize;

impl WithSimd for TileSize {
    type Output = [usize; 2];

    fn with_simd<S: Simd>(self, _: S) -> [usize; 2] {
        tile_size::<S>()
    }
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.tiles::<S, 8>(simd),
            8 => self.tiles::<S, 6>(simd),
            _ => self.tiles::<S, 4>(simd),
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn tiles<S: Simd, const ROWS: usize>(mut self, simd: S) {
        let across = tile_size::<S>()[1];
        let a = self.pack(ROWS);
        let mut sums = [[0.0; MOST[1]]; MOST[0]];
        for (n, panel) in self.panels.chunks_exact(self.depth * across).enumerate() {
            for (i, a) in a.chunks_exact(self.depth * ROWS).enumerate() {
                product::<S, ROWS>(simd, a.as_chunks().0, S::as_simd_f32s(panel).0, &mut sums);
                self.write(sums[..ROWS].iter_mut().map(|sums| &mut sums[..across]), i * ROWS, n * across);
            }
        }
    }

    /// As [`Self::tiles`], with the products of a browser's relaxed SIMD.
    #[cfg(target_arch = "wasm32")]
    fn relaxed(mut self, products: &super::relaxed::Products) {
        /// Panels that are multiplied before their sums are written: these stay in the cache.
        const PANELS: usize = 64;
        let [rows, across] = super::relaxed::TILE;
        let a = self.pack(rows);
        let tiles = self.rows.div_ceil(rows);
        let mut sums = vec![0.0; PANELS * tiles * rows * across];
        for (group, panels) in self.panels.chunks(PANELS * self.depth * across).enumerate() {
            products.run(&a, panels, self.depth, &mut sums);
            for (at, sums) in sums.chunks_exact_mut(rows * across).enumerate() {
                let column = (group * PANELS + at / tiles) * across;
                if column < self.columns {
                    self.write(sums.chunks_exact_mut(across), at % tiles * rows, column);
                }
            }
        }
    }

    /// The rows, packed to `[row / of_tile, k, row % of_tile]`.
    #[inline(always)]
    fn pack(&self, of_tile: usize) -> Vec<f32> {
        let mut a = vec![0.0; self.rows.next_multiple_of(of_tile) * self.depth];
        let mut spare = Vec::new();
        for (i, packed) in a.chunks_exact_mut(self.depth * of_tile).enumerate() {
            let rows = of_tile.min(self.rows - i * of_tile);
            self.a.pack(self.first + i * of_tile, rows, self.depth, packed, of_tile, &mut spare);
        }
        a
    }

    /// Writes the sums of a tile from this row and this column on, as far as there are rows and columns.
    #[inline(always)]
    fn write<'s>(&mut self, sums: impl Iterator<Item = &'s mut [f32]>, row: usize, column: usize) {
        for (r, sums) in sums.enumerate().take(self.rows - row) {
            let columns = sums.len().min(self.columns - column);
            let at = (row + r) * self.stride + self.column + column;
            self.finish.run(&mut sums[..columns], column, &mut self.c[at..][..columns]);
        }
    }
}

/// The sums of one tile.
#[inline(always)]
fn product<S: Simd, const ROWS: usize>(
    simd: S,
    a: &[[f32; ROWS]],
    w: &[S::f32s],
    sums: &mut [[f32; MOST[1]]; MOST[0]],
) {
    let mut tile = [[simd.splat_f32s(0.0); 2]; ROWS];
    for (a, w) in a.iter().zip(w.as_chunks::<2>().0) {
        for (tile, a) in tile.iter_mut().zip(a) {
            let a = simd.splat_f32s(*a);
            tile[0] = simd.mul_add_e_f32s(a, w[0], tile[0]);
            tile[1] = simd.mul_add_e_f32s(a, w[1], tile[1]);
        }
    }
    for (sums, tile) in sums.iter_mut().zip(&tile) {
        sums[..2 * S::F32_LANES].copy_from_slice(bytemuck::cast_slice(tile));
    }
}

/// Multiplies a few rows with weights that are read once, where they are.
fn few_rows(
    (a, a_stride): (&[f32], usize),
    w: Matrix<'_>,
    c: C<'_>,
    [rows, depth]: [usize; 2],
    finish: Finish<'_>,
) {
    /// Columns that a thread computes at a time.
    const COLUMNS: usize = 64;
    // [column, row]
    let mut sums = vec![0.0; c.columns * rows];
    chunks(&mut sums, COLUMNS * rows, |i, sums| {
        let mut row = Vec::new();
        for (n, sums) in sums.chunks_exact_mut(rows).enumerate() {
            let n = i * COLUMNS + n;
            let w = match w {
                Matrix::Stored { words, dtype, start } => {
                    row.resize(depth, 0.0);
                    decode(dtype, words, start + n * depth, &mut row);
                    &row[..]
                }
                Matrix::Rows { values, stride } => &values[n * stride..][..depth],
                // Packed operands are for many rows only.
                Matrix::Panels { .. } => continue,
            };
            for (r, sum) in sums.iter_mut().enumerate() {
                *sum = Arch::new().dispatch(Dot { a: &a[r * a_stride..][..depth], w });
            }
        }
    });
    for r in 0..rows {
        let mut of_row: Vec<f32> = sums[r..].iter().step_by(rows).copied().collect();
        finish.run(&mut of_row, 0, &mut c.values[r * c.stride + c.column..][..c.columns]);
    }
}

/// A product of two vectors.
struct Dot<'a> {
    a: &'a [f32],
    w: &'a [f32],
}

impl WithSimd for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        match S::F32_LANES {
            16 => self.parts::<S, 2>(simd),
            8 => self.parts::<S, 4>(simd),
            4 => self.parts::<S, 8>(simd),
            _ => self.parts::<S, 32>(simd),
        }
    }
}

impl Dot<'_> {
    #[inline(always)]
    fn parts<S: Simd, const VECTORS: usize>(self, simd: S) -> f32 {
        let (a, rest_a) = self.a.as_chunks::<PARTS>();
        let (w, rest_w) = self.w.as_chunks::<PARTS>();
        let mut parts = [simd.splat_f32s(0.0); VECTORS];
        for (a, w) in a.iter().zip(w) {
            let pairs = S::as_simd_f32s(a).0.iter().zip(S::as_simd_f32s(w).0);
            for (part, (a, w)) in parts.iter_mut().zip(pairs) {
                *part = simd.mul_add_e_f32s(*a, *w, *part);
            }
        }
        let rest: f32 = rest_a.iter().zip(rest_w).map(|(a, w)| a * w).sum();
        let mut sums = [0.0; PARTS];
        sums.copy_from_slice(bytemuck::cast_slice(&parts));
        sums.iter().sum::<f32>() + rest
    }
}
