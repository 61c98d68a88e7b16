//! Twin of `shaders/materialise.wgsl`.

use super::perturb::{seen, updated};
use crate::error::{Result, bail};
use crate::gpu::TwinCall;
use crate::kernel::materialise::Params;
use crate::kernel::step::Step;

pub(crate) fn run(call: &TwinCall<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let words = call.input::<u32>(0)?;
    let step: &Step = super::step(&words)?;
    let mut stored = call.output::<[f32; 4]>(1)?;
    let mut weights = call.output::<[f32; 4]>(2)?;
    let counters = match call.provider("counter") {
        Some("counter_packed") => Some(call.input::<[u32; 2]>(3)?),
        _ => None,
    };
    let (quads, stride) = (params.quads as usize, params.branch_stride as usize);
    let first = params.first_stored as usize;
    if first + quads > stored.len() || params.branches as usize * stride > weights.len().max(stride) {
        bail!(InvalidArgument, "materialise: {quads} quads at {first} in {}", stored.len());
    }
    for i in 0..quads {
        let counter = counters
            .as_ref()
            .map_or([params.first_quad.wrapping_add(i as u32), params.ordinal], |counters| counters[i]);
        let w = updated(step, stored[first + i], counter, params.decays);
        if step.update == 1 {
            stored[first + i] = w;
        }
        for b in 0..params.branches as usize {
            weights[b * stride + i] = seen(step, w, counter, &step.branches[b]);
        }
    }
    Ok(())
}
