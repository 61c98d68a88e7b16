//! CPU reference of `shaders/layer_norm.wgsl`.

use super::Call;
use crate::error::Result;
use crate::kernel::NO_BIAS;
use crate::kernel::layer_norm::Params;
use crate::reference::Vectors;

/// `y[r, :] = (x[r, :] - mean) / sqrt(variance + epsilon) * weight + bias`.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let x = call.input::<f32>(0)?;
    let vectors = call.input::<f32>(1)?;
    let vectors = Vectors::new(&vectors, params.vector_stride);
    let mut y = call.output::<f32>(2)?;
    let width = params.width as usize;
    let rows = x.chunks_exact(width).zip(y.chunks_exact_mut(width)).take(params.rows as usize);
    for (r, (x, y)) in rows.enumerate() {
        let branch = r / params.rows_per_branch as usize;
        let mean = x.iter().sum::<f32>() / width as f32;
        let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / width as f32;
        let scale = 1.0 / (variance + params.epsilon).sqrt();
        for i in 0..width {
            let weight = if params.weight == NO_BIAS { 1.0 } else { vectors.at(branch, params.weight, i) };
            let bias = vectors.at(branch, params.bias, i);
            y[i] = (x[i] - mean) * scale * weight + bias;
        }
    }
    Ok(())
}
