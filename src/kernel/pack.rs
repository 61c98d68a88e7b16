//! Pack: writes matmul operands as panels.

use super::panels::PANEL;
use crate::gpu::{Binding, Cost, Recording, Variant};

super::kernel!("pack");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Rows in each branch.
        pub rows: u32,
        /// Columns, a multiple of 4.
        pub depth: u32,
        /// Elements between rows, a multiple of 4.
        pub stride: u32,
        /// The first element of the first row, a multiple of 4.
        pub start: u32,
        /// Elements between the branches' rows, a multiple of 4.
        pub branch: u32,
        /// Elements between the branches' panels.
        pub packed_branch: u32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    vec![variant()]
}

fn variant() -> Variant {
    Variant::from(&KERNEL).provide("storage", "storage_f32")
}

/// `packed[b, r / 16, k, r % 16] = rows[b, r, k]`. The last panel is padded with copies of the last row.
pub fn record(recording: &mut Recording, params: &Params, branches: u32, rows: Binding, packed: Binding) {
    let grid = [params.depth.div_ceil(64), params.rows.div_ceil(PANEL), branches];
    let elements = u64::from(params.rows) * u64::from(params.depth) * u64::from(branches);
    let cost = Cost { work: elements, bytes: 8 * elements };
    recording.push(variant(), params, vec![packed, rows], grid, cost);
}
