//! CPU reference of the snippets `shaders/lib/layout_*.wgsl`: where a vec4 of weights is written.

use crate::kernel::panels::PANEL;

/// Writes vec4 number `i` of a range, in panels of rows of `across` vec4s, or row after row where that is 0.
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
