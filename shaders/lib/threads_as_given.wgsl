// Provider @threads: the entry point for a tile whose threads exchange nothing within a subgroup.

@compute @workgroup_size(GROUP_X, GROUP_Y)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    make_tile(group, local);
}
