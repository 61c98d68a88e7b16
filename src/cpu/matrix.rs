//! An operand of a matmul, and how its rows are packed.

use super::weights::decode;
use crate::dtype::DType;
use crate::kernel::panels::PANEL;

/// A matrix whose rows are read: as rows, or in panels of 16 rows.
#[derive(Clone, Copy)]
pub(super) enum Matrix<'a> {
    Rows {
        values: &'a [f32],
        stride: usize,
    },
    Panels {
        values: &'a [f32],
    },
    /// Stored in this format, from an element on.
    Stored {
        words: &'a [u32],
        dtype: DType,
        start: usize,
    },
}

impl Matrix<'_> {
    /// Copies so many rows of `depth` elements to `[k, across]`, filling columns up with zeros. `spare` is scratch.
    pub(super) fn pack(
        &self,
        first: usize,
        rows: usize,
        depth: usize,
        packed: &mut [f32],
        across: usize,
        spare: &mut Vec<f32>,
    ) {
        if rows < across {
            packed.fill(0.0);
        }
        let panel = PANEL as usize;
        for r in 0..rows {
            let row = first + r;
            let places = packed[r..].iter_mut().step_by(across);
            match *self {
                Matrix::Rows { .. } => {}
                Matrix::Panels { values } => {
                    let values = values[row / panel * depth * panel + row % panel..].iter().step_by(panel);
                    places.zip(values.take(depth)).for_each(|(place, value)| *place = *value);
                }
                Matrix::Stored { words, dtype, start } => {
                    spare.resize(depth, 0.0);
                    decode(dtype, words, start + row * depth, spare);
                    places.zip(spare.iter()).for_each(|(place, value)| *place = *value);
                }
            }
        }
        if let Matrix::Rows { values, stride } = *self {
            transpose(&values[first * stride..], stride, rows, depth, packed, across);
        }
    }
}

/// `packed[k, r] = values[r, k]`: squares of 4 by 4, for which the compiler finds vector instructions, then what is left.
fn transpose(values: &[f32], stride: usize, rows: usize, depth: usize, packed: &mut [f32], across: usize) {
    const SIDE: usize = 4;
    let [whole_rows, whole_depth] = [rows, depth].map(|n| n - n % SIDE);
    let row = |r: usize| &values[r * stride..][..depth];
    for (square, packed) in packed[..whole_depth * across].chunks_exact_mut(SIDE * across).enumerate() {
        for r in (0..whole_rows).step_by(SIDE) {
            let mut of_rows = [[0.0; SIDE]; SIDE];
            for (i, of_row) in of_rows.iter_mut().enumerate() {
                of_row.copy_from_slice(&row(r + i)[square * SIDE..][..SIDE]);
            }
            for (k, packed) in packed.chunks_exact_mut(across).enumerate() {
                packed[r..r + SIDE].copy_from_slice(&of_rows.map(|of_row| of_row[k]));
            }
        }
    }
    for r in 0..rows {
        let already = if r < whole_rows { whole_depth } else { 0 };
        for (packed, value) in packed[already * across..].chunks_exact_mut(across).zip(&row(r)[already..]) {
            packed[r] = *value;
        }
    }
}
