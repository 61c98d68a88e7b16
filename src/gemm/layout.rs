//! The layouts of the weights of a matmul.

use crate::dtype::DType;
use crate::kernel::panels::PANEL;

/// The order of a matmul's weights in their buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Row-major in this storage format, read directly from the stored weights.
    Stored(DType),
    /// In the scratch, row-major f32.
    Rows,
    /// In the scratch, f32 in panels of [`PANEL`] rows, `[row / 16, k, row % 16]`, for tiles that take packed operands. The width
    /// of a row is a multiple of 4.
    Panels,
}

impl Layout {
    /// Number of vec4s in `rows` rows of `width` elements.
    pub fn vec4s(self, rows: u32, width: u32) -> u32 {
        match self {
            Layout::Stored(_) | Layout::Rows => (rows * width).div_ceil(4),
            Layout::Panels => rows.next_multiple_of(PANEL) * (width / 4),
        }
    }

    /// The `across` parameter of the kernels that write weights: the number of vec4s in a row if they write panels, 0 if they write rows.
    pub fn across(self, width: u32) -> u32 {
        match self {
            Layout::Stored(_) | Layout::Rows => 0,
            Layout::Panels => width / 4,
        }
    }
}
