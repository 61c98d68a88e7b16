// Matmul with bias and activation: c[b, r, n] (+)= activate(sum_k a[b, r, k] * w[b, n, k] + bias[b, n]). The weights are row-major,
// as in a Linear layer. @tile divides the outputs among threads, @threads numbers the threads, @operands reads the operands. Sums
// are in f32, in an order that is fixed by the tile.
// Dispatch: a workgroup of GROUP_X x GROUP_Y threads, each with a tile of the outputs; x: columns, y: rows, z: branch.

struct Params {
    rows: u32, // of a and c in each branch
    columns: u32, // of c = rows of w
    depth: u32, // k
    a_stride: u32, // elements between rows of a
    a_branch: u32, // elements between branches of a
    w_start: u32, // first element of w
    w_branch: u32, // elements between branches of w; 0 if all branches share w
    c_stride: u32, // elements between rows of c
    c_column: u32, // first column of c
    bias: u32, // offset in vectors, or 0xffffffff if there is no bias
    vector_stride: u32,
    added: f32, // if 0, the result replaces c; otherwise, the result times this is added to c
}

@group(0) @binding(0) var<uniform> params: Params;
// bindings 1, 2: a and w (@operands)
@group(0) @binding(3) var<storage, read> vectors: array<f32>; // [branch, vector_stride]
@group(0) @binding(4) var<storage, read_write> c: array<f32>; // [branch, row, c_stride]

//#use @activate
//#use @operands
//#use @tile

fn store(at: u32, value: f32) {
    if (params.added == 0.0) {
        c[at] = value;
    } else {
        c[at] += params.added * value;
    }
}

// The bias of four columns. Values beyond the last column are undefined.
fn bias_of(b: u32, column: u32) -> vec4<f32> {
    if (params.bias == 0xffffffffu) {
        return vec4<f32>();
    }
    let at = b * params.vector_stride + params.bias + column;
    return vec4<f32>(vectors[at], vectors[at + 1u], vectors[at + 2u], vectors[at + 3u]);
}

// Stores four columns of a row, with the bias already added. Columns beyond the end are left out.
fn store_row(b: u32, row: u32, column: u32, sums: vec4<f32>) {
    if (row >= params.rows || column >= params.columns) {
        return;
    }
    let columns = params.columns - column;
    let at = (b * params.rows + row) * params.c_stride + params.c_column + column;
    store(at, activate(sums.x));
    if (columns > 1u) { store(at + 1u, activate(sums.y)); }
    if (columns > 2u) { store(at + 2u, activate(sums.z)); }
    if (columns > 3u) { store(at + 3u, activate(sums.w)); }
}

// Stores a block of 4 x 4 outputs, where sums[i] has four columns of row + i.
fn store_block(b: u32, row: u32, column: u32, sums: mat4x4<f32>) {
    let bias = bias_of(b, column);
    store_row(b, row, column, sums[0] + bias);
    store_row(b, row + 1u, column, sums[1] + bias);
    store_row(b, row + 2u, column, sums[2] + bias);
    store_row(b, row + 3u, column, sums[3] + bias);
}

//#use @threads
