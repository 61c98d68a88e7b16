// Embedding: looks up rows of a stored table, y[b, t, :] = scale * w[ids[t], :], or += if `accumulate` is 1.
// Rows outside [first_row, first_row + rows) belong to another part of the table; their outputs are not changed.
// Dispatch: one thread per element, 64 per workgroup, workgroups folded over x and y.

struct Params {
    tokens: u32,
    width: u32,
    branches: u32,
    first_row: u32,
    rows: u32,
    accumulate: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ids: array<u32>; // [token] rows of the table
// binding 2: the part of the stored table (@storage)
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [branch, token, width]

//#use linear
//#use threefry
//#use @storage

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    if (i >= params.branches * params.tokens * params.width) {
        return;
    }
    let id = ids[i / params.width % params.tokens];
    if (id < params.first_row || id - params.first_row >= params.rows) {
        return;
    }
    let element = (id - params.first_row) * params.width + i % params.width;
    let w = params.scale * load_vec4(element / 4u)[element % 4u];
    if (params.accumulate == 1u) {
        y[i] += w;
    } else {
        y[i] = w;
    }
}
