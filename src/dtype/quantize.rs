//! From f32 to the formats that weights are stored in: ggml's reference rounding, as `gguf.quants.quantize` has it.

use half::f16;

use super::DType;

impl DType {
    /// Encodes `values`, whole blocks of finite numbers, as a file would hold them. What is beyond f16's range becomes infinite
    /// in [`DType::F16`]: the caller refuses it.
    pub fn quantize(self, values: &[f32]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(values.len() / self.block_len() * self.block_bytes());
        for block in values.chunks_exact(self.block_len()) {
            match self {
                DType::F32 => bytes.extend(block[0].to_le_bytes()),
                DType::F16 => bytes.extend(f16::from_f32(block[0]).to_le_bytes()),
                DType::BF16 => bytes.extend(half::bf16::from_f32(block[0]).to_le_bytes()),
                DType::Q8_0 => q8_0(block, &mut bytes),
                DType::Q4_0 => q4_0(block, &mut bytes),
                DType::Q4_1 => q4_1(block, &mut bytes),
            }
        }
        bytes
    }
}

fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

fn q8_0(block: &[f32], bytes: &mut Vec<u8>) {
    let most = block.iter().fold(0.0_f32, |most, x| most.max(x.abs()));
    let d = most / 127.0;
    let scale = inverse(d);
    bytes.extend(f16::from_f32(d).to_le_bytes());
    bytes.extend(block.iter().map(|x| (x * scale).round() as i8 as u8));
}

fn q4_0(block: &[f32], bytes: &mut Vec<u8>) {
    // The first of the largest magnitudes, with its sign.
    let most = block.iter().fold(0.0_f32, |most, x| if x.abs() > most.abs() { *x } else { most });
    let d = most / -8.0;
    let scale = inverse(d);
    bytes.extend(f16::from_f32(d).to_le_bytes());
    pack(block, bytes, |x| (x * scale + 8.5) as u8);
}

fn q4_1(block: &[f32], bytes: &mut Vec<u8>) {
    let least = block.iter().copied().fold(f32::INFINITY, f32::min);
    let most = block.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let d = (most - least) / 15.0;
    let scale = inverse(d);
    bytes.extend(f16::from_f32(d).to_le_bytes());
    bytes.extend(f16::from_f32(least).to_le_bytes());
    pack(block, bytes, |x| ((x - least) * scale + 0.5) as u8);
}

/// Nibbles of the first half of a block low, of the second high.
fn pack(block: &[f32], bytes: &mut Vec<u8>, quant: impl Fn(f32) -> u8) {
    let (low, high) = block.split_at(block.len() / 2);
    bytes.extend(low.iter().zip(high).map(|(low, high)| quant(*low).min(15) | (quant(*high).min(15) << 4)));
}
