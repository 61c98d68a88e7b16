// Provider @storage: ggml's IQ4_XS, blocks of 256 in 34 words as in files: an f16 scale and 8 x 2 high bits of scales; a word of 8
// x 4 low bits of scales, with one scale for 32 elements; then a nibble per element.
//#use half
//#use iq4
@group(0) @binding(2) var<storage, read> stored: array<u32>;

fn load_vec4(i: u32) -> vec4<f32> {
    let block = i / 64u * 34u;
    let part = i % 64u / 8u; // of 32 elements
    // The first four vec4s of a part are low nibbles, and the others are high nibbles.
    let quants = stored[block + 2u + part * 4u + i % 4u] >> (i % 8u / 4u * 4u);
    let word = stored[block];
    let bits = ((stored[block + 1u] >> (part * 4u)) & 15u) | (((word >> (16u + part * 2u)) & 3u) << 4u);
    let d = from_half(vec4<u32>(word & 0xffffu)).x;
    // All products are exact, so their order does not matter.
    return iq4((vec4<u32>(quants) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u)) * (d * (f32(bits) - 32.0));
}
