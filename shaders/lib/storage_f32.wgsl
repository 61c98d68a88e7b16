// Provider @storage: weights stored as f32, in vec4s.
@group(0) @binding(2) var<storage, read_write> stored: array<vec4<f32>>;

fn load_vec4(i: u32) -> vec4<f32> {
    return stored[i];
}

fn store_vec4(i: u32, weights: vec4<f32>) {
    stored[i] = weights;
}

// f32 weights need no rounding.
fn rounded(weights: vec4<f32>, key: vec2<u32>, counter: vec2<u32>) -> vec4<f32> {
    return weights;
}
