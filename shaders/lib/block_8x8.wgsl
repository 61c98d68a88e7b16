// Provider @block: a thread computes 8 x 8 outputs: two groups of four rows by two groups of four columns.

const BLOCK_ROWS: u32 = 8u;
const BLOCK_COLUMNS: u32 = 8u;

//#use fours_in_rows

struct Block {
    c00: mat4x4<Number>,
    c01: mat4x4<Number>,
    c10: mat4x4<Number>,
    c11: mat4x4<Number>,
}

struct Totals {
    c00: mat4x4<f32>,
    c01: mat4x4<f32>,
    c10: mat4x4<f32>,
    c11: mat4x4<f32>,
}

fn multiply(block: Block, a_at: u32, w_at: u32) -> Block {
    let a0 = operand(a_at, TILE_ROWS);
    let a1 = operand(a_at + GROUP_Y * PITCH, TILE_ROWS);
    let w0 = transpose(operand(w_at, TILE_COLUMNS));
    let c00 = advance(block.c00, a0, w0);
    let c10 = advance(block.c10, a1, w0);
    let w1 = transpose(operand(w_at + GROUP_X * PITCH, TILE_COLUMNS));
    return Block(c00, advance(block.c01, a0, w1), c10, advance(block.c11, a1, w1));
}

fn added(total: Totals, block: Block) -> Totals {
    return Totals(
        total.c00 + widen(block.c00),
        total.c01 + widen(block.c01),
        total.c10 + widen(block.c10),
        total.c11 + widen(block.c11),
    );
}

fn store_totals(total: Totals, b: u32, row: u32, column: u32) {
    let next_row = row + GROUP_Y * 4u;
    let next_column = column + GROUP_X * 4u;
    store_block(b, row, column, total.c00);
    store_block(b, row, next_column, total.c01);
    store_block(b, next_row, column, total.c10);
    store_block(b, next_row, next_column, total.c11);
}
