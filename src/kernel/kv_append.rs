//! Appends the keys and values of new tokens to the cache.

use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("kv_append");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Rows to copy.
        pub rows: u32,
        /// Columns to copy, which are all columns of the cache.
        pub width: u32,
        /// Columns of a row of x.
        pub stride: u32,
        /// First column to copy.
        pub column: u32,
        /// The row of the cache to which row 0 of x is copied.
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
