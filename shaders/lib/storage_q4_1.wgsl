// Provider @storage: ggml's Q4_1, with a block of 32 in a group of 5 words: a nibble per element, then f16 scale and minimum.
//#use half
@group(0) @binding(2) var<storage, read> stored: array<u32>;

fn load_vec4(i: u32) -> vec4<f32> {
    let group = i / 8u * 5u;
    let quants = stored[group + i % 4u] >> (i % 8u / 4u * 4u);
    let word = stored[group + 4u];
    let scale = from_half(vec4<u32>(word & 0xffffu, word >> 16u, 0u, 0u));
    let nibbles = (vec4<u32>(quants) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    // The product has at most 15 bits and is exact, so it does not matter whether it is fused with the sum.
    return vec4<f32>(nibbles) * scale.x + vec4<f32>(scale.y);
}
