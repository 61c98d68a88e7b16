// Cross-entropy over a few label words. It adds the words' biases to the logits in place, for callers that read the logits, and computes
//   loss[r] = log(sum over l of exp(logits[r, l])) - logits[r, target],  prediction[r] = the l of the largest logit.
// Dispatch: one thread per row, 64 per workgroup, workgroups folded over x and y.

struct Params {
    rows: u32, // branch * target
    rows_per_branch: u32,
    labels: u32,
    bias: u32, // offset of the vocabulary bias in vectors, or NO_BIAS
    vector_stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> logits: array<f32>; // [branch, target, labels]
@group(0) @binding(2) var<storage, read> vectors: array<f32>; // [branch, vector_stride]
@group(0) @binding(3) var<storage, read> label_ids: array<u32>; // [labels]: each label word's token
@group(0) @binding(4) var<storage, read> targets: array<u32>; // [target]: the correct label
@group(0) @binding(5) var<storage, read_write> loss: array<f32>; // [branch, target]
@group(0) @binding(6) var<storage, read_write> prediction: array<u32>; // [branch, target]

//#use linear
//#use vector

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = linear_group(group, groups) * 64u + local;
    if (row >= params.rows) {
        return;
    }
    let branch = row / params.rows_per_branch;
    let first = row * params.labels;
    var largest = -3.0e38;
    var best = 0u;
    for (var l = 0u; l < params.labels; l++) {
        let logit = logits[first + l] + vector_or_zero(branch, params.bias, label_ids[l]);
        logits[first + l] = logit;
        if (logit > largest) {
            largest = logit;
            best = l;
        }
    }
    var sum = 0.0;
    for (var l = 0u; l < params.labels; l++) {
        sum += exp(logits[first + l] - largest);
    }
    loss[row] = (largest - logits[first + targets[row % params.rows_per_branch]]) + log(sum);
    prediction[row] = best;
}
