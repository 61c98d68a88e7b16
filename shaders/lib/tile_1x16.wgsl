// Provider @tile: 16 columns of one row per thread, for few rows.

fn make_tile(group: vec3<u32>, local: vec3<u32>) {
    let row = group.y * GROUP_Y + local.y;
    let column = (group.x * GROUP_X + local.x) * 16u;
    let b = group.z;
    if (row >= params.rows || column >= params.columns) {
        return;
    }
    let a_at = a_start(b, row).x;
    let w_at0 = w_start(b, column);
    let w_at1 = w_start(b, column + 4u);
    let w_at2 = w_start(b, column + 8u);
    let w_at3 = w_start(b, column + 12u);
    var c0 = vec4<f32>();
    var c1 = vec4<f32>();
    var c2 = vec4<f32>();
    var c3 = vec4<f32>();
    for (var k = 0u; k < params.depth; k += K_STEP) {
        let x = load_a4(a_at + k, k);
        c0 += x * load_w(w_at0, k);
        c1 += x * load_w(w_at1, k);
        c2 += x * load_w(w_at2, k);
        c3 += x * load_w(w_at3, k);
    }
    var sums = array<vec4<f32>, 4>(c0, c1, c2, c3);
    for (var i = 0u; i < 4u && column + i * 4u < params.columns; i++) {
        store_row(b, row, column + i * 4u, sums[i] + bias_of(b, column + i * 4u));
    }
}
