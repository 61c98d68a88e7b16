// Pooling: y[s, c] = mean over the rows r in firsts[s] .. ends[s] of x[r, c]. The rows are the tokens of a sequence that stand
// for all of it: all of them, the first or the last.
// Dispatch: one thread per element of y, 64 per workgroup, workgroups folded over x and y.

struct Params {
    count: u32, // rows of y
    width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [row, width]
@group(0) @binding(2) var<storage, read> firsts: array<u32>; // [count]
@group(0) @binding(3) var<storage, read> ends: array<u32>; // [count], each more than its first
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // [count, width]

//#use linear

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    let sequence = i / params.width;
    if (sequence >= params.count) {
        return;
    }
    let column = i % params.width;
    let first = firsts[sequence];
    let end = ends[sequence];
    var sum = 0.0;
    for (var row = first; row < end; row++) {
        sum += x[row * params.width + column];
    }
    y[i] = sum / f32(end - first);
}
