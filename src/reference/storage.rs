//! CPU reference of the snippets `shaders/lib/storage_*.wgsl`: stored weights, one vec4 at a time.

use super::Call;
use crate::dtype::DType;
use crate::kernel::storage::{from_device, group_bytes, group_len, provider};

/// The format of the stored weights that a dispatch reads.
pub(super) fn stored_as(call: &Call<'_>) -> DType {
    let snippet = call.provider("storage");
    let formats = [DType::F16, DType::Q8_0, DType::Q4_0, DType::Q4_1];
    formats.into_iter().find(|dtype| snippet == Some(provider(*dtype))).unwrap_or(DType::F32)
}

/// Vec4 `i` of weights in the device's form.
pub(super) fn load_quad(dtype: DType, words: &[u32], i: usize) -> [f32; 4] {
    let (quads, group) = (group_len(dtype) as usize / 4, group_bytes(dtype) as usize / 4);
    let words = &words[i / quads * group..][..group];
    let file = from_device(dtype, bytemuck::cast_slice(words).to_vec());
    let mut values = [0.0; 64];
    dtype.dequantize(&file, &mut values[..quads * 4]);
    std::array::from_fn(|lane| values[i % quads * 4 + lane])
}

/// Writes vec4 `i` of f32 weights, or of f16 weights that are rounded already.
pub(super) fn store_quad(dtype: DType, words: &mut [u32], i: usize, weights: [f32; 4]) {
    let bytes = dtype.quantize(&weights);
    let len = bytes.len() / 4;
    words[i * len..][..len].copy_from_slice(&bytemuck::pod_collect_to_vec::<u8, u32>(&bytes));
}
