// Merge: adds the product of two factors to stored weights, w[r, c] += sum_j b[r, j] * a[j, c]. The terms are added in order of j,
// and each product and each sum is rounded once, so that every device gets the same bits.
// Dispatch: one thread per vec4, 64 per workgroup, workgroups folded over x and y.

struct Params {
    vec4s: u32,
    first_stored: u32, // first vec4 of the range in the storage binding
    first_vec4: u32, // index of the range's first vec4 in its tensor
    width: u32,
    rank: u32,
    a_start: u32, // first element of a, [rank, width]
    b_start: u32, // first element of b, [rows, rank]
    ordinal: u32, // of the tensor
    key_low: u32, // of the key for rounding weights that are narrower than f32
    key_high: u32,
    zero: u32, // always 0, but unknown to the compiler
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
// binding 2: the stored weights (@storage)
@group(0) @binding(3) var<storage, read> b: array<f32>;

//#use linear
//#use threefry
//#use @storage

// Forces the value to be rounded. The compiler cannot contract or reorder floating-point operations across this.
fn fence(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) ^ params.zero);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    if (i >= params.vec4s) {
        return;
    }
    let index = params.first_vec4 + i;
    var w = load_vec4(params.first_stored + i);
    for (var lane = 0u; lane < 4u; lane++) {
        let element = index * 4u + lane;
        let column = element % params.width;
        let row = params.b_start + element / params.width * params.rank;
        var sum = w[lane];
        for (var j = 0u; j < params.rank; j++) {
            let product = fence(b[row + j] * a[params.a_start + j * params.width + column]);
            sum = fence(sum + product);
        }
        w[lane] = sum;
    }
    let key = vec2<u32>(params.key_low, params.key_high);
    store_vec4(params.first_stored + i, rounded(w, key, vec2<u32>(index, params.ordinal)));
}
