//! Writes the weights of an adapter, `adapter_model.safetensors`.

use std::collections::BTreeMap;

use super::{AdapterTensor, ROOT};
use crate::dtype::DType;
use crate::error::{Result, bail};
use crate::format::safetensors_writer::{SafetensorsWriter, TensorSpec};

/// Writes the weights of an adapter, in f32. Tensors must be written in the order of [`super::tensors`]. A prefix is held in memory
/// until its last part, because each row of the file has all layers side by side.
pub struct AdapterWriter<'a, S> {
    tensors: &'a [AdapterTensor],
    writer: SafetensorsWriter<S>,
    next: usize,
    /// The parts written so far of a file tensor that consists of several parts.
    parts: Vec<Vec<f32>>,
}

impl<'a, S: FnMut(&[u8]) -> Result<()>> AdapterWriter<'a, S> {
    /// Writes the header for these tensors, as listed by [`super::tensors`], and then for tensors that replace or extend those of
    /// the base model, with their names and shapes there.
    ///
    /// # Errors
    /// The errors of [`SafetensorsWriter::new`].
    pub fn new(tensors: &'a [AdapterTensor], replaced: &[(&str, &[u64])], sink: S) -> Result<Self> {
        let spec = |tensor: &AdapterTensor| TensorSpec {
            name: tensor.name.clone(),
            dtype: DType::F32,
            shape: vec![tensor.rows, tensor.columns],
        };
        let whole = tensors.iter().filter(|tensor| tensor.first_column == 0);
        let replaced = replaced.iter().map(|(name, shape)| TensorSpec {
            name: format!("{ROOT}{name}"),
            dtype: DType::F32,
            shape: shape.to_vec(),
        });
        let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
        let writer =
            SafetensorsWriter::new(&whole.map(spec).chain(replaced).collect::<Vec<_>>(), &metadata, sink)?;
        Ok(AdapterWriter { tensors, writer, next: 0, parts: Vec::new() })
    }

    /// Length of the finished file in bytes.
    pub fn file_len(&self) -> u64 {
        self.writer.file_len()
    }

    /// Writes the next tensor as a whole.
    ///
    /// # Errors
    /// `invalid-argument` if all tensors have been written or the size is wrong; the sink's own
    /// errors.
    pub fn write(&mut self, values: &[f32]) -> Result<()> {
        let Some(tensor) = self.tensors.get(self.next) else {
            bail!(
                InvalidArgument,
                "all {} tensors of the adapter have been written already",
                self.tensors.len()
            );
        };
        let expected = tensor.rows.checked_mul(tensor.width);
        if expected != Some(values.len() as u64) {
            bail!(
                InvalidArgument,
                "adapter tensor {} of `{}`: expected {} x {} elements, found {}",
                self.next,
                tensor.name,
                tensor.rows,
                tensor.width,
                values.len()
            );
        }
        self.next += 1;
        if tensor.columns == tensor.width {
            return self.writer.write_f32(&tensor.name, values);
        }
        self.parts.push(values.to_vec());
        if tensor.first_column + tensor.width < tensor.columns {
            return Ok(());
        }
        let parts = std::mem::take(&mut self.parts);
        let width = tensor.width as usize;
        for row in 0..tensor.rows as usize {
            for part in &parts {
                self.writer.write_f32(&tensor.name, &part[row * width..][..width])?;
            }
        }
        Ok(())
    }

    /// Writes a tensor that replaces one of the base model. These follow the adapter's own tensors.
    ///
    /// # Errors
    /// The errors of [`SafetensorsWriter::write_f32`].
    pub fn write_replaced(&mut self, name: &str, values: &[f32]) -> Result<()> {
        self.writer.write_f32(&format!("{ROOT}{name}"), values)
    }

    /// Ends the file and returns the sink.
    ///
    /// # Errors
    /// `invalid-argument` if a tensor has not been written.
    pub fn finish(self) -> Result<S> {
        self.writer.finish()
    }
}
