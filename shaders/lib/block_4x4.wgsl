// Provider @block: a thread computes 4 x 4 outputs.

const BLOCK_ROWS: u32 = 4u;
const BLOCK_COLUMNS: u32 = 4u;

//#use fours_in_rows

struct Block {
    c: mat4x4<Number>,
}

struct Totals {
    c: mat4x4<f32>,
}

fn multiply(block: Block, a_at: u32, w_at: u32) -> Block {
    let w = transpose(operand(w_at, TILE_COLUMNS));
    return Block(advance(block.c, operand(a_at, TILE_ROWS), w));
}

fn added(total: Totals, block: Block) -> Totals {
    return Totals(total.c + widen(block.c));
}

fn store_totals(total: Totals, b: u32, row: u32, column: u32) {
    store_block(b, row, column, total.c);
}
