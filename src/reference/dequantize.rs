//! CPU reference of `shaders/dequantize.wgsl`.

use super::Call;
use super::layout::put;
use super::storage::{Stored, stored_as};
use crate::error::Result;
use crate::kernel::dequantize::Params;

pub(crate) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let mut weights = call.output::<f32>(0)?;
    let stored = call.input::<u32>(1)?;
    let mut stored = Stored::new(stored_as(call), &stored);
    for i in 0..params.vec4s as usize {
        put(&mut weights, params.across, i, stored.load(params.first_stored as usize + i));
    }
    Ok(())
}
