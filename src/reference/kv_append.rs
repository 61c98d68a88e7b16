//! CPU reference of `shaders/kv_append.wgsl`.

use super::Call;
use crate::error::Result;
use crate::kernel::kv_append::Params;

/// `cache[first_row + r, c] = x[r, column + c]`.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let x = call.input::<f32>(0)?;
    let mut cache = call.output::<f32>(1)?;
    let (width, column) = (params.width as usize, params.column as usize);
    let new = &mut cache[params.first_row as usize * width..];
    let rows = x.chunks_exact(params.stride as usize).zip(new.chunks_exact_mut(width));
    for (x, row) in rows.take(params.rows as usize) {
        row.copy_from_slice(&x[column..][..width]);
    }
    Ok(())
}
