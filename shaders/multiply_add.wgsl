// Multiply and add, without memory traffic: the peak rate that a matmul is compared with.
//   y[i] = the sum of 64 accumulators after `rounds` rounds of c = c * x + z
// Dispatch: one thread per element of y, 64 per workgroup.

struct Params {
    rounds: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>; // [2]: x and z
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn advance(c: mat4x4<f32>, x: vec4<f32>, z: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(c[0] * x + z, c[1] * x + z, c[2] * x + z, c[3] * x + z);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let factor = x[0];
    let z = x[1];
    let first = f32(id.x % 16u);
    var c0 = mat4x4<f32>(vec4(first), vec4(first + 1.0), vec4(first + 2.0), vec4(first + 3.0));
    var c1 = 2.0 * c0;
    var c2 = 3.0 * c0;
    var c3 = 4.0 * c0;
    for (var i = 0u; i < params.rounds; i++) {
        c0 = advance(c0, factor, z);
        c1 = advance(c1, factor, z);
        c2 = advance(c2, factor, z);
        c3 = advance(c3, factor, z);
    }
    let sums = (c0 + c1 + c2 + c3) * vec4<f32>(1.0); // over the columns
    y[id.x] = dot(sums, vec4<f32>(1.0));
}
