//! CPU reference of `shaders/pack.wgsl`.

use super::Call;
use crate::error::Result;
use crate::kernel::pack::Params;
use crate::kernel::panels::PANEL;

/// `packed[b, r / 16, k, r % 16] = rows[b, r, k]`. The last panel is padded with copies of the last row.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let mut packed = call.output::<f32>(0)?;
    let rows = call.input::<f32>(1)?;
    let (panel, depth) = (PANEL as usize, params.depth as usize);
    for b in 0..call.grid()[2] as usize {
        let packed = &mut packed[b * params.packed_branch as usize..];
        for row in 0..params.rows.next_multiple_of(PANEL) {
            let first = row.min(params.rows - 1) as usize * params.stride as usize;
            let source = &rows[params.start as usize + b * params.branch as usize + first..][..depth];
            let row = row as usize;
            let places = packed[row / panel * depth * panel + row % panel..].iter_mut().step_by(panel);
            for (place, value) in places.zip(source) {
                *place = *value;
            }
        }
    }
    Ok(())
}
