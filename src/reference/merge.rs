//! CPU reference of `shaders/merge.wgsl`.

use super::Call;
use super::perturb::rounded;
use super::storage::{load_vec4, store_vec4, stored_as};
use crate::error::Result;
use crate::kernel::merge::Params;

pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let (a, b) = (call.input::<f32>(0)?, call.input::<f32>(2)?);
    let mut stored = call.output::<u32>(1)?;
    let dtype = stored_as(call);
    let (width, rank) = (params.width as usize, params.rank as usize);
    let (a_start, b_start) = (params.a_start as usize, params.b_start as usize);
    for i in 0..params.vec4s as usize {
        let (at, index) = (params.first_stored as usize + i, params.first_vec4 as usize + i);
        let mut w = load_vec4(dtype, &stored, at);
        for (lane, w) in w.iter_mut().enumerate() {
            let (row, column) = ((index * 4 + lane) / width, (index * 4 + lane) % width);
            for j in 0..rank {
                // The last vec4 may extend beyond the tensor into padding.
                let (Some(a), Some(b)) =
                    (a.get(a_start + j * width + column), b.get(b_start + row * rank + j))
                else {
                    continue;
                };
                *w += b * a;
            }
        }
        let counter = [index as u32, params.ordinal];
        let w = rounded(dtype, w, [params.key_low, params.key_high], counter);
        store_vec4(dtype, &mut stored, at, w)?;
    }
    Ok(())
}
