// Provider @storage: ggml's Q6_K, with two blocks of 256 in a group of 105 words: 32 words of low nibbles per block; then 16 words
// of two high bits per element for each block; then 4 words of i8 scales for each block, with one scale for 16 elements; then two
// f16 scales.
//#use half
@group(0) @binding(2) var<storage, read> stored: array<u32>;

fn load_vec4(i: u32) -> vec4<f32> {
    let group = i / 128u * 105u;
    let block = i % 128u / 64u;
    // A block has two halves of four quarters of eight vec4s.
    let n = i % 64u / 32u;
    let quarter = i % 32u / 8u;
    let column = i % 8u;
    let low = stored[group + block * 32u + n * 16u + quarter % 2u * 8u + column] >> (quarter / 2u * 4u);
    let high = stored[group + 64u + block * 16u + n * 8u + column] >> (quarter * 2u);
    let bytes = vec4<u32>(0u, 8u, 16u, 24u);
    let quants = ((vec4<u32>(low) >> bytes) & vec4<u32>(15u)) | (((vec4<u32>(high) >> bytes) & vec4<u32>(3u)) << vec4<u32>(4u));
    let index = n * 8u + quarter * 2u + column / 4u;
    // Shifts the byte to the top, and back down with its sign.
    let scale = bitcast<i32>(stored[group + 96u + block * 4u + index / 4u] << (24u - index % 4u * 8u)) >> 24u;
    let d = from_half(vec4<u32>((stored[group + 104u] >> (block * 16u)) & 0xffffu)).x;
    // All but the last product are exact, so their order does not matter.
    return (d * f32(scale)) * (vec4<f32>(quants) - vec4<f32>(32.0));
}
