//! CPU reference of `shaders/embedding.wgsl`.

use super::Call;
use super::storage::{Stored, stored_as};
use crate::error::Result;
use crate::kernel::embedding::Params;

pub(crate) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let ids = call.input::<u32>(0)?;
    let stored = call.input::<u32>(1)?;
    let mut y = call.output::<f32>(2)?;
    let mut stored = Stored::new(stored_as(call), &stored);
    let width = params.width as usize;
    for (row, y) in y.chunks_mut(width).take((params.branches * params.tokens) as usize).enumerate() {
        let id = ids[row % params.tokens as usize];
        if id < params.first_row || id - params.first_row >= params.rows {
            continue;
        }
        for (column, y) in y.iter_mut().enumerate() {
            let element = (id - params.first_row) as usize * width + column;
            let w = stored.load(element / 4)[element % 4];
            let w = params.scale * w;
            *y = if params.accumulate == 1 { *y + w } else { w };
        }
    }
    Ok(())
}
