// Provider @storage: ggml's Q4_K, blocks of 256 in 36 words as in files: f16 scale and minimum; 3 words of 8 6-bit scales and 8
// 6-bit minima, one of each for 32 elements; then a nibble per element.
//#use half
//#use scales_6_bit
@group(0) @binding(2) var<storage, read> stored: array<u32>;

fn load_vec4(i: u32) -> vec4<f32> {
    let block = i / 64u * 36u;
    let part = i % 64u / 8u; // of 32 elements
    let quants = stored[block + 4u + part / 2u * 8u + i % 8u] >> (part % 2u * 4u);
    let nibbles = (vec4<u32>(quants) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    let small = scale_and_minimum(vec3<u32>(stored[block + 1u], stored[block + 2u], stored[block + 3u]), part);
    let word = stored[block];
    let d = from_half(vec4<u32>(word & 0xffffu, word >> 16u, 0u, 0u));
    // 21 bits at most: the products are exact, so it does not matter whether they are fused with the difference.
    return vec4<f32>(nibbles) * (d.x * small.x) - vec4<f32>(d.y * small.y);
}
