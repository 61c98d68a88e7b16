//! Twin of `shaders/lib/perturb.wgsl`: the random direction, and the weights it makes.

use super::threefry::threefry2x32;
use crate::kernel::step::{Branch, QUANTILES, Step};

/// The scaled z of a quad. `counter` = (quad's index in its tensor, tensor's ordinal).
pub fn direction(key: [u32; 2], counter: [u32; 2], scaled: &[f32; QUANTILES]) -> [f32; 4] {
    let bits = threefry2x32(key, counter);
    let samples = [bits[0] & 0xffff, bits[0] >> 16, bits[1] & 0xffff, bits[1] >> 16];
    samples.map(|sample| {
        let magnitude = scaled[(sample & 0x7ff) as usize];
        f32::from_bits(magnitude.to_bits() ^ ((sample & 0x8000) << 16))
    })
}

/// The weights of a quad after the pending update.
pub(crate) fn updated(step: &Step, weights: [f32; 4], counter: [u32; 2], decays: u32) -> [f32; 4] {
    if step.update == 0 {
        return weights;
    }
    let z = direction(step.update_key, counter, &step.coefficient);
    std::array::from_fn(|i| {
        let w = if decays == 1 { weights[i] * step.decay } else { weights[i] };
        w + z[i]
    })
}

/// The weights that a branch sees, from the updated ones.
pub(crate) fn seen(step: &Step, weights: [f32; 4], counter: [u32; 2], branch: &Branch) -> [f32; 4] {
    if branch.perturbed == 0 {
        return weights;
    }
    let z = direction(branch.key, counter, &step.perturbation);
    std::array::from_fn(|i| weights[i] + f32::from_bits(z[i].to_bits() ^ branch.sign))
}
