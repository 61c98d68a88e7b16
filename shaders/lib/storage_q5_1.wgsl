// Provider @storage: ggml's Q5_1, blocks of 32 in 6 words as in files: f16 scale and minimum; a word of fifth bits; then a nibble per element.
//#use half
@group(0) @binding(2) var<storage, read> stored: array<u32>;

fn load_vec4(i: u32) -> vec4<f32> {
    let block = i / 8u * 6u;
    // The first four vec4s of a block are low nibbles, and the others are high nibbles.
    let low = stored[block + 2u + i % 4u] >> (i % 8u / 4u * 4u);
    let high = stored[block + 1u] >> (i % 8u * 4u);
    let nibbles = (vec4<u32>(low) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    let quants = nibbles | (((vec4<u32>(high) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u)) << vec4<u32>(4u));
    let word = stored[block];
    let d = from_half(vec4<u32>(word & 0xffffu, word >> 16u, 0u, 0u));
    // The product is exact, so it does not matter whether it is fused with the sum.
    return vec4<f32>(quants) * d.x + vec4<f32>(d.y);
}
