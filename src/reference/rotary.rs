//! CPU reference of `shaders/rotary.wgsl`.

use super::Call;
use crate::error::Result;
use crate::kernel::rotary::Params;

/// Rotates pairs (i, i + dim/2) of each head by the angle of the row's position.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let mut x = call.output::<f32>(0)?;
    let table = call.input::<[f32; 2]>(1)?;
    let positions = call.input::<u32>(2)?;
    let (head_dim, pairs) = (params.head_dim as usize, params.dim as usize / 2);
    for (r, x) in x.chunks_exact_mut(params.stride as usize).take(params.rows as usize).enumerate() {
        let position = positions[r % params.tokens as usize] as usize;
        for head in x.chunks_exact_mut(head_dim).take(params.heads as usize) {
            for i in 0..pairs {
                let [cos, sin] = table[position * pairs + i];
                let (a, b) = (head[i], head[i + pairs]);
                head[i] = a * cos - b * sin;
                head[i + pairs] = b * cos + a * sin;
            }
        }
    }
    Ok(())
}
