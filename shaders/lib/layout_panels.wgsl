// Provider @layout: weights in panels of 16 rows, for the matmul on panels. Elements of a panel beyond the last row are not written.
// Dispatch: a workgroup of 64 materializes 4 vec4s of each row of a panel; x: vec4s, y: panels.
@group(0) @binding(1) var<storage, read_write> weights: array<f32>; // [branch, row / 16, k, row % 16], a branch 4 * branch_stride

// The index of the vec4 in the range that a thread materializes, or a number beyond the range if there is none.
fn vec4_index(group: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    let across = group.x * 4u + local / 16u;
    let row = group.y * 16u + local % 16u;
    return select(0xffffffffu, row * params.across + across, across < params.across);
}

fn put(b: u32, group: vec3<u32>, groups: vec3<u32>, local: u32, four: vec4<f32>) {
    let across = group.y * params.across + group.x * 4u + local / 16u;
    let at = b * params.branch_stride * 4u + across * 64u + local % 16u;
    weights[at] = four.x;
    weights[at + 16u] = four.y;
    weights[at + 32u] = four.z;
    weights[at + 48u] = four.w;
}
