//! Number formats in which weights are stored, and their coding from and to f32.
//!
//! The block formats are ggml's: 32 consecutive elements of a row share one f16 scale (and, in
//! Q4_1, one f16 minimum). Decoding follows ggml's `dequantize_row_*` operation by operation, in
//! f32 and without fused multiply-adds, so that its results are bit-equal to llama.cpp's and to
//! the `gguf` Python package's.

mod quantize;
#[cfg(test)]
mod tests;

use std::fmt;

use half::f16;

use crate::error::{Result, bail};

/// How the elements of a tensor are stored. Everything is little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(non_camel_case_types)] // ggml's spelling
pub enum DType {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary16.
    F16,
    /// The upper 16 bits of a binary32.
    BF16,
    /// Blocks of 32: f16 `d`, then 32 x i8 `q`; a value is `q * d`.
    Q8_0,
    /// Blocks of 32: f16 `d`, then 16 bytes; byte `j` holds elements `j` (low nibble) and `j + 16`
    /// (high nibble); a value is `(q - 8) * d`.
    Q4_0,
    /// Blocks of 32: f16 `d`, f16 `m`, then 16 bytes as in [`DType::Q4_0`]; a value is `q * d + m`.
    Q4_1,
}

impl DType {
    /// Elements in one block: 1 for the plain formats, 32 for the quantized.
    pub const fn block_len(self) -> usize {
        match self {
            DType::F32 | DType::F16 | DType::BF16 => 1,
            DType::Q8_0 | DType::Q4_0 | DType::Q4_1 => 32,
        }
    }

    /// Bytes of one block.
    pub const fn block_bytes(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::F16 | DType::BF16 => 2,
            DType::Q8_0 => 34,
            DType::Q4_0 => 18,
            DType::Q4_1 => 20,
        }
    }

    /// Bytes that hold `elements` elements.
    ///
    /// # Errors
    /// `invalid-argument` when `elements` is not a whole number of blocks or the size overflows.
    pub fn bytes_for(self, elements: u64) -> Result<u64> {
        let block = self.block_len() as u64;
        if !elements.is_multiple_of(block) {
            bail!(InvalidArgument, "{self}: expected a multiple of {block} elements, found {elements}");
        }
        match (elements / block).checked_mul(self.block_bytes() as u64) {
            Some(bytes) => Ok(bytes),
            None => bail!(InvalidArgument, "{self}: the size of {elements} elements overflows 64 bits"),
        }
    }

    /// The format's name, as in safetensors and ggml.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "F32",
            DType::F16 => "F16",
            DType::BF16 => "BF16",
            DType::Q8_0 => "Q8_0",
            DType::Q4_0 => "Q4_0",
            DType::Q4_1 => "Q4_1",
        }
    }

    /// Whether elements share a scale in blocks.
    pub const fn is_quantized(self) -> bool {
        self.block_len() > 1
    }

    /// Decodes `bytes` to f32. `bytes` and `out` must hold the same whole number of blocks; where
    /// they do not, as many blocks as both hold are decoded and the rest of `out` is left as it is.
    pub fn dequantize(self, bytes: &[u8], out: &mut [f32]) {
        let blocks = bytes.chunks_exact(self.block_bytes()).zip(out.chunks_exact_mut(self.block_len()));
        match self {
            DType::F32 => blocks.for_each(|(b, o)| o[0] = f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            DType::F16 => blocks.for_each(|(b, o)| o[0] = half_at(b, 0)),
            DType::BF16 => {
                blocks.for_each(|(b, o)| {
                    o[0] = f32::from_bits(u32::from(u16::from_le_bytes([b[0], b[1]])) << 16)
                });
            }
            DType::Q8_0 => blocks.for_each(|(b, o)| {
                let d = half_at(b, 0);
                for (o, &q) in o.iter_mut().zip(&b[2..]) {
                    *o = f32::from(q as i8) * d;
                }
            }),
            DType::Q4_0 => blocks.for_each(|(b, o)| {
                let d = half_at(b, 0);
                nibbles(&b[2..], o, |q| f32::from(q as i8 - 8) * d);
            }),
            DType::Q4_1 => blocks.for_each(|(b, o)| {
                let (d, m) = (half_at(b, 0), half_at(b, 2));
                nibbles(&b[4..], o, |q| f32::from(q) * d + m);
            }),
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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
