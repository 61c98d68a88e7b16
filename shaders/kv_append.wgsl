// Appends the keys and values of new tokens to the cache: cache[first_row + r, c] = x[r, column + c] for c < width. x is the fused
// projection of queries, keys and values.
// Dispatch: one thread per copied element, 64 per workgroup, workgroups folded over x and y.

struct Params {
    rows: u32,
    width: u32, // of the cache's rows
    stride: u32, // of x's rows
    column: u32,
    first_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [rows, stride]
@group(0) @binding(2) var<storage, read_write> cache: array<f32>; // [capacity, width]

//#use linear

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    let row = i / params.width;
    if (row < params.rows) {
        cache[params.first_row * params.width + i] = x[row * params.stride + params.column + i % params.width];
    }
}
