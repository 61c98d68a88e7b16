//! Append of rows to a cache: the keys and values of new tokens.

use crate::gpu::{Buffer, Cost, Kernel, Recording, Variant};
use crate::reference;

/// See `shaders/append_rows.wgsl`.
pub static KERNEL: Kernel = Kernel {
    name: "append_rows",
    source: include_str!("../../shaders/append_rows.wgsl"),
    twin: reference::append_rows::run,
};

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Rows to copy.
        pub rows: u32,
        /// Columns to copy, all of the columns of the cache.
        pub width: u32,
        /// Columns of a row of x.
        pub stride: u32,
        /// First column to copy.
        pub column: u32,
        /// Row of the cache where row 0 of x goes.
        pub first_row: u32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    vec![(&KERNEL).into()]
}

/// `cache[first_row + r, c] = x[r, column + c]`: x `[rows, stride]`, cache `[capacity, width]`.
pub fn record(recording: &mut Recording, x: &Buffer, cache: &Buffer, params: Params) {
    let count = u64::from(params.rows) * u64::from(params.width);
    let cost = Cost { work: count, bytes: 8 * count };
    recording.push(&KERNEL, &params, vec![x.into(), cache.into()], super::threads(count), cost);
}
