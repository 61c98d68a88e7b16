// Cross-entropy over the full vocabulary, block by block. One dispatch reads the logits of the tokens first .. first + width and
// updates the state of each row, so that only one block of logits is in memory at a time:
//   maximum = max(maximum, m),  sum = sum exp(maximum before - maximum) + (sum over the block of exp(logit - maximum)).
// loss[r] = maximum + log(sum) - logit of the target; prediction[r] = the token with the largest logit, or the lowest such token if
// several are equal. Both are written by every dispatch and are valid after the last block.
// Dispatch: one workgroup per row, workgroups folded over x and y.

const WORKGROUP: u32 = 64u;

struct Params {
    rows: u32, // branch * target
    rows_per_branch: u32,
    width: u32, // of the block
    first: u32, // token of the block's column 0
    bias: u32, // offset of the vocabulary bias in vectors, or NO_BIAS
    vector_stride: u32,
    start: u32, // 1 in the first block, which resets the state
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>; // [branch, target, width]
@group(0) @binding(2) var<storage, read> vectors: array<f32>; // [branch, vector_stride]
@group(0) @binding(3) var<storage, read> targets: array<u32>; // [target]: the correct token
// [branch, target] (maximum, sum relative to it, target's logit, best token). Floats are stored as integers, because a small index
// stored as a float would be subnormal, and a GPU may flush it to 0.
@group(0) @binding(4) var<storage, read_write> state: array<vec4<u32>>;
@group(0) @binding(5) var<storage, read_write> loss: array<f32>; // [branch, target]
@group(0) @binding(6) var<storage, read_write> prediction: array<u32>; // [branch, target]

//#use linear
//#use vector
//#use workgroup_best
//#use workgroup_sum

fn logit(row: u32, i: u32) -> f32 {
    let bias = vector_or_zero(row / params.rows_per_branch, params.bias, params.first + i);
    return logits[row * params.width + i] + bias;
}

@compute @workgroup_size(WORKGROUP)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups);
    if (row >= params.rows) {
        return;
    }
    var own = NOTHING;
    for (var i = local; i < params.width; i += WORKGROUP) {
        own = better(own, Best(logit(row, i), params.first + i));
    }
    var best = workgroup_best(local, own);
    var own_sum = 0.0;
    for (var i = local; i < params.width; i += WORKGROUP) {
        own_sum += exp(logit(row, i) - best.value);
    }
    var sum = workgroup_sum(local, own_sum);
    if (local > 0u) {
        return;
    }
    var target_logit = 0.0;
    if (params.start == 0u) {
        let before = state[row];
        let maximum = bitcast<f32>(before.x);
        let larger = max(maximum, best.value);
        sum = bitcast<f32>(before.y) * exp(maximum - larger) + sum * exp(best.value - larger);
        target_logit = bitcast<f32>(before.z);
        if (maximum >= best.value) {
            best = Best(maximum, before.w);
        }
    }
    let column = targets[row % params.rows_per_branch] - params.first;
    if (column < params.width) {
        // For a token before the block, the subtraction wraps around to a column after the block.
        target_logit = logit(row, column);
    }
    state[row] = vec4<u32>(bitcast<u32>(best.value), bitcast<u32>(sum), bitcast<u32>(target_logit), best.index);
    loss[row] = (best.value - target_logit) + log(sum);
    prediction[row] = best.index;
}
