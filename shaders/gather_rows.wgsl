// Gather rows: y[b, i, :] = scale * x[b, picks[i], :]. The rows are the positions that a head scores, the rows of a low-rank
// factor, or the heads of fused queries, keys and values.
// Dispatch: one thread per element of y, 64 per workgroup, workgroups folded over x and y.

struct Params {
    branches: u32,
    x_start: u32, // first element of x
    x_branch: u32, // elements between branches of x
    count: u32, // rows of y per branch
    width: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [branch, row, width]
@group(0) @binding(2) var<storage, read> picks: array<u32>; // [count]
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [branch, count, width]

//#use linear

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    let row = i / params.width;
    let branch = row / params.count;
    if (branch >= params.branches) {
        return;
    }
    let source = params.x_start + branch * params.x_branch + picks[row % params.count] * params.width;
    y[i] = params.scale * x[source + i % params.width];
}
