// Layer norm: y[r, i] = (x[r, i] - mean) / sqrt(variance + epsilon) * weight[i] + bias[i], with mean and variance over the row. The
// variance is computed from differences from the mean, because computing it from a sum of squares would suffer from cancellation.
// Dispatch: 16 threads per row, 4 rows per workgroup, workgroups folded over x and y.

struct Params {
    rows: u32, // branch * token
    rows_per_branch: u32,
    width: u32,
    weight: u32, // offset in vectors, or NO_BIAS for 1
    bias: u32, // offset in vectors, or NO_BIAS
    vector_stride: u32,
    epsilon: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [branch, token, width]
@group(0) @binding(2) var<storage, read> vectors: array<f32>; // [branch, vector_stride]
@group(0) @binding(3) var<storage, read_write> y: array<f32>; // [branch, token, width]

//#use linear
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
    let first = row * params.width;

    var sum = 0.0;
    for (var i = lane; i < params.width; i += THREADS) {
        sum += x[first + i];
    }
    let mean = row_sum(local, sum) / f32(params.width);

    var squares = 0.0;
    for (var i = lane; i < params.width; i += THREADS) {
        let difference = x[first + i] - mean;
        squares += difference * difference;
    }
    let variance = row_sum(local, squares) / f32(params.width);

    if (own_row >= params.rows) {
        return;
    }
    let scale = 1.0 / sqrt(variance + params.epsilon);
    for (var i = lane; i < params.width; i += THREADS) {
        var weight = 1.0;
        if (params.weight != NO_BIAS) {
            weight = vector_at(branch, params.weight, i);
        }
        let bias = vector_or_zero(branch, params.bias, i);
        y[first + i] = (x[first + i] - mean) * scale * weight + bias;
    }
}
