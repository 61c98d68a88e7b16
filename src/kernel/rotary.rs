//! Rotary position embedding (Su et al. 2021, arXiv 2104.09864) of query and key heads.

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
        /// Number of heads to rotate, side by side from column 0: those of the queries, then those of the keys.
        pub heads: u32,
        /// Columns of a head.
        pub head_dim: u32,
        /// Number of rotated columns of a head, starting with its first: even, at most `head_dim`.
        pub dim: u32,
        /// Columns from the first column of a pair to the first column of the next pair.
        pub step: u32,
        /// Columns from the first column of a pair to its second.
        pub apart: u32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    vec![(&KERNEL).into()]
}

/// Rotates x `[branch, token, stride]` in place. `table` `[position, dim / 2]` has (cos, sin), and `positions` `[token]` u32 has
/// the row of the table for each token.
pub fn record(recording: &mut Recording, x: &Buffer, table: &Buffer, positions: &Buffer, params: Params) {
    let pairs = u64::from(params.rows) * u64::from(params.heads) * u64::from(params.dim / 2);
    let bindings = vec![x.into(), table.into(), positions.into()];
    let cost = Cost { work: 6 * pairs, bytes: 16 * pairs };
    recording.push(&KERNEL, &params, bindings, super::threads(pairs), cost);
}
