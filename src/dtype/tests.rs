//! Compares decoding with the `gguf` package's results on the same bytes.

use std::collections::BTreeMap;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

/// The bits of the values of a whole number of blocks.
fn decode(dtype: DType, hex: &str) -> Vec<u32> {
    let bytes = bytes(hex);
    let mut out = vec![0.0; bytes.len() / dtype.block_bytes() * dtype.block_len()];
    dtype.dequantize(&bytes, &mut out);
    out.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn the_table_is_in_the_order_of_the_identifiers_and_without_duplicates() {
    for (i, format) in Format::ALL.iter().enumerate() {
        assert_eq!(format.dtype as usize, i, "{}", format.name);
        let others = || Format::ALL.iter().filter(|other| other.dtype != format.dtype);
        assert!(others().all(|other| other.name != format.name && other.ggml_type != format.ggml_type));
        for name in format.options {
            assert!(others().all(|other| !other.options.contains(name)), "{name} names two formats");
            assert_eq!(DType::named(name).unwrap(), format.dtype);
        }
        if let Some(device) = &format.device
            && !device.order.is_empty()
        {
            let group = device.group * format.block_bytes;
            assert!(group.is_multiple_of(4), "{}: a group is not whole words", format.name);
            let mut pieces = device.order.to_vec();
            pieces.sort_by_key(|piece| piece.start);
            let end = pieces.iter().fold(0, |end, piece| if piece.start == end { piece.end } else { end });
            assert_eq!(end, format.block_bytes, "{}: the pieces do not make up a block", format.name);
        }
    }
}

/// `tests/golden/formats.py` wrote the blocks and the values that the `gguf` package decodes them to. A new format needs an entry there.
#[test]
fn block_formats_are_bit_equal_to_ggml() {
    #[derive(serde::Deserialize)]
    struct Vector {
        blocks: String,
        values: String,
    }
    let vectors: BTreeMap<String, Vector> =
        serde_json::from_str(include_str!("../../tests/golden/formats.json")).unwrap();
    for format in Format::ALL.iter().filter(|format| format.dtype.is_quantized()) {
        let vector = vectors.get(format.name).unwrap_or_else(|| panic!("{} has no test vector", format.name));
        let expected: Vec<u32> = bytemuck::pod_collect_to_vec(&bytes(&vector.values));
        assert_eq!(decode(format.dtype, &vector.blocks), expected, "{}", format.name);
    }
}

#[test]
fn a_format_that_is_only_read_refuses_to_encode() {
    for format in Format::ALL {
        let block = vec![0.0; format.block_len];
        match (format.encode, format.dtype.quantize(&block)) {
            (Some(_), Ok(bytes)) => assert_eq!(bytes.len(), format.block_bytes),
            (None, Err(error)) => {
                let option = format.options[0];
                assert!(error.message().contains(option) && error.message().contains("f16"), "{error}");
            }
            (_, other) => panic!("{}: {other:?}", format.name),
        }
    }
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

#[test]
fn the_package_has_the_same_names() {
    let names: Vec<String> = Format::options().map(|name| format!("'{name}'")).collect();
    let list = format!("DTYPES: readonly DType[] = [{}];", names.join(", "));
    assert!(include_str!("../../www/src/package/options.ts").contains(&list), "options.ts lacks {list}");
    let union = format!("export type DType = {};", names.join(" | "));
    assert!(include_str!("../../www/src/package/types/model.ts").contains(&union), "model.ts lacks {union}");
}
