// Operands in panels of 16 rows, in the layout of shaders/pack.wgsl. An operand of a block is one column of four rows, so that a
// single address suffices for four elements. This matters if loads are expensive.
@group(0) @binding(1) var<storage, read> a: array<vec4<f32>>; // [branch, row / 16, k, row % 16]
@group(0) @binding(2) var<storage, read> w: array<vec4<f32>>; // [branch, column / 16, k, column % 16]

alias Start = u32;

fn panel_start(row: u32) -> u32 {
    return row / 16u * params.depth * 4u + row % 16u / 4u;
}

fn a_start(b: u32, row: u32) -> Start {
    return b * params.a_branch / 4u + panel_start(row);
}

fn w_start(b: u32, column: u32) -> Start {
    return (params.w_start + b * params.w_branch) / 4u + panel_start(column);
}
