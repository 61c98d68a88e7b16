//! Twin of `shaders/residual.wgsl`.

use crate::error::Result;
use crate::gpu::TwinCall;
use crate::kernel::residual::Params;

/// `x[i] += y[i]`.
pub(crate) fn run(call: &TwinCall<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let mut x = call.output::<f32>(0)?;
    let y = call.input::<f32>(1)?;
    for (x, y) in x.iter_mut().zip(y.iter()).take(params.count as usize) {
        *x += y;
    }
    Ok(())
}
