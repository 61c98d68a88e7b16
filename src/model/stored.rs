//! The tensors of a model as checkpoints hold them: under which name, in which format and order.

use std::ops::Range;

use super::spec::ModelSpec;
use super::tensors::{TensorKind, TensorSpec};
use crate::dtype::DType;
use crate::error::{Result, bail, err};
use crate::format::checkpoint::{Checkpoint, TensorInfo};

/// How many elements of a transposed matrix are read at a time: 4 MiB of f32.
const CHUNK: usize = 1 << 20;

/// The spec of a model whose checkpoint may lack the language-model head, as those of sentence encoders and classifiers do. Where it
/// has none of the tensors that only the head has, they are removed from the spec, and whatever needs the head is refused
/// ([`ModelSpec::head`]). A head without tensors of its own is missing where the checkpoint has a classifier's outputs.
pub fn without_missing_head(mut spec: ModelSpec, checkpoint: &Checkpoint) -> ModelSpec {
    let Ok(head) = &spec.head else { return spec };
    let own = head.own_tensors(&spec.embedding);
    let tensors = spec.tensors.as_slice();
    // A classifier may have the head's dense layer and norm too.
    let shared = |name: &str| {
        let dense = spec.classifier.and_then(|classifier| classifier.dense);
        let names = dense.into_iter().flat_map(|dense| [Some(dense.name), dense.norm.map(|(norm, _)| norm)]);
        names.flatten().any(|module| name.strip_prefix(module).is_some_and(|rest| rest.starts_with('.')))
    };
    let mut decisive = own.iter().map(|id| &tensors[*id]).filter(|tensor| !shared(&tensor.name)).peekable();
    let output = spec.classifier.map(|classifier| format!("{}.weight", classifier.output));
    let (missing, why) = match (decisive.peek(), output) {
        (Some(first), _) => {
            let why = format!("there is no tensor {}", first.name);
            (decisive.all(|t| names(t).all(|name| !checkpoint.tensors.contains_key(name))), why)
        }
        (None, Some(output)) => (checkpoint.tensors.contains_key(&output), format!("there is {output}")),
        (None, None) => return spec,
    };
    if missing && spec.tensors.remove_last(&own) {
        spec.head = Err(err!(
            ModelUnsupported,
            "{}: the model has no language-model head ({why}), which this needs; \
             a classifier is trained on it with method readout",
            checkpoint.name()
        ));
    }
    spec
}

/// A tensor's name and its aliases.
fn names(tensor: &TensorSpec) -> impl Iterator<Item = &String> {
    std::iter::once(&tensor.name).chain(&tensor.aliases)
}

/// The format in which the device holds each tensor of a checkpoint.
///
/// # Errors
/// `file-corrupt` naming a tensor that is missing or has another shape; `invalid-argument` naming a matrix that is not in blocks, where
/// weights cannot be converted to the format `wanted`.
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

/// The format in which the device holds a tensor that a file has in the format `found`. Norms and biases are f32. Matrices are f32 or
/// f16 where that is wanted. Where a block format is wanted, blocks of any format that the file has are kept, since quantizing twice
/// would only lose precision, and a matrix whose rows are not whole blocks is held in f16.
pub fn stored_as(tensor: &TensorSpec, found: DType, wanted: DType) -> DType {
    match (tensor.kind, wanted) {
        (TensorKind::Vector, _) => DType::F32,
        (TensorKind::Matrix, DType::F32 | DType::F16) => wanted,
        (TensorKind::Matrix, _) if found.is_quantized() && !tensor.transposed => found,
        (TensorKind::Matrix, _) if !tensor.width.is_multiple_of(wanted.block_len() as u32) => DType::F16,
        (TensorKind::Matrix, _) => wanted,
    }
}

/// Some rows of a matrix of which the checkpoint holds the transpose.
///
/// # Errors
/// Those of [`Checkpoint::read_f32`].
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

/// The tensor under its name or one of its aliases, with the shape that the spec expects.
///
/// # Errors
/// `file-corrupt` naming a tensor that is missing or has another shape.
pub(super) fn find<'a>(checkpoint: &'a Checkpoint, tensor: &TensorSpec) -> Result<&'a TensorInfo> {
    let info = names(tensor)
        .filter_map(|name| checkpoint.tensors.get(name))
        .next()
        .ok_or_else(|| err!(FileCorrupt, "{}: no tensor {}", checkpoint.name(), tensor.name))?;
    let expected = tensor.shape();
    if info.shape != expected {
        let place = checkpoint.name();
        bail!(FileCorrupt, "{place}: {} has shape {:?}, expected {expected:?}", info.name, info.shape);
    }
    Ok(info)
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
