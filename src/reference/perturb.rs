//! Twin of `shaders/lib/perturb.wgsl`: the random direction, and the weights it makes.

use super::storage::stochastic_half;
use super::threefry::threefry2x32;
use crate::dtype::DType;
use crate::kernel::step::{FROZEN, Step, Table};

/// The four samples of a quad: 16 bits each.
fn samples(key: [u32; 2], counter: [u32; 2]) -> [u32; 4] {
    let bits = threefry2x32(key, counter);
    [bits[0] & 0xffff, bits[0] >> 16, bits[1] & 0xffff, bits[1] >> 16]
}

/// The scaled z of a quad. `counter` = (quad's index in its tensor, tensor's ordinal).
pub fn direction(key: [u32; 2], counter: [u32; 2], scaled: &Table) -> [f32; 4] {
    samples(key, counter).map(|sample| {
        let magnitude = scaled[(sample & 0x7ff) as usize];
        f32::from_bits(magnitude.to_bits() ^ ((sample & 0x8000) << 16))
    })
}

/// A quad rounded as it is stored.
pub fn rounded(dtype: DType, weights: [f32; 4], key: [u32; 2], counter: [u32; 2]) -> [f32; 4] {
    if dtype != DType::F16 {
        return weights;
    }
    let random = samples(key, counter);
    std::array::from_fn(|i| stochastic_half(weights[i], random[i]).to_f32())
}

/// The weights of a quad after the pending updates.
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

/// The weights that branch `b` sees, from the updated ones.
pub(crate) fn seen(step: &Step, weights: [f32; 4], counter: [u32; 2], b: usize) -> [f32; 4] {
    let branch = step.header.branches[b];
    let added = match step.tables.first() {
        Some(table) if branch.perturbed != 0 && counter[1] != FROZEN => direction(branch.key, counter, table),
        _ => [0.0; 4],
    };
    std::array::from_fn(|i| weights[i] + f32::from_bits(added[i].to_bits() ^ branch.sign))
}
