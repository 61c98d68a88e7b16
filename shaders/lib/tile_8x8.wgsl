// Provider @tile: 8 x 8 outputs per thread, in registers, without workgroup memory.

fn make_tile(group: vec3<u32>, local: vec3<u32>) {
    let row = (group.y * GROUP_Y + local.y) * 8u;
    let column = (group.x * GROUP_X + local.x) * 8u;
    let b = group.z;
    if (row >= params.rows || column >= params.columns) {
        return;
    }
    let a_at0 = a_start(b, row);
    let a_at1 = a_start(b, row + 4u);
    let w_at0 = w_start(b, column);
    let w_at1 = w_start(b, column + 4u);
    var c00 = mat4x4<f32>();
    var c01 = mat4x4<f32>();
    var c10 = mat4x4<f32>();
    var c11 = mat4x4<f32>();
    for (var k = 0u; k < params.depth; k += K_STEP) {
        let a0 = load_a(a_at0, k);
        let a1 = load_a(a_at1, k);
        let w0 = load_w(w_at0, k);
        let w1 = load_w(w_at1, k);
        c00 += product(a0, w0);
        c01 += product(a0, w1);
        c10 += product(a1, w0);
        c11 += product(a1, w1);
    }
    var blocks = array<mat4x4<f32>, 4>(c00, c01, c10, c11);
    for (var i = 0u; i < 4u; i++) {
        store_block(b, row + i / 2u * 4u, column + i % 2u * 4u, blocks[i]);
    }
}
