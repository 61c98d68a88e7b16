//! Decoding from the storage formats to f32.

use half::f16;
use half::slice::HalfFloatSliceExt;

/// Calls `decode(block, values)` for as many whole blocks as fit in both slices.
fn blocks<const BYTES: usize, const LEN: usize>(
    bytes: &[u8],
    out: &mut [f32],
    decode: impl Fn(&[u8; BYTES], &mut [f32; LEN]),
) {
    let (blocks, (out, _)) = (bytes.as_chunks::<BYTES>().0, out.as_chunks_mut::<LEN>());
    blocks.iter().zip(out).for_each(|(block, values)| decode(block, values));
}

pub(super) fn f32(bytes: &[u8], out: &mut [f32]) {
    blocks(bytes, out, |b, [o]| *o = f32::from_le_bytes(*b));
}

pub(super) fn f16(bytes: &[u8], out: &mut [f32]) {
    let count = out.len().min(bytes.len() / 2);
    match bytemuck::try_cast_slice::<u8, f16>(&bytes[..2 * count]) {
        Ok(halves) => halves.convert_to_f32_slice(&mut out[..count]),
        // The bytes are not aligned.
        Err(_) => blocks(bytes, out, |b: &[u8; 2], [o]| *o = half_at(b, 0)),
    }
}

pub(super) fn bf16(bytes: &[u8], out: &mut [f32]) {
    blocks(bytes, out, |b, [o]| *o = f32::from_bits(u32::from(u16::from_le_bytes(*b)) << 16));
}

pub(super) fn q8_0(bytes: &[u8], out: &mut [f32]) {
    blocks(bytes, out, |b: &[u8; 34], o: &mut [f32; 32]| {
        let d = half_at(b, 0);
        for (o, &q) in o.iter_mut().zip(&b[2..]) {
            *o = f32::from(q as i8) * d;
        }
    });
}

pub(super) fn q4_0(bytes: &[u8], out: &mut [f32]) {
    blocks(bytes, out, |b: &[u8; 18], o: &mut [f32; 32]| {
        let d = half_at(b, 0);
        nibbles(&b[2..], o, |q| f32::from(q as i8 - 8) * d);
    });
}

pub(super) fn q4_1(bytes: &[u8], out: &mut [f32]) {
    blocks(bytes, out, |b: &[u8; 20], o: &mut [f32; 32]| {
        let (d, m) = (half_at(b, 0), half_at(b, 2));
        nibbles(&b[4..], o, |q| f32::from(q) * d + m);
    });
}

/// Element e of a block is in half n = e / 128, there in quarter j = e % 128 / 32, at column l = e % 32.
pub(super) fn q6_k(bytes: &[u8], out: &mut [f32]) {
    blocks(bytes, out, |b: &[u8; 210], o: &mut [f32; 256]| {
        let d = half_at(b, 208);
        for (e, o) in o.iter_mut().enumerate() {
            let (n, j, l) = (e / 128, e % 128 / 32, e % 32);
            let low = b[64 * n + 32 * (j % 2) + l] >> (4 * (j / 2)) & 15;
            let high = b[128 + 32 * n + l] >> (2 * j) & 3;
            let scale = f32::from(b[192 + 8 * n + 2 * j + l / 16] as i8);
            *o = d * scale * f32::from((low | high << 4) as i8 - 32);
        }
    });
}

pub(super) fn q4_k(bytes: &[u8], out: &mut [f32]) {
    blocks(bytes, out, |b: &[u8; 144], o: &mut [f32; 256]| {
        parts_of_32(b, o, |part, l| nibble(&b[16..], part, l));
    });
}

pub(super) fn q5_k(bytes: &[u8], out: &mut [f32]) {
    blocks(bytes, out, |b: &[u8; 176], o: &mut [f32; 256]| {
        parts_of_32(b, o, |part, l| nibble(&b[48..], part, l) | (b[16 + l] >> part & 1) << 4);
    });
}

/// Decodes the 8 parts of a block of Q4_K or Q5_K. `quant(part, l)` is the quant of element l of a part.
///
/// The scale and minimum of part k < 4 are in the low 6 bits of bytes k and k + 4. For part k + 4, their low 4 bits are in byte k +
/// 8, and their high 2 bits are at the top of bytes k and k + 4.
fn parts_of_32(b: &[u8], out: &mut [f32; 256], quant: impl Fn(usize, usize) -> u8) {
    let (d, m) = (half_at(b, 0), half_at(b, 2));
    let small = &b[4..16];
    for (part, out) in out.chunks_exact_mut(32).enumerate() {
        let k = part % 4;
        let (scale, minimum) = match part < 4 {
            true => (small[k] & 63, small[k + 4] & 63),
            false => {
                let low = small[k + 8];
                (low & 15 | small[k] >> 6 << 4, low >> 4 | small[k + 4] >> 6 << 4)
            }
        };
        let (scale, minimum) = (d * f32::from(scale), m * f32::from(minimum));
        for (l, out) in out.iter_mut().enumerate() {
            *out = scale * f32::from(quant(part, l)) - minimum;
        }
    }
}

/// The nibble of element l of a part of 32 elements. Two parts share 32 bytes: the first part uses the low nibbles, the second the
/// high ones.
fn nibble(packed: &[u8], part: usize, l: usize) -> u8 {
    packed[part / 2 * 32 + l] >> (part % 2 * 4) & 15
}

pub(super) fn q5_0(bytes: &[u8], out: &mut [f32]) {
    blocks(bytes, out, |b: &[u8; 22], o: &mut [f32; 32]| {
        let d = half_at(b, 0);
        fifth_bits(&b[2..], o, |q| f32::from(q as i8 - 16) * d);
    });
}

pub(super) fn q5_1(bytes: &[u8], out: &mut [f32]) {
    blocks(bytes, out, |b: &[u8; 24], o: &mut [f32; 32]| {
        let (d, m) = (half_at(b, 0), half_at(b, 2));
        fifth_bits(&b[4..], o, |q| f32::from(q) * d + m);
    });
}

/// Spreads 4 bytes of fifth bits, with one bit for each element, and 16 bytes of nibbles over 32 elements.
fn fifth_bits(packed: &[u8], out: &mut [f32; 32], value: impl Fn(u8) -> f32) {
    for (e, out) in out.iter_mut().enumerate() {
        let low = packed[4 + e % 16] >> (e / 16 * 4) & 15;
        let high = packed[e / 8] >> (e % 8) & 1;
        *out = value(low | high << 4);
    }
}

/// ggml's `kvalues_iq4nl`.
const IQ4: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

pub(super) fn iq4_nl(bytes: &[u8], out: &mut [f32]) {
    blocks(bytes, out, |b: &[u8; 18], o: &mut [f32; 32]| {
        let d = half_at(b, 0);
        nibbles(&b[2..], o, |q| f32::from(IQ4[usize::from(q)]) * d);
    });
}

/// The low 4 bits of the scale of part k are in nibble k of bytes 4 to 7; its high 2 bits are at bit 2 k of the preceding u16.
pub(super) fn iq4_xs(bytes: &[u8], out: &mut [f32]) {
    blocks(bytes, out, |b: &[u8; 136], o: &mut [f32; 256]| {
        let d = half_at(b, 0);
        for (k, o) in o.chunks_exact_mut(32).enumerate() {
            let low = b[4 + k / 2] >> (k % 2 * 4) & 15;
            let high = b[2 + k / 4] >> (k % 4 * 2) & 3;
            let scale = d * f32::from((low | high << 4) as i8 - 32);
            nibbles(&b[8 + 16 * k..][..16], o, |q| f32::from(IQ4[usize::from(q)]) * scale);
        }
    });
}

/// Elements are ordered as in Q6_K. For the scale k of 16 elements, the low 4 bits are in byte k % 8 of 12, and the high 2 bits are
/// in byte 8 + k % 4.
pub(super) fn q3_k(bytes: &[u8], out: &mut [f32]) {
    blocks(bytes, out, |b: &[u8; 110], o: &mut [f32; 256]| {
        let d = half_at(b, 108);
        let scales = &b[96..108];
        for (e, o) in o.iter_mut().enumerate() {
            let (n, j, l) = (e / 128, e % 128 / 32, e % 32);
            let k = e / 16;
            let scale = scales[k % 8] >> (k / 8 * 4) & 15 | (scales[8 + k % 4] >> (k / 4 * 2) & 3) << 4;
            let low = b[32 + 32 * n + l] >> (2 * j) & 3;
            let high = b[l] >> (4 * n + j) & 1;
            *o = d * f32::from(scale as i8 - 32) * f32::from((low | high << 2) as i8 - 4);
        }
    });
}

/// Elements are ordered as in Q6_K. A byte holds the scale (low nibble) and the minimum (high nibble) of 16 elements.
pub(super) fn q2_k(bytes: &[u8], out: &mut [f32]) {
    blocks(bytes, out, |b: &[u8; 84], o: &mut [f32; 256]| {
        let (d, m) = (half_at(b, 80), half_at(b, 82));
        for (e, o) in o.iter_mut().enumerate() {
            let (n, j, l) = (e / 128, e % 128 / 32, e % 32);
            let small = b[e / 16];
            let (scale, minimum) = (d * f32::from(small & 15), m * f32::from(small >> 4));
            *o = scale * f32::from(b[16 + 32 * n + l] >> (2 * j) & 3) - minimum;
        }
    });
}

/// The f16 at byte `at` of a block.
fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

/// Spreads 16 bytes over 32 elements: low nibbles to the first half, high nibbles to the second.
fn nibbles(packed: &[u8], out: &mut [f32], value: impl Fn(u8) -> f32) {
    let (low, high) = out.split_at_mut(packed.len());
    for ((&byte, low), high) in packed.iter().zip(low).zip(high) {
        *low = value(byte & 0x0f);
        *high = value(byte >> 4);
    }
}
