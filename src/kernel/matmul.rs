//! Matmul with bias: a Linear layer.

use super::NO_VECTOR;
use super::pack::{self, PANEL};
use super::tiles::{self, TILES, Tile};
use crate::gpu::{Binding, Buffer, Kernel, MAX_WORKGROUPS, Recording, Variant};
use crate::reference;

/// See `shaders/matmul.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "matmul",
    source: include_str!("../../shaders/matmul.wgsl"),
    twin: reference::matmul::run,
};

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Rows of `a` and `c` in each branch.
        pub rows: u32,
        /// Columns of `c`, rows of `w`.
        pub columns: u32,
        /// Columns of `a` and `w`.
        pub depth: u32,
        /// Elements between rows of `a`.
        pub a_stride: u32,
        /// Elements between branches of `a`.
        pub a_branch: u32,
        /// First element of `w`.
        pub w_start: u32,
        /// Elements between branches of `w`; 0: all share one.
        pub w_branch: u32,
        /// Elements between rows of `c`.
        pub c_stride: u32,
        /// First column of `c`.
        pub c_column: u32,
        /// Where the bias stands in `vectors`, or [`NO_VECTOR`](super::NO_VECTOR).
        pub bias: u32,
        /// Elements between branches of `vectors`.
        pub vector_stride: u32,
        /// Not 0: this times what is computed is added to `c`; 0: it is written over it.
        pub added: f32,
    }
}

/// Every composition of the kernel.
pub fn variants() -> Vec<Variant> {
    let operands = |tile: &Tile| -> &[&'static str] {
        if tile.packed { &["operands_panels"] } else { &["operands_quads", "operands_scalars"] }
    };
    TILES.iter().flat_map(|tile| operands(tile).iter().map(|operands| tile.variant(operands))).collect()
}

/// `c[b, r, c_column + n] (+)= sum_k a[b, r, k] * w[b, n, k] + bias[b, n]` for `branches` branches, cut as the recording's
/// tuning says for matmuls of this class.
pub fn record(
    recording: &mut Recording,
    params: &Params,
    branches: u32,
    a: &Buffer,
    w: Binding,
    vectors: &Buffer,
    c: &Buffer,
) {
    let chosen = usize::from(recording.tuning.tiles[tiles::class(params.rows, params.columns)]);
    let fits = |tile: &&Tile| params.columns.div_ceil(tile.outputs[1]).max(params.rows) <= MAX_WORKGROUPS;
    let tile = TILES.get(chosen).filter(fits).unwrap_or(&TILES[1]);
    let starts = [params.depth, params.a_stride, params.a_branch, params.w_start, params.w_branch];
    let quads = starts.iter().all(|s| s % 4 == 0);
    let tensors = Tensors { a: a.into(), w, vectors, c };
    if !tile.packed {
        let operands = if quads { "operands_quads" } else { "operands_scalars" };
        return push(recording, tile, operands, params, branches, tensors);
    }
    let panels = recording.tuning.panels.clone().filter(|_| quads);
    let Some((panels, columns)) = panels.and_then(|p| block(&p, params, branches).map(|n| (p, n))) else {
        // No panels, or no room for them.
        let operands = if quads { "operands_quads" } else { "operands_scalars" };
        return push(recording, &TILES[1], operands, params, branches, tensors);
    };
    record_packed(recording, tile, params, branches, tensors, &panels, columns);
}

struct Tensors<'a> {
    a: Binding,
    w: Binding,
    vectors: &'a Buffer,
    c: &'a Buffer,
}

fn push(
    recording: &mut Recording,
    tile: &Tile,
    operands: &'static str,
    params: &Params,
    branches: u32,
    tensors: Tensors<'_>,
) {
    let grid = [params.columns.div_ceil(tile.outputs[1]), params.rows.div_ceil(tile.outputs[0]), branches];
    let outputs = u64::from(params.rows) * u64::from(params.columns) * u64::from(branches);
    let Tensors { a, w, vectors, c } = tensors;
    let bindings = vec![a, w, vectors.into(), c.into()];
    recording.push(tile.variant(operands), params, bindings, grid, 2 * outputs * u64::from(params.depth));
}

/// Bytes of rows in panels, for each of `branches`.
pub fn panel_bytes(rows: u32, depth: u32, branches: u32) -> u64 {
    u64::from(branches) * u64::from(rows.next_multiple_of(PANEL)) * u64::from(depth) * 4
}

/// Where the panels of w begin, after those of a.
fn w_offset(params: &Params, branches: u32) -> u64 {
    panel_bytes(params.rows, params.depth, branches).next_multiple_of(256)
}

/// How many columns' panels fit beside those of a; none where not even one panel does.
fn block(panels: &Buffer, params: &Params, branches: u32) -> Option<u32> {
    let left = panels.bytes().checked_sub(w_offset(params, branches))?;
    let copies = if params.w_branch == 0 { 1 } else { branches };
    let fitting = left / panel_bytes(PANEL, params.depth, copies).max(1);
    let all = params.columns.div_ceil(PANEL);
    Some(fitting.min(all.into()) as u32 * PANEL).filter(|columns| *columns > 0)
}

/// Packs both operands and multiplies the panels, `columns` of c at a time.
fn record_packed(
    recording: &mut Recording,
    tile: &Tile,
    params: &Params,
    branches: u32,
    tensors: Tensors<'_>,
    panels: &Buffer,
    columns: u32,
) {
    let Params { rows, depth, .. } = *params;
    let a_branch = rows.next_multiple_of(PANEL) * depth;
    let packed_a = Binding { buffer: panels.clone(), offset: 0, bytes: panel_bytes(rows, depth, branches) };
    let pack_a = pack::Params {
        rows,
        depth,
        stride: params.a_stride,
        start: 0,
        branch: params.a_branch,
        branches,
        packed_branch: a_branch,
    };
    if !holds(recording, &pack_a, &tensors.a, &packed_a) {
        pack::record(recording, &pack_a, tensors.a.clone(), packed_a.clone());
    }
    let copies = if params.w_branch == 0 { 1 } else { branches };
    for first in (0..params.columns).step_by(columns as usize) {
        let count = columns.min(params.columns - first);
        let w_branch = count.next_multiple_of(PANEL) * depth;
        let packed_w = Binding {
            buffer: panels.clone(),
            offset: w_offset(params, branches),
            bytes: panel_bytes(count, depth, copies),
        };
        let pack_w = pack::Params {
            rows: count,
            depth,
            stride: depth,
            start: params.w_start + first * depth,
            branch: params.w_branch,
            branches: copies,
            packed_branch: w_branch,
        };
        pack::record(recording, &pack_w, tensors.w.clone(), packed_w.clone());
        let params = Params {
            columns: count,
            a_branch,
            w_start: 0,
            w_branch: if copies == 1 { 0 } else { w_branch },
            c_column: params.c_column + first,
            bias: if params.bias == NO_VECTOR { NO_VECTOR } else { params.bias + first },
            ..*params
        };
        let tensors = Tensors { a: packed_a.clone(), w: packed_w, ..tensors };
        push(recording, tile, "operands_panels", &params, branches, tensors);
    }
}

/// Whether the panels of a are there from an earlier matmul on it, as of queries for keys and values: since they were packed, nothing has
/// had to do with a, and no other rows have been packed in their place.
fn holds(recording: &Recording, params: &pack::Params, a: &Binding, packed: &Binding) -> bool {
    for dispatch in recording.dispatches.iter().rev() {
        let packs = dispatch.variant.kernel.name == pack::KERNEL.name;
        let [first, second] = [0, 1].map(|i| dispatch.bindings.get(i));
        let same = |x: Option<&Binding>, y: &Binding| {
            x.is_some_and(|x| x.buffer.id() == y.buffer.id() && x.offset == y.offset && x.bytes == y.bytes)
        };
        if packs && same(first, packed) && same(second, a) {
            return dispatch.uniform == bytemuck::bytes_of(params);
        }
        let overwritten =
            packs && first.is_some_and(|to| to.buffer.id() == packed.buffer.id() && to.offset < packed.bytes);
        if overwritten || dispatch.bindings.iter().any(|b| b.buffer.id() == a.buffer.id()) {
            return false;
        }
    }
    false
}
