//! Activations, gated linear units and rotary positions.

use super::threads::chunks;
use super::vector::{Vectorized, activate, vectorized};
use crate::error::Result;
use crate::kernel::activation::{self, Activation};
use crate::kernel::{glu as glu_kernel, rotary as rotary_kernel};
use crate::reference::Call;
use crate::reference::activation::required;

/// Elements that a thread computes at a time.
const CHUNK: usize = 16_384;

struct Activate<'a>(Activation, &'a mut [f32]);

impl Vectorized for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        activate(self.0, self.1);
    }
}

/// `x[i] = activate(x[i])`.
pub(super) fn activation(call: &Call<'_>) -> Result<()> {
    let params: activation::Params = call.uniform()?;
    let activation = required(call)?;
    let mut x = call.output::<f32>(0)?;
    let count = x.len().min(params.count as usize);
    chunks(&mut x[..count], CHUNK, |_, x| vectorized(Activate(activation, x)));
    Ok(())
}

struct Glu<'a> {
    activation: Activation,
    /// `[row, 2, width]`.
    x: &'a [f32],
    y: &'a mut [f32],
    width: usize,
}

impl Vectorized for Glu<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (x, y) in self.x.chunks_exact(2 * self.width).zip(self.y.chunks_exact_mut(self.width)) {
            let (gate, up) = x.split_at(self.width);
            y.copy_from_slice(gate);
            activate(self.activation, y);
            y.iter_mut().zip(up).for_each(|(y, up)| *y *= up);
        }
    }
}

/// `y[r, c] = activate(x[r, c]) * x[r, width + c]`.
pub(super) fn glu(call: &Call<'_>) -> Result<()> {
    let params: glu_kernel::Params = call.uniform()?;
    let activation = required(call)?;
    let x = &call.input::<f32>(0)?[..];
    let mut y = call.output::<f32>(1)?;
    let (rows, width) = (params.rows as usize, params.width as usize);
    let of_chunk = (CHUNK / width).max(1);
    chunks(&mut y[..rows * width], of_chunk * width, |i, y| {
        let x = &x[i * of_chunk * 2 * width..][..2 * y.len()];
        vectorized(Glu { activation, x, y, width });
    });
    Ok(())
}

struct Rotate<'a> {
    x: &'a mut [f32],
    /// Cosine and sine of each pair.
    angles: &'a [[f32; 2]],
    head_dim: usize,
    /// Whether the columns of a pair are adjacent, instead of as many columns apart as there are pairs.
    adjacent: bool,
}

impl Vectorized for Rotate<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let pairs = self.angles.len();
        for head in self.x.chunks_exact_mut(self.head_dim) {
            if self.adjacent {
                for (pair, [cos, sin]) in head.as_chunks_mut().0.iter_mut().zip(self.angles) {
                    let [a, b] = *pair;
                    *pair = [a * cos - b * sin, b * cos + a * sin];
                }
                continue;
            }
            let (first, second) = head.split_at_mut(pairs);
            for ((a, b), [cos, sin]) in first.iter_mut().zip(second).zip(self.angles) {
                (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
            }
        }
    }
}

/// Rotates pairs (i, i + dim/2) of each head, or (2i, 2i + 1), by the angle of the row's position.
pub(super) fn rotary(call: &Call<'_>) -> Result<()> {
    let params: rotary_kernel::Params = call.uniform()?;
    let mut x = call.output::<f32>(0)?;
    let table = &call.input::<[f32; 2]>(1)?[..];
    let positions = &call.input::<u32>(2)?[..];
    let (head_dim, pairs) = (params.head_dim as usize, params.dim as usize / 2);
    let (stride, tokens) = (params.stride as usize, params.tokens as usize);
    let of_chunk = (CHUNK / stride).max(1);
    chunks(&mut x[..params.rows as usize * stride], of_chunk * stride, |i, x| {
        for (r, x) in x.chunks_exact_mut(stride).enumerate() {
            let position = positions[(i * of_chunk + r) % tokens] as usize;
            let angles = &table[position * pairs..][..pairs];
            let x = &mut x[..head_dim * params.heads as usize];
            vectorized(Rotate { x, angles, head_dim, adjacent: params.step == 2 });
        }
    });
    Ok(())
}
