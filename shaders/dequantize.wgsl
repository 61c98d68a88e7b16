// Dequantize: frozen weights as every branch sees them, `quads` quads from `first_stored` on, to the scratch.
// Dispatch: one thread a quad, 64 a workgroup, workgroups folded over x and y.

struct Params {
    quads: u32,
    first_stored: u32, // quad of the storage's binding where the range begins
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4<f32>>; // [quad]
// binding 2: the stored weights (@storage)

//#use linear
//#use threefry
//#use @storage

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    if (i < params.quads) {
        weights[i] = load_quad(params.first_stored + i);
    }
}
