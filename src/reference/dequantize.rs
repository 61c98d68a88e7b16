//! CPU reference of `shaders/dequantize.wgsl`.

use super::Call;
use super::layout::put;
use super::storage::{load_quad, stored_as};
use crate::error::Result;
use crate::kernel::dequantize::Params;

pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let mut weights = call.output::<f32>(0)?;
    let stored = call.input::<u32>(1)?;
    let dtype = stored_as(call);
    for i in 0..params.quads as usize {
        put(&mut weights, params.across, i, load_quad(dtype, &stored, params.first_stored as usize + i));
    }
    Ok(())
}
