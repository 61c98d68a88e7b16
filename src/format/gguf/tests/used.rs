//! What a file says about its model is used, or the file is rejected by name.

use super::*;
use crate::dtype::DType;
use crate::format::files::MemoryDir;
use crate::gpu::Limits;
use crate::train::Session;

fn ones(count: u64) -> Vec<u8> {
    (0..count).flat_map(|_| 1f32.to_le_bytes()).collect()
}

/// The tiny model with a tokenizer that can be built.
fn whole() -> Builder {
    let types: Vec<u8> = [1i32, 1, 1].iter().flat_map(|kind| kind.to_le_bytes()).collect();
    let types = [&5u32.to_le_bytes()[..], &3u64.to_le_bytes(), &types].concat();
    tiny().raw("tokenizer.ggml.token_type", 9, &types).str("tokenizer.ggml.pre", "smollm")
}

fn describe(file: &Builder) -> Result<Session> {
    let dir = MemoryDir::new("one").with("m.gguf", file.build());
    block_on(Session::describe(Limits::WEBGPU_DEFAULT, &dir, DType::F32))
}

#[test]
fn a_tensor_that_the_model_does_not_compute_with_is_refused_by_name() {
    for (name, width, theirs) in [
        ("blk.0.attn_output.bias", 32, "model.layers.0.self_attn.o_proj.bias"),
        ("blk.0.attn_norm.bias", 32, "model.layers.0.input_layernorm.bias"),
        ("blk.0.ffn_down.bias", 32, "model.layers.0.mlp.down_proj.bias"),
        ("output_norm.bias", 32, "model.norm.bias"),
        ("blk.1.attn_norm.weight", 32, "model.layers.1.input_layernorm.weight"),
    ] {
        let error = describe(&whole().tensor(name, &[width], 0, ones(width))).err().unwrap();
        assert_eq!(error.code(), Code::ModelUnsupported, "{error}");
        for part in ["m.gguf", theirs, "does not compute with"] {
            assert!(error.message().contains(part), "{part:?} is not in: {error}");
        }
    }
    let untied = whole().tensor("output.weight", &[32, 3], 8, q8(3)).tensor("output.bias", &[3], 0, ones(3));
    assert!(describe(&untied).err().unwrap().message().contains("lm_head.bias"));
    describe(&whole()).map(drop).unwrap();
}

/// llama.cpp divides frequencies by both.
#[test]
fn divisors_and_linear_scaling_are_combined() {
    let divisors = [1.0f32, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 8.0];
    let with = |divisors: &[f32]| {
        let data = divisors.iter().flat_map(|x| x.to_le_bytes()).collect();
        tiny().f32("llama.rope.scaling.factor", 4.0).tensor(
            "rope_freqs.weight",
            &[divisors.len() as u64],
            0,
            data,
        )
    };
    let scaling = |file: Builder| file.parse().unwrap().config.opt_object("rope_scaling").unwrap().unwrap();
    for kind in [None, Some("linear")] {
        let typed =
            |file: Builder| kind.map_or(file.clone(), |kind| file.str("llama.rope.scaling.type", kind));
        let both = scaling(typed(with(&divisors)));
        assert_eq!(both.f32_list("long_factor").unwrap(), divisors.map(|divisor| divisor * 4.0));
        let only = scaling(typed(with(&[1.0; 8])));
        assert_eq!((only.str("rope_type").unwrap(), only.f32("factor").unwrap()), ("linear", 4.0));
    }
    let none = scaling(with(&divisors).str("llama.rope.scaling.type", "none"));
    assert_eq!(none.f32_list("short_factor").unwrap(), divisors);
    let yarn = with(&divisors).str("llama.rope.scaling.type", "yarn");
    yarn.refused(Code::ModelUnsupported, &["rope.scaling.type", "rope_freqs.weight", "yarn"]);
}

/// llama.cpp's converter writes a window of 0 for a Phi 3 without one.
#[test]
fn a_window_of_0_is_none() {
    let none = tiny().u32("llama.attention.sliding_window", 0).parse().unwrap().config;
    assert!(none.is_null("sliding_window"));
    assert_eq!(none.str("model_type").unwrap(), "llama");
    let window = tiny().u32("llama.attention.sliding_window", 8).parse().unwrap().config;
    assert_eq!((window.u32("sliding_window").unwrap(), window.str("model_type").unwrap()), (8, "mistral"));
}
