//! CPU reference of `shaders/rms_norm.wgsl`.

use super::Call;
use crate::error::Result;
use crate::kernel::rms_norm::Params;
use crate::reference::Vectors;

/// `y (+)= x / sqrt(mean of squares + epsilon) * (weight + weight_offset)` for each vector.
pub(crate) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let vectors = call.input::<f32>(1)?;
    let vectors = Vectors::new(&vectors, params.vector_stride);
    let added = call.provider("place") == Some("norm_add");
    let in_place = call.provider("place") == Some("norm_in_place");
    let mut y = call.output::<f32>(if in_place { 0 } else { 2 })?;
    let x = if in_place { None } else { Some(call.input::<f32>(0)?) };
    let width = params.width as usize;
    for row in 0..params.rows {
        let branch = (row / params.rows_per_branch) as usize;
        let head = row % params.heads * params.width;
        let first = (row / params.heads * params.stride + params.column + head) as usize;
        let read = x.as_deref().unwrap_or(&y)[first..first + width].to_vec();
        let mean = read.iter().map(|x| x * x).sum::<f32>() / width as f32;
        let scale = 1.0 / (mean + params.epsilon).sqrt();
        for (i, x) in read.iter().enumerate() {
            let normed = x * scale * (vectors.at(branch, params.weight, i) + params.weight_offset);
            y[first + i] = if added { y[first + i] + normed } else { normed };
        }
    }
    Ok(())
}
