// Materialize: reads the stored weights once, applies the pending updates to them, and writes the weights that each branch sees.
//   w    = w * decay + c * z(update key)       for each pending update, written back
//   w_b  = w + sign_b * eps * z(key_b)         for each branch b
// Dispatch: one thread per vec4, 64 per workgroup, as described in @layout.

struct Params {
    vec4s: u32,
    first_stored: u32, // first vec4 of the range in the storage binding
    first_vec4: u32, // index of the range's first vec4 in its tensor
    ordinal: u32, // of the tensor, in the model's canonical order
    branches: u32, // with 0, only the updates are applied
    branch_stride: u32, // vec4s between the weights of two branches
    decays: u32, // 1 if weight decay applies to this tensor
    across: u32, // vec4s per row, if panels are written
}

@group(0) @binding(0) var<uniform> params: Params;
// binding 1: the branches' weights (@layout), 2: the stored weights (@storage), 3: the step parameters (lib/perturb), 4: counters
// (@counter, packed)

//#use perturb
//#use @storage
//#use @counter
//#use @layout

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = vec4_index(group, groups, local);
    if (index >= params.vec4s) {
        return;
    }
    let counter = counter_of(index);
    let w = updated(load_vec4(params.first_stored + index), counter, params.decays);
    if (step_.updates > 0u) {
        store_vec4(params.first_stored + index, w);
    }
    for (var b = 0u; b < params.branches;) {
        let added = perturbation(b, counter);
        // A loop, instead of an `if` that reuses the direction, because a software GPU runs both sides of an `if`.
        loop {
            put(b, group, groups, local, w + flip(added, step_.branches[b].sign));
            b++;
            if (b >= params.branches || !shares_direction(b)) {
                break;
            }
        }
    }
}
