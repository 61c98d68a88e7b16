// Provider @storage: ggml's Q4_K, blocks of 256 in 36 words as in files: f16 scale and minimum; 3 words of 8 scales and 8 minima of 6 bits,
// one of each for 32 elements; then a nibble an element.
//#use half
@group(0) @binding(2) var<storage, read> stored: array<u32>;

fn load_vec4(i: u32) -> vec4<f32> {
    let block = i / 64u * 36u;
    let part = i % 64u / 8u; // of 32 elements
    let quants = stored[block + 4u + part / 2u * 8u + i % 8u] >> (part % 2u * 4u);
    let nibbles = (vec4<u32>(quants) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u);
    // Bytes 0 to 3 hold the scales of the parts 0 to 3 in their low 6 bits, bytes 4 to 7 the minima. Bytes 8 to 11 hold the low 4 bits of
    // the scales and minima of the parts 4 to 7, whose high 2 bits are at the top of bytes 0 to 7.
    let shift = part % 4u * 8u;
    let scales = stored[block + 1u] >> shift;
    let minima = stored[block + 2u] >> shift;
    let others = stored[block + 3u] >> shift;
    let scale = select((others & 15u) | ((scales >> 2u) & 48u), scales & 63u, part < 4u);
    let minimum = select(((others >> 4u) & 15u) | ((minima >> 2u) & 48u), minima & 63u, part < 4u);
    let word = stored[block];
    let d = from_half(vec4<u32>(word & 0xffffu, word >> 16u, 0u, 0u));
    // 21 bits at most: the products are exact, so it does not matter whether they are fused with the difference.
    return vec4<f32>(nibbles) * (d.x * f32(scale)) - vec4<f32>(d.y * f32(minimum));
}
