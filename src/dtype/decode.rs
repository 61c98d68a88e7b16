//! From the storage formats to f32.

use half::f16;

/// Calls `decode(block, values)` for as many whole blocks as both slices hold.
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
    blocks(bytes, out, |b: &[u8; 2], [o]| *o = half_at(b, 0));
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

/// Element e of a block is in its half n = e / 128, there in the quarter j = e % 128 / 32, at column l = e % 32.
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

/// The scale and minimum of part k < 4 are in the low 6 bits of bytes k and k + 4. Those of part k + 4 have their low 4 bits in byte
/// k + 8 and their high 2 bits at the top of bytes k and k + 4.
pub(super) fn q4_k(bytes: &[u8], out: &mut [f32]) {
    blocks(bytes, out, |b: &[u8; 144], o: &mut [f32; 256]| {
        let (d, m) = (half_at(b, 0), half_at(b, 2));
        let small = &b[4..16];
        for (part, o) in o.chunks_exact_mut(32).enumerate() {
            let k = part % 4;
            let (scale, minimum) = match part < 4 {
                true => (small[k] & 63, small[k + 4] & 63),
                false => {
                    let low = small[k + 8];
                    (low & 15 | small[k] >> 6 << 4, low >> 4 | small[k + 4] >> 6 << 4)
                }
            };
            let (scale, minimum) = (d * f32::from(scale), m * f32::from(minimum));
            let packed = &b[16 + part / 2 * 32..][..32];
            for (o, byte) in o.iter_mut().zip(packed) {
                *o = scale * f32::from(byte >> (part % 2 * 4) & 15) - minimum;
            }
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
