// Gated linear unit (SwiGLU if activate is SiLU): y[r, c] = activate(x[r, c]) * x[r, width + c]. x is a fused projection: each of
// its rows has the gate, followed by the value.
// Dispatch: one thread per element of y, 64 per workgroup, workgroups folded over x and y.

struct Params {
    rows: u32, // branch * token
    width: u32, // of y
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [branch, token, 2 * width]
@group(0) @binding(2) var<storage, read_write> y: array<f32>; // [branch, token, width]

//#use linear
//#use @activate

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    let row = i / params.width;
    if (row >= params.rows) {
        return;
    }
    let gate = row * 2u * params.width + i % params.width;
    y[i] = activate(x[gate]) * x[gate + params.width];
}
