// Provider @tile: 32 x 8 outputs per thread, in registers, for subgroups of 8 whose threads exchange what they load. Each thread
// loads four rows of a and broadcasts them to the others, two k at a time. A workgroup is one subgroup, with its threads in order.
// (There is no `enable subgroups`, because naga cannot parse it yet.)

// Adds the contribution of two k to a block of 4 x 4: a's rows by w's columns.
fn add(c: mat4x4<f32>, a0: vec4<f32>, w0: vec4<f32>, a1: vec4<f32>, w1: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(
        c[0] + a0.x * w0 + a1.x * w1,
        c[1] + a0.y * w0 + a1.y * w1,
        c[2] + a0.z * w0 + a1.z * w1,
        c[3] + a0.w * w0 + a1.w * w1,
    );
}

// No thread returns early. Beyond the end, the last rows and columns are loaded again but not stored.
fn make_tile(group: vec3<u32>, local: vec3<u32>) {
    let first_row = group.y * 32u;
    let column = (group.x * GROUP_X + local.x) * 8u;
    let b = group.z;
    let last_row = (params.rows - 1u) / 4u * 4u;
    let last_column = (params.columns - 1u) / 4u * 4u;
    let a_at = a_start(b, min(first_row + local.x * 4u, last_row));
    let w_at0 = w_start(b, min(column, last_column));
    let w_at1 = w_start(b, min(column + 4u, last_column));
    var c00 = mat4x4<f32>();
    var c01 = mat4x4<f32>();
    var c10 = mat4x4<f32>();
    var c11 = mat4x4<f32>();
    var c20 = mat4x4<f32>();
    var c21 = mat4x4<f32>();
    var c30 = mat4x4<f32>();
    var c31 = mat4x4<f32>();
    var c40 = mat4x4<f32>();
    var c41 = mat4x4<f32>();
    var c50 = mat4x4<f32>();
    var c51 = mat4x4<f32>();
    var c60 = mat4x4<f32>();
    var c61 = mat4x4<f32>();
    var c70 = mat4x4<f32>();
    var c71 = mat4x4<f32>();
    for (var k = 0u; k < params.depth; k += 2u) {
        let a0 = load_a(a_at, k);
        let a1 = load_a(a_at, k + 1u);
        let w00 = load_w(w_at0, k);
        let w01 = load_w(w_at1, k);
        let w10 = load_w(w_at0, k + 1u);
        let w11 = load_w(w_at1, k + 1u);
        let a0_0 = subgroupBroadcast(a0, 0u);
        let a1_0 = subgroupBroadcast(a1, 0u);
        c00 = add(c00, a0_0, w00, a1_0, w10);
        c01 = add(c01, a0_0, w01, a1_0, w11);
        let a0_1 = subgroupBroadcast(a0, 1u);
        let a1_1 = subgroupBroadcast(a1, 1u);
        c10 = add(c10, a0_1, w00, a1_1, w10);
        c11 = add(c11, a0_1, w01, a1_1, w11);
        let a0_2 = subgroupBroadcast(a0, 2u);
        let a1_2 = subgroupBroadcast(a1, 2u);
        c20 = add(c20, a0_2, w00, a1_2, w10);
        c21 = add(c21, a0_2, w01, a1_2, w11);
        let a0_3 = subgroupBroadcast(a0, 3u);
        let a1_3 = subgroupBroadcast(a1, 3u);
        c30 = add(c30, a0_3, w00, a1_3, w10);
        c31 = add(c31, a0_3, w01, a1_3, w11);
        let a0_4 = subgroupBroadcast(a0, 4u);
        let a1_4 = subgroupBroadcast(a1, 4u);
        c40 = add(c40, a0_4, w00, a1_4, w10);
        c41 = add(c41, a0_4, w01, a1_4, w11);
        let a0_5 = subgroupBroadcast(a0, 5u);
        let a1_5 = subgroupBroadcast(a1, 5u);
        c50 = add(c50, a0_5, w00, a1_5, w10);
        c51 = add(c51, a0_5, w01, a1_5, w11);
        let a0_6 = subgroupBroadcast(a0, 6u);
        let a1_6 = subgroupBroadcast(a1, 6u);
        c60 = add(c60, a0_6, w00, a1_6, w10);
        c61 = add(c61, a0_6, w01, a1_6, w11);
        let a0_7 = subgroupBroadcast(a0, 7u);
        let a1_7 = subgroupBroadcast(a1, 7u);
        c70 = add(c70, a0_7, w00, a1_7, w10);
        c71 = add(c71, a0_7, w01, a1_7, w11);
    }
    var blocks = array<mat4x4<f32>, 16>(
        c00, c01,
        c10, c11,
        c20, c21,
        c30, c31,
        c40, c41,
        c50, c51,
        c60, c61,
        c70, c71,
    );
    for (var i = 0u; i < 16u; i++) {
        store_block(b, first_row + i / 2u * 4u, column + i % 2u * 4u, blocks[i]);
    }
}
