//! Gathers rows: the positions that a head works on, the rows of a low-rank factor, or the heads of fused queries, keys and values.

use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("gather_rows");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Number of branches.
        pub branches: u32,
        /// First element of x.
        pub x_start: u32,
        /// Elements between branches of x.
        pub x_branch: u32,
        /// Rows of y in a branch.
        pub count: u32,
        /// Number of columns.
        pub width: u32,
        /// The factor of the rows.
        pub scale: f32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    vec![(&KERNEL).into()]
}

/// `y[b, i, :] = scale * x[b, picks[i], :]`: x `[branch, row, width]`, picks `[count]` u32, y `[branch, count, width]`.
pub fn record(recording: &mut Recording, x: &Buffer, picks: &Buffer, y: &Buffer, params: Params) {
    let count = u64::from(params.branches) * u64::from(params.count) * u64::from(params.width);
    let cost = Cost { work: count, bytes: 8 * count };
    recording.push(&KERNEL, &params, vec![x.into(), picks.into(), y.into()], super::threads(count), cost);
}
