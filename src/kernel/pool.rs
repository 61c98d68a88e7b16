//! Pooling of the rows of each sequence into one.

use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("pool");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Rows of y.
        pub count: u32,
        /// Number of columns.
        pub width: u32,
    }
}

/// The tensors that the kernel binds.
#[derive(Clone, Copy)]
pub struct Tensors<'a> {
    /// `[row, width]`.
    pub x: &'a Buffer,
    /// The first row of each mean `[count]`, u32.
    pub firsts: &'a Buffer,
    /// The row after the last one of each mean `[count]`, u32; more than its first.
    pub ends: &'a Buffer,
    /// `[count, width]`.
    pub y: &'a Buffer,
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    vec![(&KERNEL).into()]
}

/// `y[s, c] = mean over the rows r in firsts[s] .. ends[s] of x[r, c]`. `rows` is how many rows of x are read, by all means together.
pub fn record(recording: &mut Recording, tensors: Tensors<'_>, params: Params, rows: u32) {
    let Tensors { x, firsts, ends, y } = tensors;
    let (count, width) = (u64::from(params.count), u64::from(params.width));
    let read = u64::from(rows) * width;
    let cost = Cost { work: read + count * width, bytes: 4 * (read + count * width) };
    let bindings = vec![x.into(), firsts.into(), ends.into(), y.into()];
    recording.push(&KERNEL, &params, bindings, super::threads(count * width), cost);
}
