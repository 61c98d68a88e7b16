//! How weights lie in device memory: the formats behind the providers `shaders/lib/storage_*.wgsl`.
//!
//! A *group* is the least number of elements whose device form is whole words. The block formats keep the file's blocks, put
//! in order for 32-bit access: the quants of a group's blocks first, then their scales (and minima), 16 bits each.
//!
//! | format | group | words |
//! |---|---|---|
//! | F32 | 4 elements | 4 |
//! | F16 | 4 elements | 2 |
//! | Q8_0 | 2 blocks of 32 | 8 + 8 of quants, 1 of scales |
//! | Q4_0 | 2 blocks of 32 | 4 + 4 of quants, 1 of scales |
//! | Q4_1 | 1 block of 32 | 4 of quants, 1 of scale and minimum |

use crate::dtype::DType;

/// Elements of a group.
pub fn group_len(dtype: DType) -> u64 {
    match dtype {
        DType::F32 | DType::F16 | DType::BF16 => 4,
        DType::Q8_0 | DType::Q4_0 => 64,
        DType::Q4_1 => 32,
    }
}

/// Bytes of a group, in files and on the device.
pub fn group_bytes(dtype: DType) -> u64 {
    group_len(dtype) / dtype.block_len() as u64 * dtype.block_bytes() as u64
}

/// Bytes that so many elements take on the device: whole groups.
pub fn bytes(dtype: DType, elements: u64) -> u64 {
    elements.div_ceil(group_len(dtype)) * group_bytes(dtype)
}

/// The snippet that reads the format; every format of [`DType`] but BF16, which no device holds, has its own.
pub fn provider(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 | DType::BF16 => "storage_f32",
        DType::F16 => "storage_f16",
        DType::Q8_0 => "storage_q8_0",
        DType::Q4_0 => "storage_q4_0",
        DType::Q4_1 => "storage_q4_1",
    }
}

/// Blocks as files hold them, from a group's begin, in the device's order; the last group is filled up with zeros.
pub fn to_device(dtype: DType, mut blocks: Vec<u8>) -> Vec<u8> {
    let group = group_bytes(dtype) as usize;
    blocks.resize(blocks.len().next_multiple_of(group), 0);
    reorder(dtype, &mut blocks, |ordered, group, at, from| ordered[at].copy_from_slice(&group[from]));
    blocks
}

/// Whole groups in the device's order, as files hold them.
pub fn from_device(dtype: DType, mut words: Vec<u8>) -> Vec<u8> {
    reorder(dtype, &mut words, |ordered, group, at, from| ordered[from].copy_from_slice(&group[at]));
    words
}

type Range = std::ops::Range<usize>;

/// Calls `copy(to, from, device range, file range)` for the pieces of every group.
fn reorder(dtype: DType, bytes: &mut [u8], copy: impl Fn(&mut [u8], &[u8], Range, Range)) {
    if !dtype.is_quantized() {
        return;
    }
    let (len, block) = (group_bytes(dtype) as usize, dtype.block_bytes());
    let scales = if dtype == DType::Q4_1 { 4 } else { 2 };
    let (blocks, quants) = (len / block, block - scales);
    for group in bytes.chunks_exact_mut(len) {
        let before = group.to_vec();
        for i in 0..blocks {
            let (file, first_scale) = (i * block, blocks * quants + i * scales);
            copy(group, &before, i * quants..(i + 1) * quants, file + scales..file + block);
            copy(group, &before, first_scale..first_scale + scales, file..file + scales);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_form_goes_there_and_back() {
        for dtype in [DType::F32, DType::F16, DType::Q8_0, DType::Q4_0, DType::Q4_1] {
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
