//! CPU reference of `shaders/short_convolution.wgsl`.

use super::Call;
use crate::error::Result;
use crate::kernel::short_convolution::Params;
use crate::reference::Vectors;

/// `y[t] = c[t] * (bias + sum over j of weight[:, j] * (b v)[t - (taps - 1) + j])`. Also appends the products b v to the cache.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let x = call.input::<f32>(0)?;
    let spans = call.input::<[u32; 2]>(1)?;
    let vectors = call.input::<f32>(2)?;
    let vectors = Vectors::new(&vectors, params.vector_stride);
    let mut cache = call.output::<f32>(3)?;
    let mut y = call.output::<f32>(4)?;
    let (width, taps) = (params.width as usize, params.taps as usize);
    let (tokens, cached) = (params.tokens as usize, params.cached as usize);
    let product = |row: usize, column: usize| x[row * 3 * width + column] * x[(row * 3 + 2) * width + column];
    for (row, y) in y.chunks_exact_mut(width).take(params.rows as usize).enumerate() {
        let (branch, token) = (row / tokens, row % tokens);
        let place = cached + token;
        for (column, y) in y.iter_mut().enumerate() {
            let mut sum = vectors.at(branch, params.bias, column);
            for j in 0..taps {
                let back = taps - 1 - j;
                if place < spans[token][0] as usize + back {
                    continue;
                }
                let value = match row.checked_sub(back).filter(|_| back <= token) {
                    Some(earlier) => product(earlier, column),
                    None => cache[(place - back) * width + column],
                };
                sum += vectors.at(branch, params.weight, column * taps + j) * value;
            }
            if params.append == 1 {
                cache[place * width + column] = product(row, column);
            }
            *y = x[(row * 3 + 1) * width + column] * sum;
        }
    }
    Ok(())
}
