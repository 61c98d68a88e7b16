// Dequantize: writes `vec4s` vec4s of frozen weights, starting at `first_stored`, to the scratch. All branches use the same copy.
// Dispatch: one thread per vec4, 64 per workgroup, as described in @layout.

struct Params {
    vec4s: u32,
    first_stored: u32, // first vec4 of the range in the storage binding
    branch_stride: u32, // unused, because there is only one copy
    across: u32, // vec4s per row, if panels are written
}

@group(0) @binding(0) var<uniform> params: Params;
// binding 1: the scratch (@layout), 2: the stored weights (@storage)

//#use threefry
//#use @storage
//#use @layout

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = vec4_index(group, groups, local);
    if (index < params.vec4s) {
        put(0u, group, groups, local, load_vec4(params.first_stored + index));
    }
}
