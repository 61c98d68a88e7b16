// Materialise: reads stored weights once, applies the pending updates to them, and writes what each branch sees.
//   w    = w * decay + c * z(update key)       for each pending update, written back
//   w_b  = w + sign_b * eps * z(key_b)         for each branch b
// Dispatch: one thread a quad, 64 a workgroup, workgroups folded over x and y.

struct Params {
    quads: u32,
    first_stored: u32, // quad of the storage's binding where this range begins
    first_quad: u32, // index in its tensor of the range's first quad
    ordinal: u32, // of the tensor, in the model's canonical order
    branches: u32, // 0: only the updates are applied
    branch_stride: u32, // quads from one branch's weights to the next's
    decays: u32, // 1: weight decay applies to this tensor
}

@group(0) @binding(0) var<uniform> params: Params;
// binding 1: the step (lib/perturb), 2: the stored weights (@storage), 4: counters (@counter, packed)
@group(0) @binding(3) var<storage, read_write> weights: array<vec4<f32>>; // [branch, branch_stride]

//#use linear
//#use perturb
//#use @storage
//#use @counter

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    if (i >= params.quads) {
        return;
    }
    let counter = counter_of(i);
    let w = updated(load_quad(params.first_stored + i), counter, params.decays);
    if (step_.updates > 0u) {
        store_quad(params.first_stored + i, w);
    }
    var added = vec4<f32>();
    for (var b = 0u; b < params.branches; b++) {
        added = perturbation(b, counter, added);
        weights[b * params.branch_stride + i] = w + added;
    }
}
