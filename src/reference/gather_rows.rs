//! CPU reference of `shaders/gather_rows.wgsl`.

use super::Call;
use crate::error::Result;
use crate::kernel::gather_rows::Params;

/// `y[b, i, :] = scale * x[b, picks[i], :]`.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let x = call.input::<f32>(0)?;
    let picks = call.input::<u32>(1)?;
    let mut y = call.output::<f32>(2)?;
    let (width, count) = (params.width as usize, params.count as usize);
    for (r, y) in y.chunks_exact_mut(width).take(params.branches as usize * count).enumerate() {
        let branch = params.x_start as usize + r / count * params.x_branch as usize;
        let row = &x[branch + picks[r % count] as usize * width..][..width];
        y.iter_mut().zip(row).for_each(|(y, x)| *y = params.scale * x);
    }
    Ok(())
}
