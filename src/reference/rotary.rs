//! CPU reference of `shaders/rotary.wgsl`.

use super::Call;
use crate::error::Result;
use crate::kernel::rotary::Params;

/// Rotates pairs (i * step, i * step + apart) of each head by the angle of the row's position.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let mut x = call.output::<f32>(0)?;
    let table = call.input::<[f32; 2]>(1)?;
    let positions = call.input::<u32>(2)?;
    let (head_dim, pairs) = (params.head_dim as usize, params.dim as usize / 2);
    let (step, apart) = (params.step as usize, params.apart as usize);
    for (r, x) in x.chunks_exact_mut(params.stride as usize).take(params.rows as usize).enumerate() {
        let position = positions[r % params.tokens as usize] as usize;
        for head in x.chunks_exact_mut(head_dim).take(params.heads as usize) {
            for i in 0..pairs {
                let [cos, sin] = table[position * pairs + i];
                let (first, second) = (i * step, i * step + apart);
                let (a, b) = (head[first], head[second]);
                head[first] = a * cos - b * sin;
                head[second] = b * cos + a * sin;
            }
        }
    }
    Ok(())
}
