// Softcap of logits: x[i] = cap * tanh(x[i] / cap), in place, so that no logit exceeds cap (Gemma 2, arXiv 2408.00118).
// Dispatch: one thread per element, 64 per workgroup, workgroups folded over x and y.

struct Params {
    count: u32,
    cap: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>; // [branch, target, token of the vocabulary]

//#use linear
//#use softcap

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    if (i < params.count) {
        x[i] = softcap(vec4<f32>(x[i]), params.cap).x;
    }
}
