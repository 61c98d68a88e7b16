// Provider @tile: 16 x 16 outputs per thread, in registers, without workgroup memory.

fn make_tile(group: vec3<u32>, local: vec3<u32>) {
    let row = (group.y * GROUP_Y + local.y) * 16u;
    let column = (group.x * GROUP_X + local.x) * 16u;
    let b = group.z;
    if (row >= params.rows || column >= params.columns) {
        return;
    }
    let a_at0 = a_start(b, row);
    let a_at1 = a_start(b, row + 4u);
    let a_at2 = a_start(b, row + 8u);
    let a_at3 = a_start(b, row + 12u);
    let w_at0 = w_start(b, column);
    let w_at1 = w_start(b, column + 4u);
    let w_at2 = w_start(b, column + 8u);
    let w_at3 = w_start(b, column + 12u);
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
        let a2 = load_a(a_at2, k);
        let a3 = load_a(a_at3, k);
        let w0 = load_w(w_at0, k);
        let w1 = load_w(w_at1, k);
        let w2 = load_w(w_at2, k);
        let w3 = load_w(w_at3, k);
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
        store_block(b, row + i / 4u * 4u, column + i % 4u * 4u, blocks[i]);
    }
}
