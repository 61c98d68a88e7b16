// Provider @tile: the threads of a workgroup copy STEP vec4s of each of its rows and columns to workgroup memory and multiply them
// in registers. While they multiply, they load the next vec4s. For GPUs with dedicated workgroup memory.
//   @block: the outputs of a thread, and their position in the tile
//   @number: the type in which it computes
// No local variable is indexed dynamically: if a compiler does not unroll the loop, it cannot keep an indexed array in registers.

//#use @number

const TILE_ROWS: u32 = GROUP_Y * BLOCK_ROWS;
const TILE_COLUMNS: u32 = GROUP_X * BLOCK_COLUMNS;
// Vec4s between rows. It is odd, so that the threads of a subgroup read from different banks.
const PITCH: u32 = STEP + 1u;
const LOADERS: u32 = GROUP_X * GROUP_Y;
const A_LOADS: u32 = TILE_ROWS * STEP / LOADERS;
const W_LOADS: u32 = TILE_COLUMNS * STEP / LOADERS;

// [row, then column][k / 4]. Rows r, r + 4, r + 8, .. are adjacent, and so are columns.
var<workgroup> staged: array<vec4<Number>, (TILE_ROWS + TILE_COLUMNS) * PITCH>;

//#use @block

//#use loads

// The position of the index-th vec4 among `rows` rows.
fn place(rows: u32, index: u32) -> u32 {
    let row = index / STEP;
    return (row % 4u * (rows / 4u) + row / 4u) * PITCH + index % STEP;
}

fn stage(at: u32, rows: u32, loads: u32, thread: u32, x: Loads) {
    staged[at + place(rows, thread)] = vec4<Number>(x.x0);
    if (loads > 1u) { staged[at + place(rows, thread + LOADERS)] = vec4<Number>(x.x1); }
    if (loads > 2u) { staged[at + place(rows, thread + 2u * LOADERS)] = vec4<Number>(x.x2); }
    if (loads > 3u) { staged[at + place(rows, thread + 3u * LOADERS)] = vec4<Number>(x.x3); }
}

// Four k of four rows: rows first, first + rows / 4, ..
fn operand(first: u32, rows: u32) -> mat4x4<Number> {
    let next = rows / 4u * PITCH;
    return mat4x4<Number>(staged[first], staged[first + next], staged[first + 2u * next], staged[first + 3u * next]);
}

// Adds the products of four k to a block of 4 x 4: c[row] += sum over k of a[row][k] * w[k].
fn advance(c: mat4x4<Number>, a: mat4x4<Number>, w: mat4x4<Number>) -> mat4x4<Number> {
    return mat4x4<Number>(
        advance_row(c[0], a[0], w),
        advance_row(c[1], a[1], w),
        advance_row(c[2], a[2], w),
        advance_row(c[3], a[3], w),
    );
}

fn advance_row(c: vec4<Number>, a: vec4<Number>, w: mat4x4<Number>) -> vec4<Number> {
    return fma(a.wwww, w[3], fma(a.zzzz, w[2], fma(a.yyyy, w[1], fma(a.xxxx, w[0], c))));
}

fn widen(x: mat4x4<Number>) -> mat4x4<f32> {
    return mat4x4<f32>(vec4<f32>(x[0]), vec4<f32>(x[1]), vec4<f32>(x[2]), vec4<f32>(x[3]));
}

fn make_tile(group: vec3<u32>, local: vec3<u32>) {
    let thread = local.y * GROUP_X + local.x;
    let first_row = group.y * TILE_ROWS;
    let first_column = group.x * TILE_COLUMNS;
    let b = group.z;
    let own = fours_of(thread);
    let a_at = own.y * PITCH;
    let w_at = (TILE_ROWS + own.x) * PITCH;
    var block = Block(); // in the type in which the tile computes
    var total = Totals();
    var a_loads = loads_a(b, first_row, 0u, thread);
    var w_loads = loads_w(b, first_column, 0u, thread);
    for (var k = 0u; k < params.depth; k += 4u * STEP) {
        stage(0u, TILE_ROWS, A_LOADS, thread, a_loads);
        stage(TILE_ROWS * PITCH, TILE_COLUMNS, W_LOADS, thread, w_loads);
        workgroupBarrier();
        a_loads = loads_a(b, first_row, k + 4u * STEP, thread);
        w_loads = loads_w(b, first_column, k + 4u * STEP, thread);
        for (var i = 0u; i < STEP; i++) {
            block = multiply(block, a_at + i, w_at + i);
        }
        if (SHORT_SUMS) {
            total = added(total, block);
            block = Block();
        }
        workgroupBarrier();
    }
    total = added(total, block);
    store_totals(total, b, first_row + own.y * 4u, first_column + own.x * 4u);
}
