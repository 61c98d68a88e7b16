// Provider @tile: 4 x 4 outputs per workgroup, whose threads split k, for few rows on a GPU that needs coalesced reads. GROUP_X is
// a power of two, and GROUP_Y is 1.

var<workgroup> partial: array<mat4x4<f32>, GROUP_X>;

fn make_tile(group: vec3<u32>, local: vec3<u32>) {
    let row = group.y * 4u;
    let column = group.x * 4u;
    let a_at = a_start(group.z, row);
    let w_at = w_start(group.z, column);
    var sums = mat4x4<f32>();
    for (var k = local.x * K_STEP; k < params.depth; k += GROUP_X * K_STEP) {
        sums += product(load_a(a_at, k), load_w(w_at, k));
    }
    partial[local.x] = sums;
    for (var half = GROUP_X / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local.x < half) {
            partial[local.x] += partial[local.x + half];
        }
    }
    if (local.x == 0u) {
        store_block(group.z, row, column, partial[0]);
    }
}
