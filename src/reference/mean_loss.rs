//! Twin of `shaders/mean_loss.wgsl`.

use crate::error::Result;
use crate::gpu::TwinCall;
use crate::kernel::mean_loss::Params;

/// `mean[b] = (sum over n of loss[b, n]) / count`.
pub(crate) fn run(call: &TwinCall<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let loss = call.input::<f32>(0)?;
    let mut mean = call.output::<f32>(1)?;
    let branches = call.dispatch().grid[0] as usize;
    for (mean, loss) in mean.iter_mut().zip(loss.chunks_exact(params.count as usize)).take(branches) {
        *mean = loss.iter().sum::<f32>() / params.count as f32;
    }
    Ok(())
}
