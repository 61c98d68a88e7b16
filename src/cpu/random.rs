//! The pending updates and the directions of 16 vec4s at a time. The results are bit-equal to those of [`crate::reference::perturb`].

use super::vector::{Vectorized, vectorized};
use crate::dtype::DType;
use crate::kernel::step::{FROZEN, Step};
use crate::reference::perturb::rounded;
use crate::rng::{Table, threefry2x32_run};

/// Vec4s in a block.
pub(super) const BLOCK: usize = 16;

/// Consecutive vec4s of a tensor.
pub(super) type Block = [[f32; 4]; BLOCK];

/// Random words for the counters `(first + i, ordinal)`.
struct Words {
    key: [u32; 2],
    first: u32,
    ordinal: u32,
}

impl Vectorized for Words {
    type Output = [[u32; BLOCK]; 2];

    #[inline(always)]
    fn run(self) -> [[u32; BLOCK]; 2] {
        threefry2x32_run(self.key, [self.first, self.ordinal])
    }
}

/// The scaled direction of a block that begins at vec4 `first` of a tensor.
fn direction(key: [u32; 2], first: u32, ordinal: u32, scaled: &Table) -> Block {
    let of = |sample: u32| {
        let magnitude = scaled[(sample & 0x7ff) as usize];
        f32::from_bits(magnitude.to_bits() ^ ((sample & 0x8000) << 16))
    };
    let [a, b] = vectorized(Words { key, first, ordinal });
    std::array::from_fn(|i| [of(a[i]), of(a[i] >> 16), of(b[i]), of(b[i] >> 16)])
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
    pub(super) fn update(&self, w: &mut Block, first: u32) {
        if self.ordinal == FROZEN {
            return;
        }
        let header = &self.step.header;
        let pending = &header.updates[..header.count as usize];
        for (update, table) in pending.iter().zip(self.step.tables.iter().skip(1)) {
            let z = direction(update.key, first, self.ordinal, table);
            for (w, z) in w.as_flattened_mut().iter_mut().zip(z.as_flattened()) {
                let decayed = if self.decays == 1 { *w * update.decay } else { *w };
                *w = decayed + z;
            }
            if update.rounds == 1 {
                for (i, w) in (0..).zip(&mut *w) {
                    *w = rounded(self.dtype, *w, update.rounding, [first.wrapping_add(i), self.ordinal]);
                }
            }
        }
    }

    /// Calls `put` with the version of a block that each of the branches sees, in order.
    pub(super) fn seen(
        &self,
        w: &Block,
        first: u32,
        branches: std::ops::Range<usize>,
        mut put: impl FnMut(usize, &Block),
    ) {
        let mut drawn: Option<([u32; 2], Block)> = None;
        for b in branches {
            let branch = self.step.header.branches[b];
            let z = match self.step.tables.first() {
                Some(table) if branch.perturbed != 0 && self.ordinal != FROZEN => match drawn {
                    Some((key, z)) if key == branch.key => z,
                    _ => direction(branch.key, first, self.ordinal, table),
                },
                _ => Block::default(),
            };
            drawn = (branch.perturbed != 0).then_some((branch.key, z));
            let mut seen = *w;
            for (w, z) in seen.as_flattened_mut().iter_mut().zip(z.as_flattened()) {
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
            for (i, four) in (0..).zip(block) {
                assert_eq!(four, crate::rng::direction([3, 9], [first.wrapping_add(i), 5], &table));
            }
        }
    }
}
