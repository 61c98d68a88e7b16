//! Matmul with bias and activation: a Linear layer.

use super::activation::Activation;
use super::layout::{Layout, PANEL};
use super::tiles::{self, TILES, Tile};
use super::{NO_BIAS, pack};
use crate::dtype::DType;
use crate::gpu::{Binding, Buffer, Cost, MAX_WORKGROUPS, Recording, Variant};

super::kernel!("matmul");

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
        /// Where the bias stands in `vectors`, or [`NO_BIAS`](super::NO_BIAS).
        pub bias: u32,
        /// Elements between branches of `vectors`.
        pub vector_stride: u32,
        /// Not 0: this times what is computed is added to `c`; 0: it is written over it.
        pub added: f32,
    }
}

/// Every composition of the kernel.
pub fn variants() -> Vec<Variant> {
    let of = |tile: &Tile| -> Vec<Variant> {
        let mut operands = match tile.panels {
            Some(_) => vec![Operands::Panels],
            None => vec![Operands::Quads, Operands::Scalars],
        };
        if tile.outputs[0] <= FEW_ROWS {
            operands.extend([DType::F16, DType::Q8_0, DType::Q4_0, DType::Q4_1].map(Operands::Stored));
        }
        let activations = || std::iter::once(None).chain(Activation::ALL.map(Some));
        let each = |operands: Operands| activations().map(move |a| operands.variant(tile, a));
        operands.into_iter().flat_map(each).collect()
    };
    TILES.iter().flat_map(of).collect()
}

/// How operands are read.
#[derive(Clone, Copy)]
enum Operands {
    /// Both from panels, as the tile has it.
    Panels,
    /// Both from rows of whole quads.
    Quads,
    /// Both from rows of any length.
    Scalars,
    /// The weights in a format of their own.
    Stored(DType),
}

impl Operands {
    fn variant(self, tile: &Tile, activation: Option<Activation>) -> Variant {
        let variant = match self {
            Operands::Panels => tile.variant(tile.panels.unwrap_or_default()),
            Operands::Quads => tile.variant("operands_quads"),
            Operands::Scalars => tile.variant("operands_scalars"),
            Operands::Stored(dtype) => {
                tile.variant("operands_stored").provide("storage", super::storage::provider(dtype))
            }
        };
        variant.provide("activate", activation.map_or("activation_none", Activation::snippet))
    }
}

/// Rows that a workgroup of a tile for few rows makes at most; twice as many make it worth while to dequantize weights first.
const FEW_ROWS: u32 = 4;

/// The tensors.
#[derive(Clone, Debug)]
pub struct Tensors<'a> {
    /// `[branch, row, a_stride]` f32.
    pub a: &'a Buffer,
    /// `[branch, column, k]`.
    pub w: Binding,
    /// How `w` lies, f32 unless it is as stored. In panels, which is for [`layout`] to say, `w_start` and `w_branch` count the panels' elements.
    pub layout: Layout,
    /// `[branch, vector_stride]` f32: where the bias stands.
    pub vectors: &'a Buffer,
    /// `[branch, row, c_stride]` f32, written.
    pub c: &'a Buffer,
    /// What the sums go through before they are written.
    pub activation: Option<Activation>,
}

/// How weights are best given to [`record`]: in panels, where that is how the recording's matmuls of this class are cut and there is
/// room for those of a; as they are stored, where they are seen so (`stored`) and a few rows read each but once or twice.
/// `params.w_start` and `w_branch` are of no account.
pub fn layout(recording: &Recording, params: &Params, branches: u32, stored: Option<DType>) -> Layout {
    let rows_are_quads = [params.depth, params.a_stride, params.a_branch].iter().all(|n| n % 4 == 0);
    let a_bytes = panel_bytes(params.rows, params.depth, branches);
    let room = recording.tuning.panels.as_ref().is_some_and(|panels| a_bytes <= panels.bytes());
    let tile = tile(recording, params);
    let few = tile.outputs[0] <= FEW_ROWS && params.rows.div_ceil(tile.outputs[0]) * branches <= 2;
    match stored {
        _ if tile.panels.is_some() && rows_are_quads && room => Layout::Panels,
        Some(DType::F32) => Layout::Stored(DType::F32),
        Some(dtype) if few && rows_are_quads => Layout::Stored(dtype),
        _ => Layout::Rows,
    }
}

/// `c[b, r, c_column + n] (+)= activation(sum_k a[b, r, k] * w[b, n, k] + bias[b, n])` for `branches` branches, cut as the recording's
/// tuning says for matmuls of this class.
pub fn record(recording: &mut Recording, params: &Params, branches: u32, tensors: Tensors<'_>) {
    let tile = tile(recording, params);
    let starts = [params.depth, params.a_stride, params.a_branch, params.w_start, params.w_branch];
    let quads = starts.iter().all(|s| s % 4 == 0);
    let rows = match tensors.layout {
        Layout::Stored(dtype) if dtype != DType::F32 => Operands::Stored(dtype),
        _ if quads => Operands::Quads,
        _ => Operands::Scalars,
    };
    let panels = recording.tuning.panels.clone().filter(|_| quads);
    if let (Layout::Panels, Some(panels)) = (tensors.layout, &panels) {
        // The last rows of a matrix may be of a class that is cut otherwise.
        let packed = Some(tile).filter(|tile| tile.panels.is_some());
        let tile = packed.or_else(|| tiles::packed(&recording.tuning.tiles)).unwrap_or(tile);
        let (a, a_branch) = record_panels(recording, params, branches, tensors.a, panels);
        let params = Params { a_branch, ..*params };
        let operands = (a, tensors.w.clone());
        return push(recording, (tile, Operands::Panels), &params, branches, operands, &tensors);
    }
    let packs = tile.panels.is_some() && matches!(tensors.layout, Layout::Rows | Layout::Stored(DType::F32));
    match panels.filter(|_| packs).and_then(|panels| Some((block(&panels, params, branches)?, panels))) {
        Some((columns, panels)) => {
            record_packed(recording, tile, params, branches, &tensors, &panels, columns);
        }
        // No room for panels, or no need of them.
        None => {
            let tile = if tile.panels.is_some() { &TILES[1] } else { tile };
            push(recording, (tile, rows), params, branches, (tensors.a.into(), tensors.w.clone()), &tensors);
        }
    }
}

/// How the recording's tuning cuts a matmul.
fn tile(recording: &Recording, params: &Params) -> &'static Tile {
    let chosen = usize::from(recording.tuning.tiles[tiles::class(params.rows, params.columns)]);
    let fits = |tile: &&Tile| params.columns.div_ceil(tile.outputs[1]).max(params.rows) <= MAX_WORKGROUPS;
    TILES.get(chosen).filter(fits).unwrap_or(&TILES[1])
}

fn push(
    recording: &mut Recording,
    (tile, operands): (&Tile, Operands),
    params: &Params,
    branches: u32,
    (a, w): (Binding, Binding),
    tensors: &Tensors<'_>,
) {
    let grid = [params.columns.div_ceil(tile.outputs[1]), params.rows.div_ceil(tile.outputs[0]), branches];
    let [rows, columns, depth, branches] =
        [params.rows, params.columns, params.depth, branches].map(u64::from);
    let outputs = rows * columns * branches;
    let weights = match operands {
        Operands::Stored(dtype) => super::storage::bytes(dtype, columns * depth),
        Operands::Panels | Operands::Quads | Operands::Scalars => 4 * columns * depth,
    };
    let copies = if params.w_branch == 0 { 1 } else { branches };
    let bytes = 4 * (branches * rows * depth + outputs) + copies * weights;
    let bindings = vec![a, w, tensors.vectors.into(), tensors.c.into()];
    recording.push(
        operands.variant(tile, tensors.activation),
        params,
        bindings,
        grid,
        Cost { work: 2 * outputs * depth, bytes },
    );
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

/// Packs a, unless its panels are there already; returns them and the elements between their branches.
fn record_panels(
    recording: &mut Recording,
    params: &Params,
    branches: u32,
    a: &Buffer,
    panels: &Buffer,
) -> (Binding, u32) {
    let Params { rows, depth, .. } = *params;
    let packed_branch = rows.next_multiple_of(PANEL) * depth;
    let packed = Binding { buffer: panels.clone(), offset: 0, bytes: panel_bytes(rows, depth, branches) };
    let (stride, branch) = (params.a_stride, params.a_branch);
    let pack = pack::Params { rows, depth, stride, start: 0, branch, packed_branch };
    if !holds(recording, &pack, &a.into(), &packed) {
        pack::record(recording, &pack, branches, a.into(), packed.clone());
    }
    (packed, packed_branch)
}

/// Packs both operands and multiplies the panels, `columns` of c at a time.
fn record_packed(
    recording: &mut Recording,
    tile: &Tile,
    params: &Params,
    branches: u32,
    tensors: &Tensors<'_>,
    panels: &Buffer,
    columns: u32,
) {
    let depth = params.depth;
    let (a, a_branch) = record_panels(recording, params, branches, tensors.a, panels);
    let copies = if params.w_branch == 0 { 1 } else { branches };
    for first in (0..params.columns).step_by(columns as usize) {
        let count = columns.min(params.columns - first);
        let w_branch = count.next_multiple_of(PANEL) * depth;
        let w = Binding {
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
            packed_branch: w_branch,
        };
        pack::record(recording, &pack_w, copies, tensors.w.clone(), w.clone());
        let params = Params {
            columns: count,
            a_branch,
            w_start: 0,
            w_branch: if copies == 1 { 0 } else { w_branch },
            c_column: params.c_column + first,
            bias: if params.bias == NO_BIAS { NO_BIAS } else { params.bias + first },
            ..*params
        };
        push(recording, (tile, Operands::Panels), &params, branches, (a.clone(), w), tensors);
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
