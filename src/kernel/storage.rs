//! Weights in device memory, in the layouts read by the snippets `shaders/lib/storage_*.wgsl` and described by [`Device`].

use std::ops::Range;

use crate::dtype::{DType, Device};

/// The layout of a format. A format that no device stores, such as BF16, uses the layout of f32.
fn device(dtype: DType) -> &'static Device {
    dtype.format().device.as_ref().unwrap_or(&Device::F32)
}

/// Elements per group.
pub fn group_len(dtype: DType) -> u64 {
    (device(dtype).group * dtype.block_len()) as u64
}

/// Bytes per group, in files and on the device.
pub fn group_bytes(dtype: DType) -> u64 {
    (device(dtype).group * dtype.block_bytes()) as u64
}

/// Bytes that `elements` elements take on the device, in whole groups.
pub fn bytes(dtype: DType, elements: u64) -> u64 {
    elements.div_ceil(group_len(dtype)) * group_bytes(dtype)
}

/// The name of the snippet that reads the format.
pub fn provider(dtype: DType) -> &'static str {
    device(dtype).snippet.0
}

/// Reorders blocks from the order of files to that of the device, starting with the first block of a group. The last group is
/// padded with zeros.
pub fn to_device(dtype: DType, mut blocks: Vec<u8>) -> Vec<u8> {
    let group = group_bytes(dtype) as usize;
    blocks.resize(blocks.len().next_multiple_of(group), 0);
    reorder(dtype, &mut blocks, |ordered, group, at, from| ordered[at].copy_from_slice(&group[from]));
    blocks
}

/// Reorders whole groups from the device's order to that of files.
pub fn from_device(dtype: DType, mut words: Vec<u8>) -> Vec<u8> {
    reorder(dtype, &mut words, |ordered, group, at, from| ordered[from].copy_from_slice(&group[at]));
    words
}

/// Calls `copy(to, from, device range, file range)` for each piece of every group.
fn reorder(dtype: DType, bytes: &mut [u8], copy: impl Fn(&mut [u8], &[u8], Range<usize>, Range<usize>)) {
    if !dtype.is_quantized() {
        return;
    }
    let (device, block) = (device(dtype), dtype.block_bytes());
    let mut before = vec![0; group_bytes(dtype) as usize];
    for group in bytes.chunks_exact_mut(before.len()) {
        before.copy_from_slice(group);
        let mut at = 0;
        for piece in device.order {
            for first in (0..device.group).map(|i| i * block) {
                copy(group, &before, at..at + piece.len(), first + piece.start..first + piece.end);
                at += piece.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::Format;

    #[test]
    fn the_device_form_goes_there_and_back() {
        for dtype in Format::on_device().map(|format| format.dtype) {
            let file: Vec<u8> = (0..group_bytes(dtype) * 3).map(|i| (i * 7 % 251) as u8).collect();
            let device = to_device(dtype, file.clone());
            assert_eq!(from_device(dtype, device), file, "{dtype}");
            assert_eq!(bytes(dtype, 3 * group_len(dtype)), file.len() as u64);
        }
    }

    #[test]
    fn a_half_filled_group_is_padded() {
        let device = to_device(DType::Q8_0, vec![1; 34]);
        assert_eq!(device.len(), 68);
        assert_eq!((device[0], device[32], device[64], device[66]), (1, 0, 1, 0));
    }
}
