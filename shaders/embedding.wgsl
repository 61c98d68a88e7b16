// Embedding: y[b, t, :] = w_b[ids[t], :], added to what y holds where `accumulate` is 1; w_b as branch b sees it,
// with the pending updates (which materialise writes later) and the branch's perturbation formed on the way.
// Rows outside of [first_row, first_row + rows) belong to another part of the table and are left alone.
// Dispatch: one thread an element, 64 a workgroup, workgroups folded over x and y.

struct Params {
    tokens: u32,
    width: u32,
    branches: u32,
    ordinal: u32,
    decays: u32,
    first_row: u32,
    rows: u32,
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// binding 1: the step (lib/perturb), 2: the stored table's part (@storage)
@group(0) @binding(3) var<storage, read> ids: array<u32>; // [token] rows of the table
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
    if (i >= params.branches * params.tokens * params.width) {
        return;
    }
    let row = i / params.width;
    let id = ids[row % params.tokens];
    if (id < params.first_row || id - params.first_row >= params.rows) {
        return;
    }
    let element = id * params.width + i % params.width;
    let lane = element % 4u;
    let counter = vec2<u32>(element / 4u, params.ordinal);
    let stored_quad = (element - params.first_row * params.width) / 4u;
    var w = updated(load_quad(stored_quad), counter, params.decays);
    let branch = step_.branches[row / params.tokens];
    if (branch.perturbed == 1u) {
        w += flip(direction(branch.key, counter, 0u), branch.sign);
    }
    if (params.accumulate == 1u) {
        y[i] += w[lane];
    } else {
        y[i] = w[lane];
    }
}
