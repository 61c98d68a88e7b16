// Provider @tile: 4 x 4 outputs per thread, in registers, without workgroup memory.

fn make_tile(group: vec3<u32>, local: vec3<u32>) {
    let row = (group.y * GROUP_Y + local.y) * 4u;
    let column = (group.x * GROUP_X + local.x) * 4u;
    let b = group.z;
    if (row >= params.rows || column >= params.columns) {
        return;
    }
    let a_at0 = a_start(b, row);
    let w_at0 = w_start(b, column);
    var c00 = mat4x4<f32>();
    for (var k = 0u; k < params.depth; k += K_STEP) {
        let a0 = load_a(a_at0, k);
        let w0 = load_w(w_at0, k);
        c00 += product(a0, w0);
    }
    store_block(b, row, column, c00);
}
