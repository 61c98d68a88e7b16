//! Encoding from f32 to the storage formats, with ggml's reference rounding, as in `gguf.quants.quantize`. Every function appends
//! whole blocks of finite values.

use half::f16;

pub(super) fn f32(values: &[f32], bytes: &mut Vec<u8>) {
    values.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
}

pub(super) fn f16(values: &[f32], bytes: &mut Vec<u8>) {
    values.iter().for_each(|x| bytes.extend(f16::from_f32(*x).to_le_bytes()));
}

pub(super) fn bf16(values: &[f32], bytes: &mut Vec<u8>) {
    values.iter().for_each(|x| bytes.extend(half::bf16::from_f32(*x).to_le_bytes()));
}

pub(super) fn q8_0(values: &[f32], bytes: &mut Vec<u8>) {
    for block in values.chunks_exact(32) {
        let most = block.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
        let d = most / 127.0;
        let scale = inverse(d);
        bytes.extend(f16::from_f32(d).to_le_bytes());
        bytes.extend(block.iter().map(|x| (x * scale).round() as i8 as u8));
    }
}

pub(super) fn q4_0(values: &[f32], bytes: &mut Vec<u8>) {
    for block in values.chunks_exact(32) {
        // The first element of the largest magnitude, with its sign.
        let most = block.iter().fold(0.0_f32, |most, x| if x.abs() > most.abs() { *x } else { most });
        let d = most / -8.0;
        let scale = inverse(d);
        bytes.extend(f16::from_f32(d).to_le_bytes());
        pack(block, bytes, |x| (x * scale + 8.5) as u8);
    }
}

pub(super) fn q4_1(values: &[f32], bytes: &mut Vec<u8>) {
    for block in values.chunks_exact(32) {
        let least = block.iter().copied().fold(f32::INFINITY, f32::min);
        let most = block.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let d = (most - least) / 15.0;
        let scale = inverse(d);
        bytes.extend(f16::from_f32(d).to_le_bytes());
        bytes.extend(f16::from_f32(least).to_le_bytes());
        pack(block, bytes, |x| ((x - least) * scale + 0.5) as u8);
    }
}

fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

/// Packs a block into nibbles: the quants of the first half in the low nibbles, those of the second half in the high ones.
fn pack(block: &[f32], bytes: &mut Vec<u8>, quant: impl Fn(f32) -> u8) {
    let (low, high) = block.split_at(block.len() / 2);
    bytes.extend(low.iter().zip(high).map(|(low, high)| quant(*low).min(15) | (quant(*high).min(15) << 4)));
}
