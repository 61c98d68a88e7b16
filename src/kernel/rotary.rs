//! Rotary position embedding of query and key heads.

use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("rotary");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Branches times tokens.
        pub rows: u32,
        /// Tokens of a branch.
        pub tokens: u32,
        /// Columns of a row of x.
        pub stride: u32,
        /// Heads to rotate, side by side from column 0: those of the queries, then those of the keys.
        pub heads: u32,
        /// Columns of a head, even.
        pub head_dim: u32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    vec![(&KERNEL).into()]
}

/// Rotates in place: x `[branch, token, stride]`, table `[position, head_dim / 2]` of (cos, sin), positions `[token]` u32 rows
/// of the table.
pub fn record(recording: &mut Recording, x: &Buffer, table: &Buffer, positions: &Buffer, params: Params) {
    let pairs = u64::from(params.rows) * u64::from(params.heads) * u64::from(params.head_dim / 2);
    let bindings = vec![x.into(), table.into(), positions.into()];
    let cost = Cost { work: 6 * pairs, bytes: 16 * pairs };
    recording.push(&KERNEL, &params, bindings, super::threads(pairs), cost);
}
