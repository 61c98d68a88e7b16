// Provider @storage: ggml's Q2_K, blocks of 256 in 21 words as in files: 4 words with one byte for 16 elements, the scale in its
// low nibble and the minimum in its high one; 16 words of two bits per element; f16 scale and minimum.
//#use half
@group(0) @binding(2) var<storage, read> stored: array<u32>;

fn load_vec4(i: u32) -> vec4<f32> {
    let block = i / 64u * 21u;
    // A block has two halves of four quarters of eight vec4s.
    let n = i % 64u / 32u;
    let quarter = i % 32u / 8u;
    let column = i % 8u;
    let quants = stored[block + 4u + n * 8u + column] >> (quarter * 2u);
    let k = n * 8u + quarter * 2u + column / 4u;
    let small = stored[block + k / 4u] >> (k % 4u * 8u);
    let word = stored[block + 20u];
    let d = from_half(vec4<u32>(word & 0xffffu, word >> 16u, 0u, 0u));
    let scale = d.x * f32(small & 15u);
    let minimum = d.y * f32((small >> 4u) & 15u);
    // The products are exact, so it does not matter whether they are fused with the difference.
    return vec4<f32>((vec4<u32>(quants) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(3u)) * scale - vec4<f32>(minimum);
}
