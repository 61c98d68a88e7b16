//! How the weights that a matmul takes lie: formed in the scratch, by the providers `shaders/lib/layout_*.wgsl`, or as they are stored.

use crate::dtype::DType;
use crate::gpu::Variant;

/// Rows of a panel.
pub const PANEL: u32 = 16;

/// An order of elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Not formed at all: row after row in this format.
    Stored(DType),
    /// Row after row, f32.
    Rows,
    /// Panels of [`PANEL`] rows, `[row / 16, k, row % 16]`, for tiles whose operands are packed. Rows are whole quads.
    Panels,
}

impl Layout {
    /// Quads that rows of `width` elements take.
    pub fn quads(self, rows: u32, width: u32) -> u32 {
        match self {
            Layout::Stored(_) | Layout::Rows => (rows * width).div_ceil(4),
            Layout::Panels => rows.next_multiple_of(PANEL) * (width / 4),
        }
    }

    /// What kernels that write weights are told in `across`: quads of a row in panels, 0 for rows.
    pub fn across(self, width: u32) -> u32 {
        match self {
            Layout::Stored(_) | Layout::Rows => 0,
            Layout::Panels => width / 4,
        }
    }

    /// The kernel, writing weights in the layout of this `across`.
    pub(super) fn provide(across: u32, variant: Variant) -> Variant {
        variant.provide("layout", if across == 0 { "layout_rows" } else { "layout_panels" })
    }

    /// A grid with a thread for each of `quads` quads.
    pub(super) fn grid(across: u32, quads: u32) -> [u32; 3] {
        match across {
            0 => super::threads(quads.into()),
            _ => [across.div_ceil(4), (quads / across).div_ceil(PANEL), 1],
        }
    }
}
