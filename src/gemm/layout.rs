//! The layouts of the weights of a matmul.

use crate::dtype::DType;
use crate::kernel::panels::PANEL;

/// In which order the weights of a matmul are in their buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Row-major in this storage format, as the weights are stored.
    Stored(DType),
    /// In the scratch, row after row, f32.
    Rows,
    /// In the scratch, in panels of [`PANEL`] rows, `[row / 16, k, row % 16]`, f32: for tiles whose operands are packed. The width
    /// of a row is a multiple of 4.
    Panels,
}

impl Layout {
    /// How many vec4s rows of `width` elements take.
    pub fn vec4s(self, rows: u32, width: u32) -> u32 {
        match self {
            Layout::Stored(_) | Layout::Rows => (rows * width).div_ceil(4),
            Layout::Panels => rows.next_multiple_of(PANEL) * (width / 4),
        }
    }

    /// The `across` of the kernels that write weights: how many vec4s a row has where they write panels, 0 where they write rows.
    pub fn across(self, width: u32) -> u32 {
        match self {
            Layout::Stored(_) | Layout::Rows => 0,
            Layout::Panels => width / 4,
        }
    }
}
