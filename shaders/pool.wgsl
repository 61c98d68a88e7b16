// Pooling: y[b, s, c] = mean over the rows r in ranges[s, 0] .. ranges[s, 1] of x[b, r, c]. The rows are the tokens that represent
// a sequence: all tokens, or a single one such as the first or the last.
// Dispatch: one thread per element of y, 64 per workgroup, workgroups folded over x and y.

struct Params {
    branches: u32,
    x_branch: u32, // elements between branches of x
    count: u32, // rows of y per branch
    width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [branch, row, width]
@group(0) @binding(2) var<storage, read> ranges: array<u32>; // [count] x 2: first row, and the row after the last
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [branch, count, width]

//#use linear

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    let branch = i / params.width / params.count;
    if (branch >= params.branches) {
        return;
    }
    let sequence = i / params.width % params.count;
    let start = branch * params.x_branch + i % params.width;
    let first = ranges[2u * sequence];
    let end = ranges[2u * sequence + 1u];
    var sum = 0.0;
    for (var row = first; row < end; row++) {
        sum += x[start + row * params.width];
    }
    y[i] = sum / f32(end - first);
}
