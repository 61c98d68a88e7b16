// Rotary positions, in place, on the first `dim` columns of the first `heads` heads of each row.
// Pair i is column a = i * step with column b = a + apart: usually i with i + dim/2, in some models 2i with 2i + 1.
//   x[a] = x[a] cos - x[b] sin
//   x[b] = x[b] cos + x[a] sin
// The cos and sin of (position, i) come from a table that the host computes. Columns from `dim` on do not change.
// Dispatch: one thread per pair, 64 per workgroup, workgroups folded over x and y.

struct Params {
    rows: u32, // branch * token
    tokens: u32,
    stride: u32, // of a row of x
    heads: u32, // number of heads to rotate: the query heads and key heads, adjacent from column 0
    head_dim: u32,
    dim: u32, // even, at most head_dim
    step: u32, // from the first column of a pair to that of the next
    apart: u32, // from the first column of a pair to its second
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>; // [branch, token, stride]
@group(0) @binding(2) var<storage, read> table: array<vec2<f32>>; // [position, dim / 2] (cos, sin)
@group(0) @binding(3) var<storage, read> positions: array<u32>; // [token]: row of the table

//#use linear

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = linear_group(group, groups) * 64u + local;
    let pairs = params.dim / 2u;
    let pair = i % pairs;
    let head = (i / pairs) % params.heads;
    let row = i / (pairs * params.heads);
    if (row >= params.rows) {
        return;
    }
    let turn = table[positions[row % params.tokens] * pairs + pair];
    let first = row * params.stride + head * params.head_dim + pair * params.step;
    let second = first + params.apart;
    let a = x[first];
    let b = x[second];
    x[first] = a * turn.x - b * turn.y;
    x[second] = b * turn.x + a * turn.y;
}
