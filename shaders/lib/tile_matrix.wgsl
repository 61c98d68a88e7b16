// Provider @tile: 32 x 32 outputs per subgroup of 32 threads on the GPU's matrix units, as 16 x 16 cooperative matrices with f16
// products and f32 sums. The threads load the next k from memory while the matrix units multiply. (The extension is wgpu's, for
// Vulkan.)
//   SUBGROUPS_DOWN, SUBGROUPS_ACROSS: the subgroups of a workgroup; STEP: the number of vec4s of each row to load at a time

enable wgpu_cooperative_matrix;
//#use @number

alias MatrixA = coop_mat16x16<f16, A>;
alias MatrixB = coop_mat16x16<f16, B>;
alias MatrixC = coop_mat16x16<f32, C>;

const SUBGROUP: u32 = 32u;
const SUBGROUPS: u32 = SUBGROUPS_DOWN * SUBGROUPS_ACROSS;
const TILE_ROWS: u32 = SUBGROUPS_DOWN * 32u;
const TILE_COLUMNS: u32 = SUBGROUPS_ACROSS * 32u;
const PITCH: u32 = STEP + 2u; // vec4s between rows: whole 16 bytes, and few bank conflicts
const LOADERS: u32 = GROUP_X * GROUP_Y;
const A_LOADS: u32 = TILE_ROWS * STEP / LOADERS;
const W_LOADS: u32 = TILE_COLUMNS * STEP / LOADERS;
const WRITERS: u32 = 4u; // number of subgroups that write their results at the same time

var<workgroup> staged: array<vec4<f16>, (TILE_ROWS + TILE_COLUMNS) * PITCH>; // [row, then column][k / 4]
var<workgroup> results: array<f32, WRITERS * 256u>; // [subgroup][row, column]

//#use loads

fn place(index: u32) -> u32 {
    return index / STEP * PITCH + index % STEP;
}

fn stage(at: u32, loads: u32, thread: u32, x: Loads) {
    staged[at + place(thread)] = vec4<f16>(x.x0);
    if (loads > 1u) { staged[at + place(thread + LOADERS)] = vec4<f16>(x.x1); }
    if (loads > 2u) { staged[at + place(thread + 2u * LOADERS)] = vec4<f16>(x.x2); }
    if (loads > 3u) { staged[at + place(thread + 3u * LOADERS)] = vec4<f16>(x.x3); }
}

fn four_results(at: u32) -> vec4<f32> {
    return vec4<f32>(results[at], results[at + 1u], results[at + 2u], results[at + 3u]);
}

// Stores the 16 x 16 outputs at (row, column) of each subgroup. Each of 16 threads stores 4 x 4.
fn store_matrix(c: MatrixC, b: u32, row: u32, column: u32, thread: u32) {
    let subgroup = thread / SUBGROUP;
    let lane = thread % SUBGROUP;
    let at = subgroup % WRITERS * 256u;
    for (var first = 0u; first < SUBGROUPS; first += WRITERS) {
        let own = subgroup / WRITERS * WRITERS == first;
        workgroupBarrier();
        if (own) { coopStoreT(c, &results[at], 16u); }
        workgroupBarrier();
        if (own && lane < 16u) {
            let r = lane / 4u * 4u;
            let k = lane % 4u * 4u;
            let source = at + r * 16u + k;
            store_block(b, row + r, column + k, mat4x4<f32>(
                four_results(source), four_results(source + 16u), four_results(source + 32u), four_results(source + 48u)));
        }
    }
}

fn make_tile(group: vec3<u32>, local: vec3<u32>) {
    let thread = local.y * GROUP_X + local.x;
    let subgroup = thread / SUBGROUP;
    let first_row = group.y * TILE_ROWS;
    let first_column = group.x * TILE_COLUMNS;
    let b = group.z;
    let row = subgroup / SUBGROUPS_ACROSS * 32u;
    let column = subgroup % SUBGROUPS_ACROSS * 32u;
    let a_at = row * PITCH;
    let w_at = (TILE_ROWS + column) * PITCH;
    var c00 = MatrixC();
    var c01 = MatrixC();
    var c10 = MatrixC();
    var c11 = MatrixC();
    var a_loads = loads_a(b, first_row, 0u, thread);
    var w_loads = loads_w(b, first_column, 0u, thread);
    for (var k = 0u; k < params.depth; k += 4u * STEP) {
        stage(0u, A_LOADS, thread, a_loads);
        stage(TILE_ROWS * PITCH, W_LOADS, thread, w_loads);
        workgroupBarrier();
        a_loads = loads_a(b, first_row, k + 4u * STEP, thread);
        w_loads = loads_w(b, first_column, k + 4u * STEP, thread);
        for (var i = 0u; i < STEP; i += 4u) {
            let a0 = coopLoadT<MatrixA>(&staged[a_at + i], PITCH);
            let a1 = coopLoadT<MatrixA>(&staged[a_at + 16u * PITCH + i], PITCH);
            let w0 = coopLoad<MatrixB>(&staged[w_at + i], PITCH);
            let w1 = coopLoad<MatrixB>(&staged[w_at + 16u * PITCH + i], PITCH);
            c00 = coopMultiplyAdd(a0, w0, c00);
            c01 = coopMultiplyAdd(a0, w1, c01);
            c10 = coopMultiplyAdd(a1, w0, c10);
            c11 = coopMultiplyAdd(a1, w1, c11);
        }
        workgroupBarrier();
    }
    store_matrix(c00, b, first_row + row, first_column + column, thread);
    store_matrix(c01, b, first_row + row, first_column + column + 16u, thread);
    store_matrix(c10, b, first_row + row + 16u, first_column + column, thread);
    store_matrix(c11, b, first_row + row + 16u, first_column + column + 16u, thread);
}
