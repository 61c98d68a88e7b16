// The gated short convolution of LFM2, a causal depthwise convolution: with rows of x = (b, c, v) of `width` columns each,
//   y[t, i] = c[t, i] * (bias[i] + sum over j < taps of weight[i, j] * (b v)[t - (taps - 1) + j, i])
// over the tokens that token t sees: those from spans[t].x on, so that a convolution does not reach into another sequence. If there
// is a cache, it has the products b v of the sequence's earlier tokens, and those of the new tokens are appended to it.
// Dispatch: one thread per element of y, 64 per workgroup, workgroups folded over x and y.

struct Params {
    rows: u32, // branch * token
    tokens: u32,
    width: u32,
    taps: u32,
    weight: u32, // offset in vectors
    bias: u32, // offset in vectors, or NO_BIAS
    vector_stride: u32,
    cached: u32, // tokens in the cache
    append: u32, // 1 if there is a cache
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>; // [branch, token, 3 * width]
@group(0) @binding(2) var<storage, read> spans: array<vec2<u32>>; // [token]: first and end of the tokens it sees, cached ones included
@group(0) @binding(3) var<storage, read> vectors: array<f32>; // [branch, vector_stride]
@group(0) @binding(4) var<storage, read_write> cache: array<f32>; // [capacity, width]
@group(0) @binding(5) var<storage, read_write> y: array<f32>; // [branch, token, width]

//#use linear
//#use vector

fn product(row: u32, column: u32) -> f32 {
    let first = row * 3u * params.width + column;
    return x[first] * x[first + 2u * params.width];
}

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
    let column = i % params.width;
    let branch = row / params.tokens;
    let token = row % params.tokens;
    let place = params.cached + token; // in the sequence with its cached tokens
    var sum = vector_or_zero(branch, params.bias, column);
    for (var j = 0u; j < params.taps; j++) {
        let back = params.taps - 1u - j;
        if (place < spans[token].x + back) {
            continue;
        }
        var value = 0.0;
        if (back <= token) {
            value = product(row - back, column);
        } else {
            value = cache[(place - back) * params.width + column];
        }
        sum += vector_at(branch, params.weight, column * params.taps + j) * value;
    }
    if (params.append == 1u) {
        cache[place * params.width + column] = product(row, column);
    }
    y[i] = x[row * 3u * params.width + params.width + column] * sum;
}
