//! Twin of the providers `shaders/lib/storage_*.wgsl` and of `shaders/lib/half.wgsl`: stored weights, quad by quad.

use half::f16;

use crate::dtype::DType;
use crate::kernel::storage::{from_device, group_bytes, group_len};

/// Quad `i` of weights in the device's form.
pub(crate) fn load_quad(dtype: DType, words: &[u32], i: usize) -> [f32; 4] {
    let (quads, group) = (group_len(dtype) as usize / 4, group_bytes(dtype) as usize / 4);
    let words = &words[i / quads * group..][..group];
    let file = from_device(dtype, bytemuck::cast_slice(words).to_vec());
    let mut values = [0.0; 64];
    dtype.dequantize(&file, &mut values[..quads * 4]);
    std::array::from_fn(|lane| values[i % quads * 4 + lane])
}

/// Writes quad `i` of f32 weights, or of f16 weights that are rounded already.
pub(crate) fn store_quad(dtype: DType, words: &mut [u32], i: usize, weights: [f32; 4]) {
    let bytes = dtype.quantize(&weights);
    let len = bytes.len() / 4;
    words[i * len..][..len].copy_from_slice(&bytemuck::pod_collect_to_vec::<u8, u32>(&bytes));
}

/// `x` to f16, rounded up in magnitude with the probability that 16 random bits give; beyond f16's range its largest.
///
/// Of |x|'s significand 13 bits are dropped where the result is normal, one more for each power of two below; the
/// random bits are added below what is kept.
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
