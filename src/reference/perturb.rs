//! CPU reference of `shaders/lib/perturb.wgsl`: the pending updates, and the weights that a branch sees.

use crate::dtype::DType;
use crate::kernel::step::{FROZEN, Step};
use crate::rng::{direction, samples, stochastic_half};

/// Rounds a vec4 of weights to its storage format.
pub(crate) fn rounded(dtype: DType, weights: [f32; 4], key: [u32; 2], counter: [u32; 2]) -> [f32; 4] {
    if dtype != DType::F16 {
        return weights;
    }
    let random = samples(key, counter);
    std::array::from_fn(|i| stochastic_half(weights[i], random[i]).to_f32())
}

/// Applies the pending updates to a vec4 of weights.
pub(crate) fn updated(
    step: &Step,
    dtype: DType,
    weights: [f32; 4],
    counter: [u32; 2],
    decays: u32,
) -> [f32; 4] {
    if counter[1] == FROZEN {
        return weights;
    }
    let mut w = weights;
    let pending = &step.header.updates[..step.header.count as usize];
    for (update, table) in pending.iter().zip(step.tables.iter().skip(1)) {
        let z = direction(update.key, counter, table);
        w = std::array::from_fn(|i| if decays == 1 { w[i] * update.decay } else { w[i] } + z[i]);
        if update.rounds == 1 {
            w = rounded(dtype, w, update.rounding, counter);
        }
    }
    w
}

/// The weights that branch `b` sees, computed from the updated weights.
pub(crate) fn seen(step: &Step, weights: [f32; 4], counter: [u32; 2], b: usize) -> [f32; 4] {
    let branch = step.header.branches[b];
    let added = match step.tables.first() {
        Some(table) if branch.perturbed != 0 && counter[1] != FROZEN => direction(branch.key, counter, table),
        _ => [0.0; 4],
    };
    std::array::from_fn(|i| weights[i] + f32::from_bits(added[i].to_bits() ^ branch.sign))
}
