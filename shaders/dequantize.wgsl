// Dequantize: frozen weights as every branch sees them, `quads` quads from `first_stored` on, to the scratch.
// Dispatch: one thread a quad, in panels also one for each quad of the rows that fill up the last, 64 a workgroup, workgroups folded
// over x and y.

struct Params {
    quads: u32,
    first_stored: u32, // quad of the storage's binding where the range begins
    branch_stride: u32, // of no account: there is one copy
    across: u32, // quads of a row, where panels are written
}

@group(0) @binding(0) var<uniform> params: Params;
// binding 1: the scratch (@layout), 2: the stored weights (@storage)

//#use linear
//#use threefry
//#use @storage
//#use @layout

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    let quad = quad_of(i);
    if (quad < params.quads) {
        put(0u, i, load_quad(params.first_stored + quad));
    }
}
