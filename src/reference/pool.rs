//! CPU reference of `shaders/pool.wgsl`.

use super::Call;
use crate::error::Result;
use crate::kernel::pool::Params;

/// `y[b, s, c] = mean over the rows r in ranges[s, 0] .. ranges[s, 1] of x[b, r, c]`.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let x = call.input::<f32>(0)?;
    let ranges = call.input::<u32>(1)?;
    let mut y = call.output::<f32>(2)?;
    let (width, sequences) = (params.width as usize, params.count as usize);
    let all = params.branches as usize * sequences;
    for (at, y) in y.chunks_exact_mut(width).take(all).enumerate() {
        let x = &x[at / sequences * params.x_branch as usize..];
        let rows = ranges[at % sequences * 2] as usize..ranges[at % sequences * 2 + 1] as usize;
        let count = rows.len() as f32;
        for (column, y) in y.iter_mut().enumerate() {
            *y = rows.clone().map(|row| x[row * width + column]).sum::<f32>() / count;
        }
    }
    Ok(())
}
