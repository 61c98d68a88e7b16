//! Decoding against ggml's own results, quantizing against the `gguf` package's.

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
    assert_eq!(decode(DType::BF16, "803f0180807f4940"), [0x3f80_0000, 0x8001_0000, 0x7f80_0000, 0x4049_0000]);
    assert_eq!(decode(DType::F16, "003c01800074ff7b"), [0x3f80_0000, 0xb380_0000, 0x4680_0000, 0x477f_e000]);
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
