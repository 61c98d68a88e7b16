//! The matmul of a linear layer.
//!
//! For many rows, [`tiles`] computes the product. Packing does not pay off for a few rows; there, each sum consists of 32 partial sums.

use pulp::{Arch, Simd, WithSimd};

use super::finish::Finish;
use super::matrix::Matrix;
use super::threads::chunks;
use super::tiles;
use super::weights::decode;
use crate::dtype::DType;
use crate::error::Result;
use crate::kernel::NO_BIAS;
use crate::kernel::matmul::Params;
use crate::reference::Call;
use crate::reference::activation::provided;
use crate::reference::storage::stored_as;

/// Maximum number of rows for which weights are read without packing.
const FEW_ROWS: usize = 4;

/// Partial sums of a product with few rows.
const PARTS: usize = 32;

/// Maximum elements of the rows of several branches that are packed at a time, unless a single branch has more: 16 MiB.
const PACKED: usize = 4 << 20;

pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let a = &call.input::<f32>(0)?[..];
    let words = &call.input::<u32>(1)?[..];
    let vectors = &call.input::<f32>(2)?[..];
    let mut c = call.output::<f32>(3)?;
    let dtype = stored_as(call);
    let [rows, columns, depth] = [params.rows, params.columns, params.depth].map(|n| n as usize);
    let packed = call.provider("operands").is_some_and(|operands| operands.starts_with("operands_panels"));
    let rows_of_a = |b: usize| {
        let values = &a[b * params.a_branch as usize..];
        if packed {
            Matrix::Panels { values }
        } else {
            Matrix::Rows { values, stride: params.a_stride as usize }
        }
    };
    let rows_of_w = |b: usize| {
        let start = params.w_start as usize + b * params.w_branch as usize;
        match dtype {
            _ if packed => Matrix::Panels { values: &bytemuck::cast_slice(words)[start..] },
            DType::F32 => Matrix::Rows { values: &bytemuck::cast_slice(words)[start..], stride: depth },
            _ => Matrix::Stored { words, dtype, start },
        }
    };
    let finish = |b: usize| {
        let bias = match params.bias {
            NO_BIAS => &[],
            bias => &vectors[b * params.vector_stride as usize + bias as usize..][..columns],
        };
        Finish { bias, activation: provided(call), added: params.added }
    };
    let branches = call.grid()[2] as usize;
    let mut rows_of_c =
        c.chunks_mut(params.c_stride as usize).map(|row| &mut row[params.c_column as usize..][..columns]);
    // Branches that share their weights are multiplied together.
    let together = if params.w_branch == 0 { (PACKED / (rows * depth).max(1)).max(1) } else { 1 };
    for first in (0..branches).step_by(together) {
        let (w, of) = (rows_of_w(first), first..branches.min(first + together));
        let mut c: Vec<&mut [f32]> = rows_of_c.by_ref().take(of.len() * rows).collect();
        let finish: Vec<_> = of.clone().map(finish).collect();
        if rows > FEW_ROWS || packed {
            let a: Vec<_> = of.map(rows_of_a).collect();
            tiles::run(&a, w, c, [rows, depth], &finish);
            continue;
        }
        for ((b, c), finish) in of.zip(c.chunks_mut(rows)).zip(&finish) {
            let start = |r: usize| b * params.a_branch as usize + r * params.a_stride as usize;
            let a: Vec<&[f32]> = (0..rows).map(|r| &a[start(r)..][..depth]).collect();
            few_rows(&a, w, c, *finish);
        }
    }
    Ok(())
}

/// Multiplies a few rows with weights that are read only once and are not packed.
fn few_rows(a: &[&[f32]], w: Matrix<'_>, c: &mut [&mut [f32]], finish: Finish<'_>) {
    /// Columns that a thread computes at a time.
    const COLUMNS: usize = 64;
    let (rows, depth, columns) = (a.len(), a[0].len(), c[0].len());
    // [column, row]
    let mut sums = vec![0.0; columns * rows];
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
                // Packed operands are used for many rows only.
                Matrix::Panels { .. } => continue,
            };
            for (sum, a) in sums.iter_mut().zip(a) {
                *sum = Arch::new().dispatch(Dot { a, w });
            }
        }
    });
    for (r, c) in c.iter_mut().enumerate() {
        let mut of_row: Vec<f32> = sums[r..].iter().step_by(rows).copied().collect();
        finish.run(&mut of_row, 0, c);
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
