// Provider @tile: 16 x 16 outputs per thread, in registers, for panels with four k at a time. A thread loads 8 of its rows and 8 of
// its columns; its neighbors in the quad load the others.

//#use quads

// No thread returns early. Beyond the end, the last rows and columns are loaded again but not stored.
fn make_tile(group: vec3<u32>, local: vec3<u32>) {
    let at = place_of(local.x);
    // The rows and columns that the thread loads. The indices of the others differ in one bit.
    let row = (group.y * GROUP_Y + at.y) * 16u + at.x % 2u * 8u;
    let column = (group.x * GROUP_X + at.x) * 16u + at.y % 2u * 8u;
    let b = group.z;
    let last_row = (params.rows - 1u) / 4u * 4u;
    let last_column = (params.columns - 1u) / 4u * 4u;
    let a_at0 = a_start(b, min(row, last_row));
    let a_at1 = a_start(b, min(row + 4u, last_row));
    let w_at0 = w_start(b, min(column, last_column));
    let w_at1 = w_start(b, min(column + 4u, last_column));
    var c00 = mat4x4<f32>();
    var c01 = mat4x4<f32>();
    var c02 = mat4x4<f32>();
    var c03 = mat4x4<f32>();
    var c10 = mat4x4<f32>();
    var c11 = mat4x4<f32>();
    var c12 = mat4x4<f32>();
    var c13 = mat4x4<f32>();
    var c20 = mat4x4<f32>();
    var c21 = mat4x4<f32>();
    var c22 = mat4x4<f32>();
    var c23 = mat4x4<f32>();
    var c30 = mat4x4<f32>();
    var c31 = mat4x4<f32>();
    var c32 = mat4x4<f32>();
    var c33 = mat4x4<f32>();
    for (var k = 0u; k < params.depth; k += K_STEP) {
        let a0 = load_a(a_at0, k);
        let a1 = load_a(a_at1, k);
        let a2 = from_row(a0);
        let a3 = from_row(a1);
        let w0 = load_w(w_at0, k);
        let w1 = load_w(w_at1, k);
        let w2 = from_column(w0);
        let w3 = from_column(w1);
        c00 += product(a0, w0);
        c01 += product(a0, w1);
        c02 += product(a0, w2);
        c03 += product(a0, w3);
        c10 += product(a1, w0);
        c11 += product(a1, w1);
        c12 += product(a1, w2);
        c13 += product(a1, w3);
        c20 += product(a2, w0);
        c21 += product(a2, w1);
        c22 += product(a2, w2);
        c23 += product(a2, w3);
        c30 += product(a3, w0);
        c31 += product(a3, w1);
        c32 += product(a3, w2);
        c33 += product(a3, w3);
    }
    var blocks = array<mat4x4<f32>, 16>(
        c00, c01, c02, c03,
        c10, c11, c12, c13,
        c20, c21, c22, c23,
        c30, c31, c32, c33,
    );
    for (var i = 0u; i < 16u; i++) {
        store_block(b, (row ^ (i / 8u * 8u)) + i / 4u % 2u * 4u, (column ^ (i / 2u % 2u * 8u)) + i % 2u * 4u, blocks[i]);
    }
}
