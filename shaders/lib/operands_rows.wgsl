// Part of @operands: row-major operands, four k at a time. An operand of a block is, for each of four rows, a vec4 along k.

const K_STEP: u32 = 4u;
alias Operand = mat4x4<f32>; // [row, k]
alias Start = vec4<u32>; // of four rows

// Rows beyond the end repeat the last row. They are loaded but not stored.
fn a_start(b: u32, row: u32) -> Start {
    let rows = min(vec4<u32>(row, row + 1u, row + 2u, row + 3u), vec4<u32>(params.rows - 1u));
    return vec4<u32>(b * params.a_branch) + rows * params.a_stride;
}

fn w_start(b: u32, column: u32) -> Start {
    let columns = min(vec4<u32>(column, column + 1u, column + 2u, column + 3u), vec4<u32>(params.columns - 1u));
    return vec4<u32>(params.w_start + b * params.w_branch) + columns * params.depth;
}

fn load_a(at: Start, k: u32) -> Operand {
    return mat4x4<f32>(load_a4(at.x + k, k), load_a4(at.y + k, k), load_a4(at.z + k, k), load_a4(at.w + k, k));
}

fn load_w(at: Start, k: u32) -> Operand {
    return mat4x4<f32>(load_w4(at.x + k, k), load_w4(at.y + k, k), load_w4(at.z + k, k), load_w4(at.w + k, k));
}

// The contribution of four k to a block: 16 dot products.
fn product(a: Operand, w: Operand) -> mat4x4<f32> {
    return mat4x4<f32>(a[0] * w, a[1] * w, a[2] * w, a[3] * w);
}
