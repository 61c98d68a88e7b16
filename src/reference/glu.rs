//! CPU reference of `shaders/glu.wgsl`.

use super::Call;
use super::activation::{activate, required};
use crate::error::Result;
use crate::kernel::glu::Params;

/// `y[r, c] = activate(x[r, c]) * x[r, width + c]`.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let activation = required(call)?;
    let x = call.input::<f32>(0)?;
    let mut y = call.output::<f32>(1)?;
    let width = params.width as usize;
    for (x, y) in x.chunks_exact(2 * width).zip(y.chunks_exact_mut(width)).take(params.rows as usize) {
        for c in 0..width {
            y[c] = activate(activation, x[c]) * x[width + c];
        }
    }
    Ok(())
}
