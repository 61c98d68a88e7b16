// Provider @storage: weights stored as f16, with a vec4 in two words.
//#use half
@group(0) @binding(2) var<storage, read_write> stored: array<vec2<u32>>;

fn load_vec4(i: u32) -> vec4<f32> {
    let words = stored[i];
    return from_half(vec4<u32>(words.x & 0xffffu, words.x >> 16u, words.y & 0xffffu, words.y >> 16u));
}

// The weights have already been rounded to f16; see `rounded`.
fn store_vec4(i: u32, weights: vec4<f32>) {
    let h = to_half(weights, vec4<u32>());
    stored[i] = vec2<u32>(h.x | (h.y << 16u), h.z | (h.w << 16u));
}

// Rounds to f16 stochastically. The random bits are drawn in the same way as the direction, but with the rounding key.
fn rounded(weights: vec4<f32>, key: vec2<u32>, counter: vec2<u32>) -> vec4<f32> {
    let bits = threefry(key, counter);
    return from_half(to_half(weights, vec4<u32>(bits.x & 0xffffu, bits.x >> 16u, bits.y & 0xffffu, bits.y >> 16u)));
}
