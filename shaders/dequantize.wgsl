// Dequantize: frozen weights as every branch sees them, `quads` quads from `first_stored` on, to the scratch.
// Dispatch: one thread a quad, 64 a workgroup, as @layout says.

struct Params {
    quads: u32,
    first_stored: u32, // quad of the storage's binding where the range begins
    branch_stride: u32, // of no account: there is one copy
    across: u32, // quads of a row, where panels are written
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
    let quad = quad_of(group, groups, local);
    if (quad < params.quads) {
        put(0u, group, groups, local, load_quad(params.first_stored + quad));
    }
}
