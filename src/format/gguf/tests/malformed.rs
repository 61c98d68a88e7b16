//! Damaged or unsupported files are rejected with a message that names what is wrong.

use super::*;

#[test]
fn every_truncation_is_refused() {
    let whole = tiny().build();
    for len in 0..whole.len() {
        let error = parse_bytes(whole[..len].to_vec()).expect_err("a truncated file");
        assert_eq!(error.code(), Code::FileCorrupt, "at {len}: {error}");
    }
    parse_bytes(whole).unwrap();
}

#[test]
fn every_changed_header_byte_is_handled() {
    let whole = tiny().build();
    let data: usize = tiny().tensors.iter().map(|(.., data)| data.len().next_multiple_of(32)).sum();
    for at in 0..whole.len() - data {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            let _ = parse_bytes(bytes); // must neither panic nor allocate by the number
        }
    }
}

#[test]
fn absurd_counts_are_refused() {
    let whole = tiny().build();
    for (at, says) in [(8, "number of tensors"), (16, "number of metadata values"), (24, "metadata key")] {
        for value in [u64::MAX, 1 << 60, 1 << 32] {
            let mut bytes = whole.clone();
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
            let error = parse_bytes(bytes).unwrap_err();
            assert!(
                error.message().contains(says) && error.message().contains(&value.to_string()),
                "{error}"
            );
        }
    }
    let array = |kind: u32, count: u64| [&kind.to_le_bytes()[..], &count.to_le_bytes()].concat();
    tiny().raw("x", 9, &array(4, u64::MAX)).refused(Code::FileCorrupt, &["array items"]);
    tiny().raw("x", 9, &array(8, 1 << 40)).refused(Code::FileCorrupt, &["array items"]);
    tiny().raw("x", 9, &array(9, 1)).refused(Code::FileCorrupt, &["`x`", "type 9"]);
    tiny().raw("x", 13, &[]).refused(Code::FileCorrupt, &["`x`", "13"]);
    tiny().raw("x", 7, &[2]).refused(Code::FileCorrupt, &["`x`", "bool"]);
    tiny().raw("x", 8, &[1, 0, 0, 0, 0, 0, 0, 0, 0xff]).refused(Code::FileCorrupt, &["x"]);
}

#[test]
fn malformed_tensors_are_refused_by_name() {
    let corrupt = Code::FileCorrupt;
    let norm = "output_norm.weight";
    tiny().tensor(norm, &[32], 16, vec![0; 128]).refused(Code::ModelUnsupported, &[norm, "IQ"]);
    tiny().tensor(norm, &[33], 8, vec![0; 128]).refused(corrupt, &[norm, "multiple of 32"]);
    tiny().tensor(norm, &[1 << 40, 1 << 40], 0, vec![]).refused(corrupt, &[norm, "overflows"]);
    tiny().tensor(norm, &[1 << 62], 0, vec![]).refused(corrupt, &[norm]);
    tiny().tensor(norm, &[1 << 30], 0, vec![]).refused(corrupt, &[norm, "the file ends at"]);
    tiny().tensor(norm, &[1; 5], 0, vec![]).refused(corrupt, &[norm, "dimensions"]);
    let mut overlap = tiny();
    overlap.tensors[0].1 = vec![32, 30];
    overlap.refused(corrupt, &["output_norm.weight", "overlaps `token_embd.weight`"]);
    tiny().tensor("blk.0.attn_q.weight", &[32, 31], 0, counting(31)).refused(corrupt, &["q_proj", "2 heads"]);
    tiny().tensor("blk.0.attn_q.weight", &[32, 2], 0, counting(2)).refused(corrupt, &["even"]);
    tiny()
        .tensor("blk.0.attn_q_norm.weight", &[32], 0, counting(1))
        .refused(Code::ModelUnsupported, &["attn_q_norm"]);
    let mut twice = tiny();
    twice.tensors.push((norm.to_owned(), vec![32], 0, counting(1)));
    twice.refused(corrupt, &[norm, "twice"]);
    let mut twice = tiny();
    twice.values.push(twice.values[0].clone());
    twice.refused(corrupt, &["general.architecture", "twice"]);
    let mut without = tiny();
    without.tensors.retain(|(name, ..)| name != "token_embd.weight");
    without.refused(corrupt, &["token_embd.weight"]);
}

#[test]
fn what_is_not_supported_is_named() {
    let unsupported = Code::ModelUnsupported;
    tiny().str("general.architecture", "mamba").refused(unsupported, &["general.architecture", "mamba"]);
    tiny().u32("llama.expert_count", 8).refused(unsupported, &["llama.expert_count", "8"]);
    tiny().u32("llama.rope.dimension_count", 8).refused(unsupported, &["llama.rope.dimension_count", "8"]);
    tiny()
        .str("llama.rope.scaling.type", "longrope")
        .refused(unsupported, &["llama.rope.scaling.type", "longrope"]);
    tiny()
        .str("llama.rope.scaling.type", "yarn")
        .f32("llama.rope.scaling.attn_factor", 2.0)
        .refused(unsupported, &["llama.rope.scaling.attn_factor", "2"]);
    // llama.cpp multiplies cos and sin with the factor, whatever the type is.
    for kind in ["none", "linear"] {
        tiny()
            .str("llama.rope.scaling.type", kind)
            .f32("llama.rope.scaling.attn_factor", 2.0)
            .refused(unsupported, &["llama.rope.scaling.attn_factor", "2"]);
    }
    tiny()
        .f32("llama.rope.scaling.attn_factor", 2.0)
        .refused(unsupported, &["llama.rope.scaling.attn_factor", "2"]);
    parse_bytes(tiny().f32("llama.rope.scaling.attn_factor", 1.0).build()).unwrap();
    // The architecture is checked before the tensor types.
    tiny()
        .str("general.architecture", "mamba")
        .tensor("output_norm.weight", &[32], 10, vec![0; 128])
        .refused(unsupported, &["mamba"]);
    tiny().u32("llama.attention.head_count", 0).refused(Code::FileCorrupt, &["heads"]);
    tiny().u32("llama.vocab_size", 4).refused(Code::FileCorrupt, &["llama.vocab_size", "4"]);
    tiny().str("llama.block_count", "x").refused(Code::FileCorrupt, &["llama.block_count", "a string"]);
    tiny().u32("general.alignment", 0).refused(Code::FileCorrupt, &["general.alignment"]);
    tiny().f32("llama.attention.layer_norm_rms_epsilon", f32::NAN).refused(Code::FileCorrupt, &["finite"]);
    for (version, code) in [(1u32, unsupported), (4, unsupported), (0x0300_0000, unsupported)] {
        let mut bytes = tiny().build();
        bytes[4..8].copy_from_slice(&version.to_le_bytes());
        assert_eq!(parse_bytes(bytes).unwrap_err().code(), code);
    }
    let mut second = tiny().build();
    second[4] = 2;
    parse_bytes(second).unwrap();
}
