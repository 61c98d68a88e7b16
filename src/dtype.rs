//! Number formats in which weights are stored in files, and their decoding to f32.
//!
//! The block formats are ggml's: 32 consecutive elements of a row share one f16 scale (and, in
//! Q4_1, one f16 minimum). Decoding follows ggml's `dequantize_row_*` operation by operation, in
//! f32 and without fused multiply-adds, so that its results are bit-equal to llama.cpp's and to
//! the `gguf` Python package's.

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

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    fn decode(dtype: DType, hex: &str) -> Vec<u32> {
        let bytes = bytes(hex);
        let mut out = vec![0.0; bytes.len() / dtype.block_bytes() * dtype.block_len()];
        dtype.dequantize(&bytes, &mut out);
        out.iter().map(|x| x.to_bits()).collect()
    }

    // The expected bits come from gguf 0.19's `dequantize` on the same bytes: two blocks of random
    // quants, the second with a negative subnormal scale.
    #[test]
    fn q8_0_is_bit_equal_to_ggml() {
        let hex = "6e24f8c2becf931aed15f5d3ef2d059d9f3c36ec6d2ec75220cd240786de39920895fc800e0f160a90d0181807290b553b68e16ee2c9089f1a1ba37a2129c94346a6e428";
        let expected = [
            0xbe0d_c000,
            0xbf89_5200,
            0xbf92_2e00,
            0xbf59_0e00,
            0xbff1_6b00,
            0x3ee6_5800,
            0xbea8_5400,
            0x3eba_0c00,
            0xbe42_e800,
            0xbf47_5600,
            0xbe96_9c00,
            0x3f47_5600,
            0x3db1_3000,
            0xbfdb_4500,
            0xbfd6_d700,
            0x3f84_e400,
            0x3f6f_3400,
            0xbeb1_3000,
            0x3ff1_6b00,
            0x3f4b_c400,
            0xbf7c_7e00,
            0x3fb5_9e00,
            0x3f0d_c000,
            0xbf61_ea00,
            0x3f1f_7800,
            0x3df8_1000,
            0xc007_1b00,
            0xbf16_9c00,
            0x3f7c_7e00,
            0xbff3_a200,
            0x3e0d_c000,
            0xbfec_fd00,
            0xb95c_8000,
            0xb96c_4000,
            0xb9ad_4000,
            0xb91d_8000,
            0x3adc_8000,
            0x3a3d_0000,
            0xb9bd_0000,
            0xb9bd_0000,
            0xb8dc_8000,
            0xba21_7000,
            0xb92d_4000,
            0xbaa7_5800,
            0xba68_5000,
            0xbacc_c000,
            0x39f4_2000,
            0xbad8_9000,
            0x39ec_4000,
            0x3a58_9000,
            0xb8fc_0000,
            0x3abe_f800,
            0xb9cc_c000,
            0xb9d4_a000,
            0x3ab7_1800,
            0xbaf0_3000,
            0xba01_f000,
            0xba21_7000,
            0x3a58_9000,
            0xba83_e800,
            0xba89_d000,
            0x3ab1_3000,
            0x39dc_8000,
            0xba1d_8000,
        ];
        assert_eq!(decode(DType::Q8_0, hex), expected);
    }

    #[test]
    fn q4_0_is_bit_equal_to_ggml() {
        let hex = "6e2432b300b1893f0dbcff405e08089c191dfc809d92be73db872764ed7f48e3a8154984";
        let expected = [
            0xbdd4_a000,
            0xbdb1_3000,
            0xbe0d_c000,
            0xbdf8_1000,
            0x3c8d_c000,
            0x3df8_1000,
            0x3db1_3000,
            0x3d8d_c000,
            0x3df8_1000,
            0xbe0d_c000,
            0x3dd4_a000,
            0x0000_0000,
            0x0000_0000,
            0x3d8d_c000,
            0x3c8d_c000,
            0x3db1_3000,
            0xbdb1_3000,
            0x3d54_a000,
            0xbe0d_c000,
            0x3d54_a000,
            0x0000_0000,
            0xbdb1_3000,
            0xbe0d_c000,
            0x3d54_a000,
            0x3df8_1000,
            0xbd8d_c000,
            0xbd54_a000,
            0xbe0d_c000,
            0xbe0d_c000,
            0x3c8d_c000,
            0xbdf8_1000,
            0xbdf8_1000,
            0xb89d_8000,
            0x38bd_0000,
            0xb8bd_0000,
            0x389d_8000,
            0xb83d_0000,
            0x377c_0000,
            0x377c_0000,
            0x387c_0000,
            0xb89d_8000,
            0xb8dc_8000,
            0x8000_0000,
            0x389d_8000,
            0x8000_0000,
            0x383d_0000,
            0xb77c_0000,
            0x387c_0000,
            0xb77c_0000,
            0xb77c_0000,
            0xb83d_0000,
            0x377c_0000,
            0xb89d_8000,
            0x8000_0000,
            0x38bd_0000,
            0x37fc_0000,
            0xb8bd_0000,
            0x377c_0000,
            0x387c_0000,
            0xb8bd_0000,
            0xb7fc_0000,
            0x38dc_8000,
            0x387c_0000,
            0x8000_0000,
        ];
        assert_eq!(decode(DType::Q4_0, hex), expected);
    }

    #[test]
    fn q4_1_is_bit_equal_to_ggml() {
        let hex = "6e24f6b410998c6b50a33d6e2fe594aa616e3896fc806c0c4ac13e2ceeefe2bc0ecdb9c149eecdf4";
        let expected = [
            0xbe9e_c000,
            0xbe1e_0800,
            0xbdd1_c000,
            0xbdf5_3000,
            0xbe9e_c000,
            0xbe84_2c00,
            0xbdae_5000,
            0xbd8a_e000,
            0xbd4e_e000,
            0xbe64_e800,
            0xbe76_a000,
            0xbe0c_5000,
            0xbe95_e400,
            0xbd8a_e000,
            0xbe2f_c000,
            0xbe53_3000,
            0xbe95_e400,
            0xbe1e_0800,
            0xbe2f_c000,
            0xbe53_3000,
            0xbe64_e800,
            0xbe0c_5000,
            0xbe84_2c00,
            0xbe53_3000,
            0xbe8d_0800,
            0xbd8a_e000,
            0xbe1e_0800,
            0xbe0c_5000,
            0xbe53_3000,
            0xbe53_3000,
            0xbe84_2c00,
            0xbe1e_0800,
            0x38fb_0000,
            0x3985_a000,
            0x387a_0000,
            0x38bc_0000,
            0x387a_0000,
            0x383b_0000,
            0x397b_8000,
            0x38bc_0000,
            0x387a_0000,
            0x389c_8000,
            0x390d_4000,
            0x3985_a000,
            0x390d_4000,
            0x387a_0000,
            0x389c_8000,
            0x395c_0000,
            0x395c_0000,
            0x38bc_0000,
            0x396b_c000,
            0x397b_8000,
            0x387a_0000,
            0x387a_0000,
            0x387a_0000,
            0x38db_8000,
            0x398d_8000,
            0x38bc_0000,
            0x38db_8000,
            0x38bc_0000,
            0x395c_0000,
            0x387a_0000,
            0x38bc_0000,
            0x383b_0000,
        ];
        assert_eq!(decode(DType::Q4_1, hex), expected);
    }

    #[test]
    fn plain_formats_are_bit_exact() {
        assert_eq!(
            decode(DType::BF16, "803f0180807f4940"),
            [0x3f80_0000, 0x8001_0000, 0x7f80_0000, 0x4049_0000]
        );
        assert_eq!(
            decode(DType::F16, "003c01800074ff7b"),
            [0x3f80_0000, 0xb380_0000, 0x4680_0000, 0x477f_e000]
        );
        assert_eq!(decode(DType::F32, "0000803f010000800000c07f"), [0x3f80_0000, 0x8000_0001, 0x7fc0_0000]);
    }

    #[test]
    fn sizes_are_checked() {
        assert_eq!(DType::Q4_1.bytes_for(64), Ok(40));
        assert_eq!(DType::F32.bytes_for(0), Ok(0));
        let odd = DType::Q8_0.bytes_for(33).unwrap_err();
        assert!(odd.message().contains("multiple of 32") && odd.message().contains("33"), "{odd}");
        assert!(DType::F32.bytes_for(u64::MAX / 2).is_err());
        assert!(DType::Q8_0.bytes_for(u64::MAX - 31).is_err());
    }

    #[test]
    fn ragged_input_decodes_whole_blocks_only() {
        let mut out = [7.0; 40];
        DType::Q8_0.dequantize(&[0; 34 + 5], &mut out);
        assert_eq!(out[31], 0.0);
        assert_eq!(out[32], 7.0);
        DType::F32.dequantize(&[], &mut out);
    }
}
