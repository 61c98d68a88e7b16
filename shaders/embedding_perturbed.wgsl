// Perturbed embedding: y[b, t, :] = scale * w_b[ids[t], :], or += if `accumulate` is 1. w_b is the table as branch b sees it: this
// kernel applies the pending updates (which materialize writes back later) and the branch's perturbation.
// Rows outside [first_row, first_row + rows) belong to another part of the table; their outputs are not changed.
// Dispatch: one thread for each vec4 of the table that overlaps a row, 64 per workgroup, workgroups folded over x and y.

struct Params {
    tokens: u32,
    width: u32,
    branches: u32,
    ordinal: u32,
    decays: u32,
    first_row: u32,
    rows: u32,
    accumulate: u32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ids: array<u32>; // [token] rows of the table
// binding 2: the part of the stored table (@storage), 3: the step parameters (lib/perturb)
@group(0) @binding(4) var<storage, read_write> y: array<f32>; // [branch, token, width]

//#use linear
//#use perturb
//#use @storage

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    // A row that starts within a vec4 overlaps one more.
    let vec4s = select((params.width + 6u) / 4u, params.width / 4u, params.width % 4u == 0u);
    let row = i / vec4s;
    if (row >= params.branches * params.tokens) {
        return;
    }
    let id = ids[row % params.tokens];
    if (id < params.first_row || id - params.first_row >= params.rows) {
        return;
    }
    let first = id * params.width; // element of the table
    let index = first / 4u + i % vec4s;
    let counter = vec2<u32>(index, params.ordinal);
    var w = updated(load_vec4(index - params.first_row * params.width / 4u), counter, params.decays);
    let branch = step_.branches[row / params.tokens];
    if (branch.perturbed != 0u) {
        w += flip(direction(branch.key, counter, 0u), branch.sign);
    }
    w *= params.scale;
    for (var lane = 0u; lane < 4u; lane++) {
        // Before the first element of the row, this wraps around to a column beyond the row's end.
        let column = index * 4u + lane - first;
        if (column < params.width) {
            let at = row * params.width + column;
            if (params.accumulate == 1u) {
                y[at] += w[lane];
            } else {
                y[at] = w[lane];
            }
        }
    }
}
