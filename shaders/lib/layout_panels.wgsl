// Provider @layout: weights in panels of 16 rows, as a matmul takes them that packs its operands. Beyond the last row a panel is left
// as it is.
// Dispatch: a workgroup of 64 forms 4 quads of each of a panel's rows; x: quads, y: panels.
@group(0) @binding(1) var<storage, read_write> weights: array<f32>; // [branch, row / 16, k, row % 16], a branch 4 * branch_stride

// The quad of the range that a thread forms; beyond the range: it has none.
fn quad_of(group: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    let across = group.x * 4u + local / 16u;
    let row = group.y * 16u + local % 16u;
    return select(0xffffffffu, row * params.across + across, across < params.across);
}

fn put(b: u32, group: vec3<u32>, groups: vec3<u32>, local: u32, quad: vec4<f32>) {
    let across = group.y * params.across + group.x * 4u + local / 16u;
    let at = b * params.branch_stride * 4u + across * 64u + local % 16u;
    weights[at] = quad.x;
    weights[at + 16u] = quad.y;
    weights[at + 32u] = quad.z;
    weights[at + 48u] = quad.w;
}
