// Provider @storage: ggml's Q5_0, with two blocks of 32 in a group of 11 words: a nibble per element; then a word of fifth bits per block;
// then two f16 scales.
//#use half
@group(0) @binding(2) var<storage, read> stored: array<u32>;

fn load_vec4(i: u32) -> vec4<f32> {
    let group = i / 16u * 11u;
    let block = i % 16u / 8u;
    // The first four vec4s of a block are low nibbles, and the others are high nibbles.
    let low = stored[group + block * 4u + i % 4u] >> (i % 8u / 4u * 4u);
    let high = stored[group + 8u + block] >> (i % 8u * 4u);
    let nibbles = (vec4<u32>(low) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    let quants = nibbles | (((vec4<u32>(high) >> vec4<u32>(0u, 1u, 2u, 3u)) & vec4<u32>(1u)) << vec4<u32>(4u));
    let scale = from_half(vec4<u32>((stored[group + 10u] >> (block * 16u)) & 0xffffu));
    return (vec4<f32>(quants) - vec4<f32>(16.0)) * scale;
}
