// Provider @storage: ggml's Q5_K, blocks of 256 in 44 words as in files: f16 scale and minimum; 3 words of 8 6-bit scales and 8
// 6-bit minima, one of each for 32 elements; 8 words of fifth bits, where bit k of byte l belongs to element l of part k; then a
// nibble per element.
//#use half
//#use scales_6_bit
@group(0) @binding(2) var<storage, read> stored: array<u32>;

fn load_vec4(i: u32) -> vec4<f32> {
    let block = i / 64u * 44u;
    let part = i % 64u / 8u; // of 32 elements
    let low = stored[block + 12u + part / 2u * 8u + i % 8u] >> (part % 2u * 4u);
    let high = stored[block + 4u + i % 8u] >> part;
    let bytes = vec4<u32>(0u, 8u, 16u, 24u);
    let quants = ((vec4<u32>(low) >> bytes) & vec4<u32>(15u)) | (((vec4<u32>(high) >> bytes) & vec4<u32>(1u)) << vec4<u32>(4u));
    let small = scale_and_minimum(vec3<u32>(stored[block + 1u], stored[block + 2u], stored[block + 3u]), part);
    let word = stored[block];
    let d = from_half(vec4<u32>(word & 0xffffu, word >> 16u, 0u, 0u));
    // 22 bits at most: the products are exact, so it does not matter whether they are fused with the difference.
    return vec4<f32>(quants) * (d.x * small.x) - vec4<f32>(d.y * small.y);
}
