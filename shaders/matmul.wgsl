// Matmul with bias: c[b, r, n] (+)= sum_k a[b, r, k] * w[b, n, k] + bias[b, n]; the weights row-major, as a Linear layer has them.
// Each thread holds 4 x 4 outputs in registers and walks k by quads. Accumulates in f32.
// Dispatch: a workgroup of 8 x 8 threads makes 32 x 32 outputs; x: columns, y: rows, z: branch.

struct Params {
    rows: u32, // of a and c in each branch
    columns: u32, // of c = rows of w
    depth: u32, // k
    a_stride: u32, // elements between rows of a
    a_branch: u32, // elements between branches of a
    w_start: u32, // first element of w
    w_branch: u32, // elements between branches of w; 0: all share one
    c_stride: u32, // elements between rows of c
    c_column: u32, // first column of c
    bias: u32, // offset in vectors, or 0xffffffff
    vector_stride: u32,
    added: f32, // not 0: this times the result is added to c; 0: written over it
}

@group(0) @binding(0) var<uniform> params: Params;
// bindings 1, 2: a and w (@rows)
@group(0) @binding(3) var<storage, read> vectors: array<f32>; // [branch, vector_stride]
@group(0) @binding(4) var<storage, read_write> c: array<f32>; // [branch, row, c_stride]

//#use @rows

fn store_row(b: u32, row: u32, column: u32, values: vec4<f32>) {
    if (row >= params.rows) {
        return;
    }
    let start = (b * params.rows + row) * params.c_stride + params.c_column;
    for (var j = 0u; j < 4u; j++) {
        if (column + j < params.columns) {
            var value = values[j];
            if (params.bias != 0xffffffffu) {
                value += vectors[b * params.vector_stride + params.bias + column + j];
            }
            if (params.added != 0.0) {
                value = c[start + column + j] + params.added * value;
            }
            c[start + column + j] = value;
        }
    }
}

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = id.x * 4u;
    let row = id.y * 4u;
    let b = id.z;
    if (column >= params.columns || row >= params.rows) {
        return;
    }
    // Rows and columns beyond the end repeat the last: they are loaded, and not stored.
    let rows = min(vec4<u32>(row, row + 1u, row + 2u, row + 3u), vec4<u32>(params.rows - 1u));
    let columns = min(vec4<u32>(column, column + 1u, column + 2u, column + 3u), vec4<u32>(params.columns - 1u));
    let a_at = vec4<u32>(b * params.a_branch) + rows * params.a_stride;
    let w_at = vec4<u32>(params.w_start + b * params.w_branch) + columns * params.depth;
    var c0 = vec4<f32>();
    var c1 = vec4<f32>();
    var c2 = vec4<f32>();
    var c3 = vec4<f32>();
    for (var k = 0u; k < params.depth; k += 4u) {
        let w0 = load_w4(w_at.x, k);
        let w1 = load_w4(w_at.y, k);
        let w2 = load_w4(w_at.z, k);
        let w3 = load_w4(w_at.w, k);
        let a0 = load_a4(a_at.x, k);
        c0 += vec4<f32>(dot(a0, w0), dot(a0, w1), dot(a0, w2), dot(a0, w3));
        let a1 = load_a4(a_at.y, k);
        c1 += vec4<f32>(dot(a1, w0), dot(a1, w1), dot(a1, w2), dot(a1, w3));
        let a2 = load_a4(a_at.z, k);
        c2 += vec4<f32>(dot(a2, w0), dot(a2, w1), dot(a2, w2), dot(a2, w3));
        let a3 = load_a4(a_at.w, k);
        c3 += vec4<f32>(dot(a3, w0), dot(a3, w1), dot(a3, w2), dot(a3, w3));
    }
    store_row(b, row, column, c0);
    store_row(b, row + 1u, column, c1);
    store_row(b, row + 2u, column, c2);
    store_row(b, row + 3u, column, c3);
}
