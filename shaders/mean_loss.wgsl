// Mean loss of each branch: mean[b] = (sum over n of loss[b, n]) / count, always added in the same order.
// Dispatch: one workgroup per branch.

const WORKGROUP: u32 = 64u;

struct Params {
    count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> loss: array<f32>; // [branch, count]
@group(0) @binding(2) var<storage, read_write> mean: array<f32>; // [branch]

//#use workgroup_sum

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    var own = 0.0;
    for (var i = local; i < params.count; i += WORKGROUP) {
        own += loss[group.x * params.count + i];
    }
    let sum = workgroup_sum(local, own);
    if (local == 0u) {
        mean[group.x] = sum / f32(params.count);
    }
}
