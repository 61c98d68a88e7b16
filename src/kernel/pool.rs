//! Pools the rows of each sequence into one row.

use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("pool");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Number of branches.
        pub branches: u32,
        /// Elements between branches of x.
        pub x_branch: u32,
        /// Rows of y per branch.
        pub count: u32,
        /// Number of columns.
        pub width: u32,
    }
}

/// The tensors that the kernel binds.
#[derive(Clone, Copy)]
pub struct Tensors<'a> {
    /// `[branch, row, width]`.
    pub x: &'a Buffer,
    /// The range of rows of each mean, first and end, `[count]` x 2, u32.
    pub ranges: &'a Buffer,
    /// `[branch, count, width]`.
    pub y: &'a Buffer,
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    vec![(&KERNEL).into()]
}

/// `y[b, s, c] = mean over the rows r in ranges[s, 0] .. ranges[s, 1] of x[b, r, c]`. `rows` is an upper bound on the number of
/// rows of a branch that are read for all means together.
pub fn record(recording: &mut Recording, tensors: Tensors<'_>, params: Params, rows: u32) {
    let Tensors { x, ranges, y } = tensors;
    let (count, width) = (u64::from(params.branches) * u64::from(params.count), u64::from(params.width));
    let read = u64::from(params.branches) * u64::from(rows) * width;
    let cost = Cost { work: read + count * width, bytes: 4 * (read + count * width) };
    let bindings = vec![x.into(), ranges.into(), y.into()];
    recording.push(&KERNEL, &params, bindings, super::threads(count * width), cost);
}
