// Provider @layout: weights row after row, as they are stored.
@group(0) @binding(1) var<storage, read_write> weights: array<vec4<f32>>; // [branch, branch_stride]

// The quad of the range that thread i forms.
fn quad_of(i: u32) -> u32 {
    return i;
}

fn put(b: u32, i: u32, quad: vec4<f32>) {
    weights[b * params.branch_stride + i] = quad;
}
