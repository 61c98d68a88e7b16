//! CPU reference of `shaders/pool.wgsl`.

use super::Call;
use crate::error::Result;
use crate::kernel::pool::Params;

/// `y[s, c] = mean over the rows r in firsts[s] .. ends[s] of x[r, c]`.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let x = call.input::<f32>(0)?;
    let (firsts, ends) = (call.input::<u32>(1)?, call.input::<u32>(2)?);
    let mut y = call.output::<f32>(3)?;
    let width = params.width as usize;
    for (sequence, y) in y.chunks_exact_mut(width).take(params.count as usize).enumerate() {
        let rows = firsts[sequence] as usize..ends[sequence] as usize;
        let count = rows.len() as f32;
        for (column, y) in y.iter_mut().enumerate() {
            *y = rows.clone().map(|row| x[row * width + column]).sum::<f32>() / count;
        }
    }
    Ok(())
}
