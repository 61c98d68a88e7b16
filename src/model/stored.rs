//! The tensors of a model in checkpoints: their names, formats and element orders.

use std::ops::Range;

use super::spec::ModelSpec;
use super::tensors::{TensorKind, TensorSpec};
use crate::dtype::DType;
use crate::error::{Error, Result, bail, err};
use crate::format::checkpoint::{Checkpoint, TensorInfo};

/// The number of elements of a transposed matrix that are read at a time: 4 MiB of f32.
const CHUNK: usize = 1 << 20;

/// The layers of other heads, as transformers names them.
const OTHER_HEADS: [&str; 4] = ["score.", "classifier.", "qa_outputs.", "classification_head."];

/// Suffixes of the tensors that quantized checkpoints have instead of a weight.
const QUANTIZED: [&str; 7] = [
    ".qweight",
    ".weight_packed",
    ".weight_scale",
    ".weight_scale_inv",
    ".weight.absmax",
    ".scales",
    ".weight_blocks",
];

/// A tensor's name and its aliases.
pub(super) fn names(tensor: &TensorSpec) -> impl Iterator<Item = &String> {
    std::iter::once(&tensor.name).chain(&tensor.aliases)
}

/// The format in which the device stores each tensor of a checkpoint.
///
/// # Errors
/// `model-unsupported` naming a tensor that is missing; `file-corrupt` naming one that has the wrong shape; `invalid-argument`
/// naming a matrix that is not quantized, if weights cannot be converted to the format `wanted`.
pub fn formats(spec: &ModelSpec, checkpoint: &Checkpoint, wanted: DType) -> Result<Vec<DType>> {
    let tensors = spec.tensors.as_slice().iter();
    let format = |tensor: &TensorSpec| {
        let found = find(checkpoint, tensor)?.dtype;
        let kept = found.is_quantized() && !tensor.transposed;
        if tensor.kind == TensorKind::Matrix && !kept && wanted.format().encode.is_none() {
            bail!(InvalidArgument, "{} is in {found}: {}", tensor.name, wanted.cannot_encode());
        }
        Ok(stored_as(tensor, found, wanted))
    };
    tensors.map(format).collect()
}

/// The format in which the device stores a tensor that has the format `found` in the file. Norms and biases are f32. Matrices are
/// f32 or f16 if one of these is wanted. If a block format is wanted, blocks in any format that the file has are kept, since
/// quantizing twice would only lose precision, and a matrix whose rows are not whole blocks is stored as f16.
pub fn stored_as(tensor: &TensorSpec, found: DType, wanted: DType) -> DType {
    match (tensor.kind, wanted) {
        (TensorKind::Vector, _) => DType::F32,
        (TensorKind::Matrix, DType::F32 | DType::F16) => wanted,
        (TensorKind::Matrix, _) if found.is_quantized() && !tensor.transposed => found,
        (TensorKind::Matrix, _) if !tensor.width.is_multiple_of(wanted.block_len() as u32) => DType::F16,
        (TensorKind::Matrix, _) => wanted,
    }
}

/// Reads the rows `rows` of a matrix whose transpose the checkpoint stores.
///
/// # Errors
/// The errors of [`Checkpoint::read_f32`].
pub(super) async fn read_transposed(
    checkpoint: &Checkpoint,
    info: &TensorInfo,
    tensor: &TensorSpec,
    rows: Range<u32>,
) -> Result<Vec<f32>> {
    let (all_rows, width) = (tensor.rows as usize, tensor.width as usize);
    let (first, count) = (rows.start as usize, rows.len());
    let mut values = vec![0.0; count * width];
    let columns_at_once = (CHUNK / all_rows).max(1);
    for column in (0..width).step_by(columns_at_once) {
        let columns = columns_at_once.min(width - column);
        let read = checkpoint.read_f32(info, (column * all_rows) as u64, columns * all_rows).await?;
        for (i, stored) in read.chunks_exact(all_rows).enumerate() {
            for (row, value) in stored[first..first + count].iter().enumerate() {
                values[row * width + column + i] = *value;
            }
        }
    }
    Ok(values)
}

/// Finds the tensor under its name or one of its aliases, and checks that it has the shape that the spec expects.
///
/// # Errors
/// `model-unsupported` naming a tensor that is missing; `file-corrupt` naming one that has the wrong shape.
pub(super) fn find<'a>(checkpoint: &'a Checkpoint, tensor: &TensorSpec) -> Result<&'a TensorInfo> {
    let info = names(tensor)
        .filter_map(|name| checkpoint.tensors.get(name))
        .next()
        .ok_or_else(|| absence(checkpoint, tensor))?;
    let expected = tensor.shape();
    if info.shape != expected {
        let place = checkpoint.name();
        bail!(FileCorrupt, "{place}: {} has shape {:?}, expected {expected:?}", info.name, info.shape);
    }
    Ok(info)
}

/// The error for a tensor that is missing from a checkpoint, with the cause as far as the names of the other tensors show it.
fn absence(checkpoint: &Checkpoint, tensor: &TensorSpec) -> Error {
    let (file, wanted) = (checkpoint.name(), &tensor.name);
    let unread = names(tensor).find_map(|name| checkpoint.unread.get_key_value(name));
    let is_there =
        |name: &String| checkpoint.tensors.contains_key(name) || checkpoint.unread.contains_key(name);
    let packed = names(tensor).filter_map(|name| name.strip_suffix(".weight")).find_map(|stem| {
        let siblings = QUANTIZED.iter().map(|end| format!("{stem}{end}"));
        siblings.into_iter().find(is_there)
    });
    match (unread, packed) {
        (_, Some(sibling)) => err!(
            ModelUnsupported,
            "{file}: {wanted} is quantized, as {sibling} shows, in a way that is not supported; use the model's original \
             weights, or a GGUF file of it"
        ),
        (Some((name, dtype)), None) => {
            err!(ModelUnsupported, "{file}: {name} has elements of type {dtype}, expected F32, F16 or BF16")
        }
        (None, None) => {
            let found = match checkpoint.tensors.len() {
                0 => "the file has none".to_owned(),
                1 => "the file has only one".to_owned(),
                count => format!("the file has {count} others"),
            };
            let sample = other_head(checkpoint).or_else(|| checkpoint.tensors.keys().next());
            let sample = sample.map_or(String::new(), |name| format!(", such as {name}"));
            err!(ModelUnsupported, "{file}: no tensor {wanted}: {found}{sample}")
        }
    }
}

/// The name of a tensor that belongs to a head other than the language-model head.
pub(super) fn other_head(checkpoint: &Checkpoint) -> Option<&String> {
    let is_other = |name: &&String| OTHER_HEADS.iter().any(|head| name.starts_with(head));
    checkpoint.tensors.keys().find(is_other)
}

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))] // the test blocks on futures
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::collections::BTreeMap;
    use std::rc::Rc;

    use pollster::block_on;

    use super::*;
    use crate::format::safetensors;
    use crate::format::safetensors_writer::{self, SafetensorsWriter};
    use crate::format::source::MemorySource;
    use crate::model::TensorList;

    #[test]
    fn a_transposed_matrix_is_read_in_any_parts() {
        // More elements than are read at a time.
        let (rows, width) = (1200_u32, 1000_u32);
        let mut tensors = TensorList::default();
        let linear = tensors.conv1d("w", rows, width, false);
        let tensor = &tensors.as_slice()[linear.weight];
        let spec = safetensors_writer::TensorSpec {
            name: tensor.name.clone(),
            dtype: DType::F32,
            shape: tensor.shape(),
        };
        let mut file = Vec::new();
        let sink = |bytes: &[u8]| {
            file.extend_from_slice(bytes);
            Ok(())
        };
        let mut writer = SafetensorsWriter::new(&[spec], &BTreeMap::new(), sink).unwrap();
        // The element of row r and column c is r * width + c.
        let stored: Vec<f32> =
            (0..width).flat_map(|c| (0..rows).map(move |r| (r * width + c) as f32)).collect();
        writer.write_f32(&tensor.name, &stored).unwrap();
        let _sink = writer.finish().unwrap();
        let source = Rc::new(MemorySource::new("w", Rc::<[u8]>::from(file)));
        let checkpoint = block_on(safetensors::parse(source)).unwrap();
        let info = find(&checkpoint, tensor).unwrap();
        for part in [0..rows, 0..4, 800..rows] {
            let values = block_on(read_transposed(&checkpoint, info, tensor, part.clone())).unwrap();
            let right: Vec<f32> = (part.start * width..part.end * width).map(|i| i as f32).collect();
            assert!(values == right, "rows {part:?}");
        }
    }
}
