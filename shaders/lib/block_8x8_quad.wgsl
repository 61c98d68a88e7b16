// Provider @block: a thread computes 8 x 8 outputs and loads half of the operands for them, four rows and four columns. The other
// half comes from its neighbors in the quad. In f32 only.

const BLOCK_ROWS: u32 = 8u;
const BLOCK_COLUMNS: u32 = 8u;

//#use quads

// The rows and columns that the thread loads come first.
struct Block {
    c00: mat4x4<f32>,
    c01: mat4x4<f32>,
    c10: mat4x4<f32>,
    c11: mat4x4<f32>,
}

alias Totals = Block;

// The four columns (x) and rows (y) that a thread loads, in units of four.
fn fours_of(thread: u32) -> vec2<u32> {
    let at = place_of(thread);
    return at + at.yx % 2u * vec2<u32>(GROUP_X, GROUP_Y);
}

fn multiply(block: Block, a_at: u32, w_at: u32) -> Block {
    let a0 = operand(a_at, TILE_ROWS);
    let a1 = from_row(a0);
    let own = operand(w_at, TILE_COLUMNS);
    let w0 = transpose(own);
    let c00 = advance(block.c00, a0, w0);
    let c10 = advance(block.c10, a1, w0);
    let w1 = transpose(from_column(own));
    return Block(c00, advance(block.c01, a0, w1), c10, advance(block.c11, a1, w1));
}

fn added(total: Totals, block: Block) -> Totals {
    return Totals(total.c00 + block.c00, total.c01 + block.c01, total.c10 + block.c10, total.c11 + block.c11);
}

// The tile starts at a multiple of TILE_ROWS and TILE_COLUMNS, which are powers of two.
fn store_totals(total: Totals, b: u32, row: u32, column: u32) {
    let next_row = row ^ (GROUP_Y * 4u);
    let next_column = column ^ (GROUP_X * 4u);
    store_block(b, row, column, total.c00);
    store_block(b, row, next_column, total.c01);
    store_block(b, next_row, column, total.c10);
    store_block(b, next_row, next_column, total.c11);
}
