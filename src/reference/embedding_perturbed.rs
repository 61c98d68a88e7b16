//! CPU reference of `shaders/embedding_perturbed.wgsl`.

use super::Call;
use super::perturb::{seen, updated};
use super::storage::{load_vec4, stored_as};
use crate::error::Result;
use crate::kernel::embedding_perturbed::Params;

pub(crate) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let ids = call.input::<u32>(0)?;
    let dtype = stored_as(call);
    let stored = call.output::<u32>(1)?;
    let step = super::step(&call.input::<u32>(2)?)?;
    let mut y = call.output::<f32>(3)?;
    let width = params.width as usize;
    for (row, y) in y.chunks_mut(width).take((params.branches * params.tokens) as usize).enumerate() {
        let id = ids[row % params.tokens as usize];
        if id < params.first_row || id - params.first_row >= params.rows {
            continue;
        }
        for (column, y) in y.iter_mut().enumerate() {
            let element = id as usize * width + column;
            let counter = [(element / 4) as u32, params.ordinal];
            let four = load_vec4(dtype, &stored, (element - params.first_row as usize * width) / 4);
            let w = updated(&step, dtype, four, counter, params.decays);
            let w = seen(&step, w, counter, row / params.tokens as usize)[element % 4];
            let w = params.scale * w;
            *y = if params.accumulate == 1 { *y + w } else { w };
        }
    }
    Ok(())
}
