//! Twin of `shaders/embedding.wgsl`.

use super::perturb::{seen, updated};
use crate::error::Result;
use crate::gpu::TwinCall;
use crate::kernel::embedding::Params;
use crate::kernel::step::Step;

pub(crate) fn run(call: &TwinCall<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let words = call.input::<u32>(0)?;
    let step: &Step = super::step(&words)?;
    let stored = call.output::<[f32; 4]>(1)?;
    let ids = call.input::<u32>(2)?;
    let mut y = call.output::<f32>(3)?;
    let width = params.width as usize;
    for (row, y) in y.chunks_mut(width).take((params.branches * params.tokens) as usize).enumerate() {
        let id = ids[row % params.tokens as usize];
        if id < params.first_row || id - params.first_row >= params.rows {
            continue;
        }
        let branch = &step.branches[row / params.tokens as usize];
        for (column, y) in y.iter_mut().enumerate() {
            let element = id as usize * width + column;
            let counter = [(element / 4) as u32, params.ordinal];
            let quad = stored[(element - params.first_row as usize * width) / 4];
            let w = seen(step, updated(step, quad, counter, params.decays), counter, branch)[element % 4];
            *y = if params.accumulate == 1 { *y + w } else { w };
        }
    }
    Ok(())
}
