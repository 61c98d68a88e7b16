//! CPU reference of the snippets `shaders/lib/layout_*.wgsl`: the position where a vec4 of weights is written.

use crate::kernel::panels::PANEL;

/// Writes the vec4 with index `i` of a range: in panels of rows of `across` vec4s or, if `across` is 0, row-major.
pub(super) fn put(weights: &mut [f32], across: u32, i: usize, four: [f32; 4]) {
    let (panel, across) = (PANEL as usize, across as usize);
    let (first, step) = match across {
        0 => (4 * i, 1),
        _ => {
            let (row, k) = (i / across, i % across * 4);
            ((row / panel * across * 4 + k) * panel + row % panel, panel)
        }
    };
    for (place, value) in weights[first..].iter_mut().step_by(step).zip(four) {
        *place = value;
    }
}
