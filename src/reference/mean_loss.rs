//! CPU reference of `shaders/mean_loss.wgsl`.

use super::Call;
use crate::error::Result;
use crate::kernel::mean_loss::Params;

/// `mean[b] = (sum over n of loss[b, n]) / count`.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let loss = call.input::<f32>(0)?;
    let mut mean = call.output::<f32>(1)?;
    let branches = call.grid()[0] as usize;
    for (mean, loss) in mean.iter_mut().zip(loss.chunks_exact(params.count as usize)).take(branches) {
        *mean = loss.iter().sum::<f32>() / params.count as f32;
    }
    Ok(())
}
