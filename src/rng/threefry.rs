//! Threefry-2x32 with 13 rounds, the generator of all random numbers in the crate.
//!
//! Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011): 13 rounds are the fewest that pass
//! BigCrush. It uses only additions, rotations and exclusive ors of 32-bit words, so every device gives the same bits.

/// Rounds of mixing.
pub const ROUNDS: usize = 13;

const ROTATIONS: [u32; 8] = [13, 15, 26, 6, 17, 29, 16, 24];

/// Skein's parity constant for 32-bit words.
const PARITY: u32 = 0x1BD1_1BDA;

/// Two random words from a key and a counter.
pub fn threefry2x32(key: [u32; 2], counter: [u32; 2]) -> [u32; 2] {
    let [first, second] = threefry2x32_run::<1>(key, counter);
    [first[0], second[0]]
}

/// The random words for `N` counters with consecutive first words: all first words, then all second words.
#[inline(always)]
pub(crate) fn threefry2x32_run<const N: usize>(key: [u32; 2], counter: [u32; 2]) -> [[u32; N]; 2] {
    let keys = [key[0], key[1], key[0] ^ key[1] ^ PARITY];
    let mut x: [u32; N] = std::array::from_fn(|i| counter[0].wrapping_add(i as u32).wrapping_add(key[0]));
    let mut y = [counter[1].wrapping_add(key[1]); N];
    for round in 0..ROUNDS {
        let injected = round % 4 == 3;
        // The key is injected again after every fourth round, rotated and with the injection's number added.
        let injection = round / 4 + 1;
        for (x, y) in x.iter_mut().zip(&mut y) {
            *x = x.wrapping_add(*y);
            *y = y.rotate_left(ROTATIONS[round % 8]) ^ *x;
            if injected {
                *x = x.wrapping_add(keys[injection % 3]);
                *y = y.wrapping_add(keys[(injection + 1) % 3]).wrapping_add(injection as u32);
            }
        }
    }
    [x, y]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of `threefry2x32 13` in Random123's `kat_vectors`.
    #[test]
    fn known_answers() {
        let cases = [
            ([0, 0], [0, 0], [0x9d1c_5ec6, 0x8bd5_0731]),
            ([u32::MAX; 2], [u32::MAX; 2], [0xfd36_d048, 0x2d17_272c]),
            ([0x1319_8a2e, 0x0370_7344], [0x243f_6a88, 0x85a3_08d3], [0xba3e_4725, 0xf27d_669e]),
        ];
        for (key, counter, words) in cases {
            assert_eq!(threefry2x32(key, counter), words);
        }
    }
}
