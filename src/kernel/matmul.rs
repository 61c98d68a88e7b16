//! Matmul with bias: a Linear layer.

use crate::gpu::{Binding, Buffer, Kernel, Recording, Variant};
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

/// Outputs that one workgroup makes in each direction.
const TILE: u32 = 32;

/// Every composition of the kernel.
pub fn variants() -> Vec<Variant> {
    vec![
        Variant::from(&KERNEL).provide("rows", "rows_vec4"),
        Variant::from(&KERNEL).provide("rows", "rows_scalar"),
    ]
}

/// `c[b, r, c_column + n] (+)= sum_k a[b, r, k] * w[b, n, k] + bias[b, n]` for `branches` branches.
pub fn record(
    recording: &mut Recording,
    params: &Params,
    branches: u32,
    a: &Buffer,
    w: Binding,
    vectors: &Buffer,
    c: &Buffer,
) {
    let starts = [params.depth, params.a_stride, params.a_branch, params.w_start, params.w_branch];
    let rows = if starts.iter().all(|s| s % 4 == 0) { "rows_vec4" } else { "rows_scalar" };
    let grid = [params.columns.div_ceil(TILE), params.rows.div_ceil(TILE), branches];
    let outputs = u64::from(params.rows) * u64::from(params.columns) * u64::from(branches);
    recording.push(
        Variant::from(&KERNEL).provide("rows", rows),
        params,
        vec![a.into(), w, vectors.into(), c.into()],
        grid,
        2 * outputs * u64::from(params.depth),
    );
}
