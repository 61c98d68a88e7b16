//! The pending updates and the directions of 64 elements at a time. The results are bit-equal to those of
//! [`crate::reference::perturb`]. The functions are inlined into a [`super::vector::Vectorized`], so that the compiler finds vector
//! instructions for their loops.

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::dtype::DType;
use crate::kernel::step::{FROZEN, Step};
use crate::rng::{Table, signed, stochastic_half, threefry2x32_run};

/// Vec4s in a block.
const VEC4S: usize = 16;

/// Elements in a block.
pub(super) const BLOCK: usize = 4 * VEC4S;

/// Consecutive elements of a tensor.
pub(super) type Block = [f32; BLOCK];

/// The 16-bit random samples of a block that begins at vec4 `first` of a tensor.
#[inline(always)]
fn samples(key: [u32; 2], first: u32, ordinal: u32) -> [u16; BLOCK] {
    let [x, y] = threefry2x32_run::<VEC4S>(key, [first, ordinal]);
    let words: [[u32; 2]; VEC4S] = std::array::from_fn(|i| [x[i].to_le(), y[i].to_le()]);
    let mut samples: [u16; BLOCK] = bytemuck::cast(words);
    samples.iter_mut().for_each(|sample| *sample = u16::from_le(*sample));
    samples
}

/// The scaled direction of a block that begins at vec4 `first` of a tensor.
#[inline(always)]
fn direction(key: [u32; 2], first: u32, ordinal: u32, scaled: &Table) -> Block {
    let mut z = [0.0; BLOCK];
    for (z, sample) in z.iter_mut().zip(samples(key, first, ordinal)) {
        *z = signed(u32::from(sample), scaled);
    }
    z
}

/// The parameters with which the weights of a tensor are updated and perturbed.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    pub(super) step: &'a Step,
    pub(super) dtype: DType,
    pub(super) ordinal: u32,
    pub(super) decays: u32,
}

impl Weights<'_> {
    /// Applies the pending updates to the block that begins at vec4 `first` of its tensor.
    #[inline(always)]
    pub(super) fn update(&self, w: &mut Block, first: u32) {
        if self.ordinal == FROZEN {
            return;
        }
        let header = &self.step.header;
        let pending = &header.updates[..header.count as usize];
        for (update, table) in pending.iter().zip(self.step.tables.iter().skip(1)) {
            let z = direction(update.key, first, self.ordinal, table);
            for (w, z) in w.iter_mut().zip(z) {
                let decayed = if self.decays == 1 { *w * update.decay } else { *w };
                *w = decayed + z;
            }
            if update.rounds == 1 && self.dtype == DType::F16 {
                let random = samples(update.rounding, first, self.ordinal);
                let halves: [f16; BLOCK] =
                    std::array::from_fn(|i| stochastic_half(w[i], u32::from(random[i])));
                halves.convert_to_f32_slice(w);
            }
        }
    }

    /// Calls `put` with the version of a block that each of the branches sees, in order.
    #[inline(always)]
    pub(super) fn seen(
        &self,
        w: &Block,
        first: u32,
        branches: std::ops::Range<usize>,
        mut put: impl FnMut(usize, &Block),
    ) {
        let (mut z, mut drawn) = ([0.0; BLOCK], None);
        for b in branches {
            let branch = self.step.header.branches[b];
            let key = (branch.perturbed != 0 && self.ordinal != FROZEN).then_some(branch.key);
            if key != drawn {
                z = match (key, self.step.tables.first()) {
                    (Some(key), Some(table)) => direction(key, first, self.ordinal, table),
                    _ => [0.0; BLOCK],
                };
                drawn = key;
            }
            let mut seen = *w;
            for (w, z) in seen.iter_mut().zip(&z) {
                *w += f32::from_bits(z.to_bits() ^ branch.sign);
            }
            put(b, &seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_the_direction_of_its_vec4s() {
        let table: Table = std::array::from_fn(|i| i as f32 * 0.5 + 1.0);
        for first in [0, 7, u32::MAX - 3] {
            let block = direction([3, 9], first, 5, &table);
            for (i, four) in (0..).zip(block.as_chunks().0) {
                assert_eq!(*four, crate::rng::direction([3, 9], [first.wrapping_add(i), 5], &table));
            }
        }
    }
}
