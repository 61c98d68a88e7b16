// Provider @storage: ggml's Q3_K, with two blocks of 256 in a group of 55 words: 8 words of third bits per block; then 16 words of
// two low bits per element for each block; then 3 words of 6-bit scales for each block, with one scale for 16 elements; then two
// f16 scales.
//#use half
@group(0) @binding(2) var<storage, read> stored: array<u32>;

fn load_vec4(i: u32) -> vec4<f32> {
    let group = i / 128u * 55u;
    let block = i % 128u / 64u;
    // A block has two halves of four quarters of eight vec4s.
    let n = i % 64u / 32u;
    let quarter = i % 32u / 8u;
    let column = i % 8u;
    let low = stored[group + 16u + block * 16u + n * 8u + column] >> (quarter * 2u);
    let high = stored[group + block * 8u + column] >> (n * 4u + quarter);
    let bytes = vec4<u32>(0u, 8u, 16u, 24u);
    let quants = ((vec4<u32>(low) >> bytes) & vec4<u32>(3u)) | (((vec4<u32>(high) >> bytes) & vec4<u32>(1u)) << vec4<u32>(2u));
    // The low 4 bits of scale k are in byte k % 8, and its high 2 bits are in byte 8 + k % 4.
    let k = n * 8u + quarter * 2u + column / 4u;
    let scales = group + 48u + block * 3u;
    let low_bits = (stored[scales + k % 8u / 4u] >> (k % 4u * 8u + k / 8u * 4u)) & 15u;
    let high_bits = (stored[scales + 2u] >> (k % 4u * 8u + k / 4u * 2u)) & 3u;
    let scale = f32(low_bits | (high_bits << 4u)) - 32.0;
    let d = from_half(vec4<u32>((stored[group + 54u] >> (block * 16u)) & 0xffffu)).x;
    // All products are exact, so their order does not matter.
    return (d * scale) * (vec4<f32>(quants) - vec4<f32>(4.0));
}
