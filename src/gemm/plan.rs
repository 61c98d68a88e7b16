//! The plan of a pass: it records matmuls with the chosen tiles, and keeps track of which operand is packed.

use super::choice::Choice;
use super::layout::Layout;
use super::tiles::{FEW_ROWS, Operands, Tile, UNPACKED};
use crate::dtype::DType;
use crate::gpu::{Binding, Buffer, Recording};
use crate::kernel::activation::Activation;
use crate::kernel::matmul::Params;
use crate::kernel::panels::{self, PANEL};
use crate::kernel::{NO_BIAS, matmul, pack, storage};

/// How the matmuls of one recording are computed.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    choice: Choice,
    /// Scratch for packed operands; without it, nothing is packed.
    panels: Option<Buffer>,
    /// The input whose panels are at the start of the scratch.
    packed: Option<Packed>,
}

/// A packed input: `a` of a matmul.
#[derive(Clone, Debug)]
struct Packed {
    /// The id of the buffer that was packed.
    buffer: u64,
    params: pack::Params,
    /// The index of the dispatch that packed it.
    dispatch: usize,
}

/// The tensors of a matmul.
#[derive(Clone, Debug)]
pub struct Tensors<'a> {
    /// `[branch, row, a_stride]` f32.
    pub a: &'a Buffer,
    /// `[branch, column, k]`.
    pub w: Binding,
    /// The layout of `w`. For [`Layout::Panels`], which only [`Plan::layout`] may choose, `w_start` and `w_branch` are in elements
    /// of the panels.
    pub layout: Layout,
    /// `[branch, vector_stride]` f32: the buffer that contains the bias.
    pub vectors: &'a Buffer,
    /// `[branch, row, c_stride]` f32, written.
    pub c: &'a Buffer,
    /// The activation applied to the sums before they are written.
    pub activation: Option<Activation>,
}

impl Plan {
    /// The plan for an empty recording; `panels` is the scratch for packed operands.
    pub fn new(choice: Choice, panels: Option<Buffer>) -> Plan {
        Plan { choice, panels, packed: None }
    }

    /// Whether attention over many tokens keeps its output in registers.
    pub fn attention_in_registers(&self) -> bool {
        self.choice.attention_in_registers
    }

    /// The layout in which [`Plan::matmul`] should be given the weights: panels, if the tile of this class takes packed operands
    /// and the scratch has room for those of `a`; or as stored, if every branch sees the stored weights (`stored` is their format)
    /// and they are f32 or so few rows are computed that each weight is read only once or twice. `params.w_start` and `w_branch`
    /// are ignored.
    pub fn layout(&self, params: &Params, branches: u32, stored: Option<DType>) -> Layout {
        let rows_are_vec4s = [params.depth, params.a_stride, params.a_branch].iter().all(|n| n % 4 == 0);
        let a_bytes = panels::bytes(params.rows, params.depth, branches);
        let fits = self.panels.as_ref().is_some_and(|panels| a_bytes <= panels.bytes());
        let tile = self.choice.tile(params.rows, params.columns);
        let few = tile.outputs[0] <= FEW_ROWS && params.rows.div_ceil(tile.outputs[0]) * branches <= 2;
        match stored {
            _ if tile.panels.is_some() && rows_are_vec4s && fits => Layout::Panels,
            Some(DType::F32) => Layout::Stored(DType::F32),
            Some(dtype) if few && rows_are_vec4s => Layout::Stored(dtype),
            _ => Layout::Rows,
        }
    }

    /// Records `c[b, r, c_column + n] (+)= activation(sum_k a[b, r, k] * w[b, n, k] + bias[b, n])` for `branches` branches, with
    /// the tile of the matmul's class.
    pub fn matmul(&mut self, r: &mut Recording, params: &Params, branches: u32, tensors: &Tensors<'_>) {
        let tile = self.choice.tile(params.rows, params.columns);
        let starts = [params.depth, params.a_stride, params.a_branch, params.w_start, params.w_branch];
        let vec4s = starts.iter().all(|s| s % 4 == 0);
        let panels = self.panels.clone().filter(|_| vec4s);
        if let (Layout::Panels, Some(panels)) = (tensors.layout, &panels) {
            // The last rows of a matrix may be in another class, whose tile does not take panels.
            let takes_panels = Some(tile).filter(|tile| tile.panels.is_some());
            let tile = takes_panels.or_else(|| self.choice.packed()).unwrap_or(tile);
            let (a, a_branch) = self.packed_input(r, params, branches, tensors.a, panels);
            let params = Params { a_branch, ..*params };
            return push(r, (tile, Operands::Panels), &params, branches, (a, tensors.w.clone()), tensors);
        }
        let packs =
            tile.panels.is_some() && matches!(tensors.layout, Layout::Rows | Layout::Stored(DType::F32));
        let block = panels.filter(|_| packs).and_then(|panels| {
            let columns = columns_at_once(&panels, params, branches)?;
            Some((panels, columns))
        });
        match block {
            Some((panels, columns)) => {
                self.packed_matmul(r, tile, params, branches, tensors, (&panels, columns));
            }
            None => {
                let tile = if tile.panels.is_some() { UNPACKED } else { tile };
                let operands = match tensors.layout {
                    Layout::Stored(dtype) if dtype != DType::F32 => Operands::Stored(dtype),
                    _ if vec4s => Operands::Vec4s,
                    _ => Operands::Scalars,
                };
                push(r, (tile, operands), params, branches, (tensors.a.into(), tensors.w.clone()), tensors);
            }
        }
    }

    /// Packs both operands and multiplies the panels, `columns` columns of c at a time.
    fn packed_matmul(
        &mut self,
        r: &mut Recording,
        tile: &Tile,
        params: &Params,
        branches: u32,
        tensors: &Tensors<'_>,
        (panels, columns): (&Buffer, u32),
    ) {
        let depth = params.depth;
        let (a, a_branch) = self.packed_input(r, params, branches, tensors.a, panels);
        let copies = if params.w_branch == 0 { 1 } else { branches };
        for first in (0..params.columns).step_by(columns as usize) {
            let count = columns.min(params.columns - first);
            let w_branch = count.next_multiple_of(PANEL) * depth;
            let w = Binding {
                buffer: panels.clone(),
                offset: w_offset(params, branches),
                bytes: panels::bytes(count, depth, copies),
            };
            let pack_w = pack::Params {
                rows: count,
                depth,
                stride: depth,
                start: params.w_start + first * depth,
                branch: params.w_branch,
                packed_branch: w_branch,
            };
            pack::record(r, &pack_w, copies, tensors.w.clone(), w.clone());
            let params = Params {
                columns: count,
                a_branch,
                w_start: 0,
                w_branch: if copies == 1 { 0 } else { w_branch },
                c_column: params.c_column + first,
                bias: if params.bias == NO_BIAS { NO_BIAS } else { params.bias + first },
                ..*params
            };
            push(r, (tile, Operands::Panels), &params, branches, (a.clone(), w), tensors);
        }
    }

    /// The panels of `a`, and the number of elements between their branches. `a` is packed unless its panels are still there from
    /// an earlier matmul with the same input, as for queries, keys and values. This requires that no dispatch has bound `a` since
    /// then, and no other input has been packed.
    fn packed_input(
        &mut self,
        r: &mut Recording,
        params: &Params,
        branches: u32,
        a: &Buffer,
        panels: &Buffer,
    ) -> (Binding, u32) {
        let Params { rows, depth, a_stride: stride, a_branch: branch, .. } = *params;
        let packed_branch = rows.next_multiple_of(PANEL) * depth;
        let to = Binding { buffer: panels.clone(), offset: 0, bytes: panels::bytes(rows, depth, branches) };
        let params = pack::Params { rows, depth, stride, start: 0, branch, packed_branch };
        let there = self.packed.as_ref().is_some_and(|packed| {
            packed.buffer == a.id() && packed.params == params && r.last_use(a) == Some(packed.dispatch)
        });
        if !there {
            pack::record(r, &params, branches, a.into(), to.clone());
            self.packed = r.last_use(a).map(|dispatch| Packed { buffer: a.id(), params, dispatch });
        }
        (to, packed_branch)
    }
}

fn push(
    r: &mut Recording,
    (tile, operands): (&Tile, Operands),
    params: &Params,
    branches: u32,
    (a, w): (Binding, Binding),
    tensors: &Tensors<'_>,
) {
    let weights = u64::from(params.columns) * u64::from(params.depth);
    let weight_bytes = match operands {
        Operands::Stored(dtype) => storage::bytes(dtype, weights),
        Operands::Panels | Operands::Vec4s | Operands::Scalars => 4 * weights,
    };
    let bindings = [a, w, tensors.vectors.into(), tensors.c.into()];
    let variant = tile.variant(operands, tensors.activation);
    matmul::record(r, variant, tile.outputs, params, branches, bindings, weight_bytes);
}

/// The offset in the scratch of the panels of w, which follow those of a.
fn w_offset(params: &Params, branches: u32) -> u64 {
    panels::bytes(params.rows, params.depth, branches).next_multiple_of(256)
}

/// The number of columns of w that fit in the scratch after the panels of a; `None` if not even one panel does.
fn columns_at_once(panels: &Buffer, params: &Params, branches: u32) -> Option<u32> {
    let left = panels.bytes().checked_sub(w_offset(params, branches))?;
    let copies = if params.w_branch == 0 { 1 } else { branches };
    let fitting = left / panels::bytes(PANEL, params.depth, copies).max(1);
    let all = params.columns.div_ceil(PANEL);
    Some(fitting.min(all.into()) as u32 * PANEL).filter(|columns| *columns > 0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::gpu::{Backend, Dry, Limits, MemoryClass};

    const ROWS: u32 = 64;
    const DEPTH: u32 = 32;

    struct Bench {
        dry: std::rc::Rc<Dry>,
        plan: Plan,
        r: Recording,
    }

    impl Bench {
        /// Packs all matmuls, with a scratch for the input and 48 columns of weights.
        fn new() -> Bench {
            let dry = Dry::open(Limits::WEBGPU_DEFAULT);
            let choice: Choice = ["16x16-packed"; 6].join(",").parse().unwrap();
            let bytes = panels::bytes(ROWS, DEPTH, 1) + panels::bytes(48, DEPTH, 1);
            let panels = dry.create("panels", bytes, MemoryClass::Scratch).unwrap();
            Bench { dry, plan: Plan::new(choice, Some(panels)), r: Recording::new() }
        }

        fn buffer(&self, name: &str, columns: u32) -> Buffer {
            self.dry.create(name, u64::from(ROWS * columns) * 4, MemoryClass::Activations).unwrap()
        }

        fn matmul(&mut self, a: &Buffer, c: &Buffer, columns: u32) {
            let w = self.buffer("w", columns.max(DEPTH));
            let params = Params {
                rows: ROWS,
                columns,
                depth: DEPTH,
                a_stride: DEPTH,
                a_branch: ROWS * DEPTH,
                c_stride: columns,
                bias: NO_BIAS,
                ..Default::default()
            };
            let layout = Layout::Rows;
            let tensors = Tensors { a, w: (&w).into(), layout, vectors: &w, c, activation: None };
            self.plan.matmul(&mut self.r, &params, 1, &tensors);
        }

        /// The dispatches recorded since the last call. For a pack, also which operand was packed.
        fn recorded(&mut self) -> Vec<String> {
            let name = |d: &crate::gpu::Dispatch| match d.variant.kernel.name {
                "pack" => format!("pack {}", d.bindings[1].buffer.name()),
                name => name.to_owned(),
            };
            std::mem::take(&mut self.r).dispatches().iter().map(name).collect()
        }
    }

    #[test]
    fn an_input_is_packed_once_for_several_matmuls() {
        let mut bench = Bench::new();
        let (x, y) = (bench.buffer("x", DEPTH), bench.buffer("y", DEPTH));
        bench.matmul(&x, &y, DEPTH);
        bench.matmul(&x, &y, DEPTH);
        assert_eq!(bench.recorded(), ["pack x", "pack w", "matmul", "pack w", "matmul"]);
    }

    #[test]
    fn an_input_is_packed_again_after_a_dispatch_that_may_have_written_it() {
        let mut bench = Bench::new();
        let (x, y) = (bench.buffer("x", DEPTH), bench.buffer("y", DEPTH));
        bench.matmul(&x, &y, DEPTH);
        bench.matmul(&y, &x, DEPTH);
        bench.matmul(&x, &y, DEPTH);
        let once = |a: &str| [format!("pack {a}"), "pack w".into(), "matmul".into()];
        assert_eq!(bench.recorded(), [once("x"), once("y"), once("x")].concat());
    }

    #[test]
    fn columns_beyond_the_scratch_are_packed_in_blocks() {
        let mut bench = Bench::new();
        let (x, y) = (bench.buffer("x", DEPTH), bench.buffer("y", 100));
        bench.matmul(&x, &y, 100);
        let block = ["pack w", "matmul"];
        assert_eq!(bench.recorded(), [&["pack x"][..], &block, &block, &block].concat());
    }

    #[test]
    fn nothing_is_packed_without_a_scratch() {
        let mut bench = Bench::new();
        bench.plan = Plan::new(bench.plan.choice, None);
        let (x, y) = (bench.buffer("x", DEPTH), bench.buffer("y", DEPTH));
        bench.matmul(&x, &y, DEPTH);
        assert_eq!(bench.recorded(), ["matmul"]);
    }
}
