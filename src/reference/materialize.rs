//! CPU reference of `shaders/materialize.wgsl`.

use super::Call;
use super::layout::put;
use super::perturb::{seen, updated};
use super::storage::{load_vec4, store_vec4, stored_as};
use crate::error::{Result, bail};
use crate::kernel::materialize::Params;
use crate::kernel::storage;

pub(crate) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let mut weights = call.output::<f32>(0)?;
    let dtype = stored_as(call);
    let mut stored = call.output::<u32>(1)?;
    let step = super::step(&call.input::<u32>(2)?)?;
    let counters = match call.provider("counter") {
        Some("counter_packed") => Some(call.input::<[u32; 2]>(3)?),
        _ => None,
    };
    let (vec4s, stride) = (params.vec4s as usize, params.branch_stride as usize * 4);
    let first = params.first_stored as usize;
    let have = stored.len() as u64 * 4 / storage::bytes(dtype, 4);
    if (first + vec4s) as u64 > have || params.branches as usize * stride > weights.len().max(stride) {
        bail!(InvalidArgument, "materialize: {vec4s} vec4s at {first} in {have}");
    }
    for i in 0..vec4s {
        let counter = counters
            .as_ref()
            .map_or([params.first_vec4.wrapping_add(i as u32), params.ordinal], |counters| counters[i]);
        let w = updated(&step, dtype, load_vec4(dtype, &stored, first + i), counter, params.decays);
        if step.header.count > 0 {
            store_vec4(dtype, &mut stored, first + i, w)?;
        }
        for b in 0..params.branches as usize {
            put(&mut weights[b * stride..], params.across, i, seen(&step, w, counter, b));
        }
    }
    Ok(())
}
