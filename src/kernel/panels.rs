//! Panels: the element order of packed matmul operands, `[row / 16, k, row % 16]`. The kernels that write weights read the number
//! of vec4s in a row from `across`; 0 means row-major order.

use crate::gpu::Variant;

/// Number of rows in a panel.
pub const PANEL: u32 = 16;

/// Size in bytes of `rows` rows in panels for all of the `branches` branches.
pub fn bytes(rows: u32, depth: u32, branches: u32) -> u64 {
    u64::from(branches) * u64::from(rows.next_multiple_of(PANEL)) * u64::from(depth) * 4
}

/// Adds to the variant the snippet that writes weights for this `across`.
pub(super) fn provide(across: u32, variant: Variant) -> Variant {
    variant.provide("layout", if across == 0 { "layout_rows" } else { "layout_panels" })
}

/// A grid with a thread for each of the `vec4s` vec4s.
pub(super) fn grid(across: u32, vec4s: u32) -> [u32; 3] {
    match across {
        0 => super::threads(vec4s.into()),
        _ => [across.div_ceil(4), (vec4s / across).div_ceil(PANEL), 1],
    }
}
