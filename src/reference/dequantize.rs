//! Twin of `shaders/dequantize.wgsl`.

use super::layout::put;
use super::storage::load_quad;
use crate::error::Result;
use crate::gpu::TwinCall;
use crate::kernel::dequantize::Params;
use crate::kernel::storage;

pub(crate) fn run(call: &TwinCall<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let mut weights = call.output::<f32>(0)?;
    let stored = call.input::<u32>(1)?;
    let dtype = storage::provided(call.provider("storage"));
    for i in 0..params.quads as usize {
        put(&mut weights, params.across, i, load_quad(dtype, &stored, params.first_stored as usize + i));
    }
    Ok(())
}
