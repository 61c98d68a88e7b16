//! CPU reference of `shaders/softcap.wgsl`.

use super::Call;
use crate::error::Result;
use crate::kernel::softcap::Params;

/// `x[i] = cap * tanh(x[i] / cap)`.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let mut x = call.output::<f32>(0)?;
    for x in x.iter_mut().take(params.count as usize) {
        *x = softcap(*x, params.cap);
    }
    Ok(())
}

/// `cap * tanh(x / cap)`.
pub(super) fn softcap(x: f32, cap: f32) -> f32 {
    cap * (x / cap).tanh()
}
