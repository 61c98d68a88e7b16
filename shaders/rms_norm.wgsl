// RMS norm: y[i] (+)= x[i] / sqrt(mean of squares + epsilon) * (weight[i] + weight_offset), with the mean over `width` columns.
// Every token has `heads` adjacent vectors of `width` columns, starting at `column`. Each is normalized separately, with the same
// weight.
// Dispatch: 16 threads per vector, 4 vectors per workgroup, workgroups folded over x and y.
//   @place: `vectors`, and the input and output of the norm: norm_copy, norm_in_place or norm_add

struct Params {
    rows: u32, // branch * token * head
    rows_per_branch: u32, // token * head
    width: u32,
    weight: u32, // offset in vectors
    vector_stride: u32,
    epsilon: f32,
    weight_offset: f32, // 0, or 1 if the weight is stored as its difference from 1
    heads: u32,
    stride: u32, // of a token
    column: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

//#use linear
//#use @place
//#use vector
//#use row_sum

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let own_row = linear_group(group, groups) * ROWS + local / THREADS;
    let row = min(own_row, params.rows - 1u);
    let lane = local % THREADS;
    let branch = row / params.rows_per_branch;
    let first = row / params.heads * params.stride + params.column + row % params.heads * params.width;

    var squares = 0.0;
    for (var i = lane; i < params.width; i += THREADS) {
        let value = load(first + i);
        squares += value * value;
    }
    let mean = row_sum(local, squares) / f32(params.width);

    if (own_row >= params.rows) {
        return;
    }
    let scale = 1.0 / sqrt(mean + params.epsilon);
    for (var i = lane; i < params.width; i += THREADS) {
        let weight = vector_at(branch, params.weight, i) + params.weight_offset;
        store(first + i, load(first + i) * scale * weight);
    }
}
