//! Rows of embedding tables. The results are bit-equal to those of the CPU references.

use super::random::{BLOCK, Weights};
use super::threads::chunks;
use super::vector::{Vectorized, vectorized};
use super::weights::decode;
use crate::dtype::DType;
use crate::error::Result;
use crate::kernel::{embedding, embedding_perturbed};
use crate::reference::storage::stored_as;
use crate::reference::{self, Call};

/// The row of the token `id` within this part of the table, if the part contains it.
fn row_of(id: u32, first_row: u32, rows: u32) -> Option<usize> {
    id.checked_sub(first_row).filter(|row| *row < rows).map(|row| row as usize)
}

/// Writes `scale * row`, or adds it if `accumulate` is 1.
fn put(y: &mut [f32], row: &[f32], scale: f32, accumulate: u32) {
    for (y, w) in y.iter_mut().zip(row) {
        let w = scale * w;
        *y = if accumulate == 1 { *y + w } else { w };
    }
}

pub(super) fn plain(call: &Call<'_>) -> Result<()> {
    let params: embedding::Params = call.uniform()?;
    let ids = &call.input::<u32>(0)?[..];
    let stored = &call.input::<u32>(1)?[..];
    let mut y = call.output::<f32>(2)?;
    let dtype = stored_as(call);
    let (width, rows) = (params.width as usize, (params.branches * params.tokens) as usize);
    chunks(&mut y[..rows * width], 8 * width, |i, y| {
        let mut weights = vec![0.0; width];
        for (r, y) in y.chunks_exact_mut(width).enumerate() {
            let id = ids[(i * 8 + r) % params.tokens as usize];
            let Some(row) = row_of(id, params.first_row, params.rows) else { continue };
            decode(dtype, stored, row * width, &mut weights);
            put(y, &weights, params.scale, params.accumulate);
        }
    });
    Ok(())
}

pub(super) fn perturbed(call: &Call<'_>) -> Result<()> {
    let params: embedding_perturbed::Params = call.uniform()?;
    let dtype = stored_as(call);
    if !params.width.is_multiple_of(4) || !matches!(dtype, DType::F32 | DType::F16) {
        return reference::embedding_perturbed::run(call);
    }
    let ids = &call.input::<u32>(0)?[..];
    let stored = &call.output::<u32>(1)?[..];
    let step = reference::step(&call.input::<u32>(2)?)?;
    let mut y = call.output::<f32>(3)?;
    let of = Weights { step: &step, dtype, ordinal: params.ordinal, decays: params.decays };
    let (width, rows) = (params.width as usize, (params.branches * params.tokens) as usize);
    chunks(&mut y[..rows * width], 8 * width, |i, y| {
        for (r, y) in y.chunks_exact_mut(width).enumerate() {
            let at = i * 8 + r;
            let (branch, id) = (at / params.tokens as usize, ids[at % params.tokens as usize]);
            let Some(row) = row_of(id, params.first_row, params.rows) else { continue };
            vectorized(Perturb { of, params: &params, stored, row, id, branch, y });
        }
    });
    Ok(())
}

/// Writes the row of token `id` as a branch sees it, or adds it.
struct Perturb<'a> {
    of: Weights<'a>,
    params: &'a embedding_perturbed::Params,
    stored: &'a [u32],
    /// The row within this part of the table.
    row: usize,
    id: u32,
    branch: usize,
    y: &'a mut [f32],
}

impl Vectorized for Perturb<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let width = self.y.len();
        for (i, y) in self.y.chunks_mut(BLOCK).enumerate() {
            let column = i * BLOCK;
            let first = ((self.id as usize * width + column) / 4) as u32;
            let mut w = [0.0; BLOCK];
            decode(self.of.dtype, self.stored, self.row * width + column, &mut w[..y.len()]);
            self.of.update(&mut w, first);
            self.of.seen(&w, first, self.branch..self.branch + 1, |_, seen| {
                put(y, &seen[..y.len()], self.params.scale, self.params.accumulate);
            });
        }
    }
}
