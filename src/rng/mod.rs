//! A run's random numbers, as drawn on the host. [`crate::zo::random`] specifies the streams. The same functions in WGSL are in
//! `shaders/lib/threefry.wgsl`, `perturb.wgsl` and `half.wgsl`.

mod threefry;

use half::f16;

#[cfg(any(not(target_arch = "wasm32"), feature = "cpu"))]
pub(crate) use threefry::threefry2x32_run;
pub use threefry::{ROUNDS, threefry2x32};

/// Number of entries in a table of scaled quantiles.
pub const QUANTILES: usize = 2048;

/// Half-normal quantiles, scaled by the host.
pub type Table = [f32; QUANTILES];

/// The four 16-bit random samples that belong to a vec4 of a tensor.
pub(crate) fn samples(key: [u32; 2], counter: [u32; 2]) -> [u32; 4] {
    let bits = threefry2x32(key, counter);
    [bits[0] & 0xffff, bits[0] >> 16, bits[1] & 0xffff, bits[1] >> 16]
}

/// The scaled direction z of a vec4. `counter` = (index of the vec4 in its tensor, ordinal of the tensor).
pub fn direction(key: [u32; 2], counter: [u32; 2], scaled: &Table) -> [f32; 4] {
    samples(key, counter).map(|sample| signed(sample, scaled))
}

/// The element of a direction that a 16-bit sample selects: an entry of the table, with a sign.
#[inline(always)]
pub(crate) fn signed(sample: u32, scaled: &Table) -> f32 {
    let magnitude = scaled[(sample & 0x7ff) as usize];
    f32::from_bits(magnitude.to_bits() ^ ((sample & 0x8000) << 16))
}

/// Rounds `x` stochastically to f16: away from zero with a probability given by 16 random bits. Values beyond the range of f16 are
/// clamped to its largest value.
///
/// For a normal result, 13 bits of the significand of |x| are dropped. For a subnormal result, one more bit is dropped for each
/// power of two below the smallest normal f16. The random bits are added below the last bit that is kept.
#[inline(always)]
pub fn stochastic_half(x: f32, random: u32) -> f16 {
    let magnitude = x.to_bits() & 0x7fff_ffff;
    let exponent = magnitude >> 23;
    let half = if exponent >= 113 {
        ((magnitude + (random >> 3)) >> 13) - 0x1c000
    } else {
        let drop = 126 - exponent;
        let significand = (magnitude & 0x7f_ffff) | 0x80_0000;
        let random = if drop < 16 { random >> (16 - drop) } else { random.wrapping_shl(drop - 16) };
        if drop > 31 { 0 } else { (significand + random) >> drop }
    };
    f16::from_bits((half.min(0x7bff) | ((x.to_bits() >> 16) & 0x8000)) as u16)
}
