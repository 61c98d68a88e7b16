// Provider @layout: weights in row-major order, as they are stored.
// Dispatch: one thread per vec4, 64 per workgroup, workgroups folded over x and y.
@group(0) @binding(1) var<storage, read_write> weights: array<vec4<f32>>; // [branch, branch_stride]

//#use linear

// The index of the vec4 in the range that a thread materializes, or a number beyond the range if there is none.
fn vec4_index(group: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    return linear_group(group, groups) * 64u + local;
}

fn put(b: u32, group: vec3<u32>, groups: vec3<u32>, local: u32, four: vec4<f32>) {
    weights[b * params.branch_stride + vec4_index(group, groups, local)] = four;
}
