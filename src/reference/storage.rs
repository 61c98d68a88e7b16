//! CPU reference of the snippets `shaders/lib/storage_*.wgsl`: stored weights, one vec4 at a time.

use super::Call;
use crate::dtype::{DType, Format};
use crate::error::Result;
use crate::kernel::storage::{from_device, group_bytes, group_len, provider};

/// The format of the stored weights that a dispatch reads.
pub(crate) fn stored_as(call: &Call<'_>) -> DType {
    let snippet = call.provider("storage");
    let mut formats = Format::on_device().map(|format| format.dtype);
    formats.find(|dtype| snippet == Some(provider(*dtype))).unwrap_or(DType::F32)
}

/// Reads stored weights. It caches the group that it decoded last, because kernels read consecutive vec4s.
pub(super) struct Stored<'a> {
    dtype: DType,
    words: &'a [u32],
    group: Option<usize>,
    values: Vec<f32>,
}

impl<'a> Stored<'a> {
    /// Weights in the layout of the device.
    pub(super) fn new(dtype: DType, words: &'a [u32]) -> Self {
        Stored { dtype, words, group: None, values: vec![0.0; group_len(dtype) as usize] }
    }

    /// Vec4 `i`.
    pub(super) fn load(&mut self, i: usize) -> [f32; 4] {
        let vec4s = self.values.len() / 4;
        let group = i / vec4s;
        if self.group != Some(group) {
            let len = group_bytes(self.dtype) as usize / 4;
            let words = &self.words[group * len..][..len];
            let file = from_device(self.dtype, bytemuck::cast_slice(words).to_vec());
            self.dtype.dequantize(&file, &mut self.values);
            self.group = Some(group);
        }
        std::array::from_fn(|lane| self.values[i % vec4s * 4 + lane])
    }
}

/// Vec4 `i` of weights in the layout of the device.
pub(super) fn load_vec4(dtype: DType, words: &[u32], i: usize) -> [f32; 4] {
    Stored::new(dtype, words).load(i)
}

/// Writes vec4 `i` of weights in a trainable format. The weights have already been rounded to it.
pub(super) fn store_vec4(dtype: DType, words: &mut [u32], i: usize, weights: [f32; 4]) -> Result<()> {
    let bytes = dtype.quantize(&weights)?;
    let len = bytes.len() / 4;
    words[i * len..][..len].copy_from_slice(&bytemuck::pod_collect_to_vec::<u8, u32>(&bytes));
    Ok(())
}
