//! Layer normalization and RMS normalization.

use super::threads::chunks;
use super::vector::{Vectorized, sum, vectorized};
use crate::error::Result;
use crate::kernel::{NO_BIAS, layer_norm as layer_kernel, rms_norm as rms_kernel};
use crate::reference::{self, Call};

/// Rows that a thread normalizes at a time.
const ROWS: usize = 16;

/// A row of a layer norm.
struct Layer<'a> {
    x: &'a [f32],
    /// Empty if all weights are 1.
    weight: &'a [f32],
    /// Empty if there is no bias.
    bias: &'a [f32],
    y: &'a mut [f32],
    epsilon: f32,
}

impl Vectorized for Layer<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let width = self.x.len() as f32;
        let mean = sum(self.x, |x| x) / width;
        let variance = sum(self.x, |x| (x - mean) * (x - mean)) / width;
        let scale = 1.0 / (variance + self.epsilon).sqrt();
        if self.weight.is_empty() {
            for (y, x) in self.y.iter_mut().zip(self.x) {
                *y = (x - mean) * scale;
            }
        }
        for ((y, x), weight) in self.y.iter_mut().zip(self.x).zip(self.weight) {
            *y = (x - mean) * scale * weight;
        }
        for (y, bias) in self.y.iter_mut().zip(self.bias) {
            *y += bias;
        }
    }
}

/// The `width` norm weights or biases of a branch; empty if the kernel has no such vector.
fn of_branch(vectors: &[f32], start: usize, offset: u32, width: usize) -> &[f32] {
    if offset == NO_BIAS { &[] } else { &vectors[start + offset as usize..][..width] }
}

/// Calls `each` with the index of every row of `y` and the row.
fn for_rows(y: &mut [f32], rows: u32, width: usize, each: impl Fn(usize, &mut [f32]) + Sync) {
    chunks(&mut y[..rows as usize * width], ROWS * width, |i, y| {
        for (r, y) in y.chunks_exact_mut(width).enumerate() {
            each(i * ROWS + r, y);
        }
    });
}

/// `y[r, :] = (x[r, :] - mean) / sqrt(variance + epsilon) * weight + bias`.
pub(super) fn layer_norm(call: &Call<'_>) -> Result<()> {
    let params: layer_kernel::Params = call.uniform()?;
    let x = &call.input::<f32>(0)?[..];
    let vectors = &call.input::<f32>(1)?[..];
    let mut y = call.output::<f32>(2)?;
    let width = params.width as usize;
    for_rows(&mut y, params.rows, width, |row, y| {
        let start = row / params.rows_per_branch as usize * params.vector_stride as usize;
        let [weight, bias] =
            [params.weight, params.bias].map(|offset| of_branch(vectors, start, offset, width));
        let x = &x[row * width..][..width];
        vectorized(Layer { x, weight, bias, y, epsilon: params.epsilon });
    });
    Ok(())
}

/// A row of an RMS norm.
struct Rms<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    weight_offset: f32,
    y: &'a mut [f32],
    added: bool,
    epsilon: f32,
}

impl Vectorized for Rms<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let mean = sum(self.x, |x| x * x) / self.x.len() as f32;
        let scale = 1.0 / (mean + self.epsilon).sqrt();
        for ((y, x), weight) in self.y.iter_mut().zip(self.x).zip(self.weight) {
            let before = if self.added { *y } else { 0.0 };
            *y = before + x * scale * (weight + self.weight_offset);
        }
    }
}

/// `y (+)= x / sqrt(mean of squares + epsilon) * (weight + weight_offset)` for whole rows. Norms of heads and norms in place run as
/// the reference.
pub(super) fn rms_norm(call: &Call<'_>) -> Result<()> {
    let params: rms_kernel::Params = call.uniform()?;
    let whole = params.heads == 1 && params.column == 0 && params.stride == params.width;
    if !whole || call.provider("place") == Some("norm_in_place") || params.weight == NO_BIAS {
        return reference::rms_norm::run(call);
    }
    let added = call.provider("place") == Some("norm_add");
    let x = &call.input::<f32>(0)?[..];
    let vectors = &call.input::<f32>(1)?[..];
    let mut y = call.output::<f32>(2)?;
    let width = params.width as usize;
    for_rows(&mut y, params.rows, width, |row, y| {
        let start = row / params.rows_per_branch as usize * params.vector_stride as usize;
        let weight = of_branch(vectors, start, params.weight, width);
        let (x, weight_offset, epsilon) = (&x[row * width..][..width], params.weight_offset, params.epsilon);
        vectorized(Rms { x, weight, weight_offset, y, added, epsilon });
    });
    Ok(())
}
