// Provider @storage: ggml's IQ4_NL, with two blocks of 32 in a group of 9 words: a nibble per element, then two f16 scales.
//#use half
//#use iq4
@group(0) @binding(2) var<storage, read> stored: array<u32>;

fn load_vec4(i: u32) -> vec4<f32> {
    let group = i / 16u * 9u;
    let block = i % 16u / 8u;
    // The first four vec4s of a block are low nibbles, and the others are high nibbles.
    let quants = stored[group + block * 4u + i % 4u] >> (i % 8u / 4u * 4u);
    let scale = from_half(vec4<u32>((stored[group + 8u] >> (block * 16u)) & 0xffffu));
    return iq4((vec4<u32>(quants) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(15u)) * scale;
}
