// Provider @layout: weights in panels of 16 rows, as a matmul takes them that packs its operands. The rows of a panel are neighbouring
// threads'; those beyond the last row have no quad, and their place is left as it is.
@group(0) @binding(1) var<storage, read_write> weights: array<f32>; // [branch, row / 16, k, row % 16], a branch 4 * branch_stride

// The quad of the range that thread i forms.
fn quad_of(i: u32) -> u32 {
    return (i / (16u * params.across) * 16u + i % 16u) * params.across + i / 16u % params.across;
}

fn put(b: u32, i: u32, quad: vec4<f32>) {
    let at = b * params.branch_stride * 4u + i / 16u * 64u + i % 16u;
    weights[at] = quad.x;
    weights[at + 16u] = quad.y;
    weights[at + 32u] = quad.z;
    weights[at + 48u] = quad.w;
}
