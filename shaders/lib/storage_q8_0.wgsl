// Provider @storage: ggml's Q8_0, with two blocks of 32 in a group of 17 words: a byte per element, then two f16 scales.
//#use half
@group(0) @binding(2) var<storage, read> stored: array<u32>;

fn load_vec4(i: u32) -> vec4<f32> {
    let group = i / 16u * 17u;
    let quants = stored[group + i % 16u];
    let scale = from_half(vec4<u32>((stored[group + 16u] >> (i % 16u / 8u * 16u)) & 0xffffu));
    // Each byte is shifted to the top, and back down with its sign.
    let bytes = vec4<i32>(vec4<u32>(quants) << vec4<u32>(24u, 16u, 8u, 0u)) >> vec4<u32>(24u);
    return vec4<f32>(bytes) * scale;
}
