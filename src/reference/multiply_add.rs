//! CPU reference of `shaders/multiply_add.wgsl`.

use super::Call;
use crate::error::Result;
use crate::kernel::multiply_add::Params;

/// `y[i]` = the sum of 64 accumulators after `rounds` rounds of c = c * x + z.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let x = call.input::<f32>(0)?;
    let mut y = call.output::<f32>(1)?;
    let threads = call.grid()[0] as usize * 64;
    for (i, y) in y.iter_mut().take(threads).enumerate() {
        let starts = (0..16).map(|c| ((i % 16 + c % 4) * (c / 4 + 1)) as f32);
        let accumulators = starts.flat_map(|start| (0..4).map(move |lane| (start, lane)));
        *y = accumulators
            .map(|(start, lane)| (0..params.rounds).fold(start, |c, _| c * x[lane] + x[4 + lane]))
            .sum();
    }
    Ok(())
}
