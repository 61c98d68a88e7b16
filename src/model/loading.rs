//! Moves weight values from a checkpoint to the device or to the file of streamed layers, and back.

use std::rc::Rc;

use xxhash_rust::xxh3::Xxh3;

use super::spec::ModelSpec;
use super::stored::{find, formats, read_transposed};
use super::streamed::Streamed;
use super::tensors::TensorId;
use super::weights::{Place, Weights};
use crate::dtype::DType;
use crate::error::{Result, bail};
use crate::format::checkpoint::{Checkpoint, TensorInfo};
use crate::format::source::Scratch;
use crate::gpu::Backend;
use crate::kernel::storage;

/// Elements decoded at a time: 4 MiB of f32.
const CHUNK: u64 = 1 << 20;

/// Elements of a transposed matrix that are reordered at a time: 32 MiB of f32. The whole matrix is read once for each such part.
const TRANSPOSED: u64 = 8 << 20;

/// Progress of loading.
#[derive(Clone, Copy, Debug)]
pub struct LoadProgress {
    /// Elements written to the device.
    pub loaded: u64,
    /// Elements of the whole model.
    pub total: u64,
}

impl Weights {
    /// Loads every tensor of the spec, a few MiB at a time, with matrices in the format `wanted` ([`super::stored_as`]). If a file
    /// `layers` is given, the matrices of layers are written to it and then streamed.
    ///
    /// Values below the smallest normal f32 become zero: GPUs flush them, and replay must not depend on that.
    ///
    /// # Errors
    /// `file-corrupt` naming a tensor that is missing or has the wrong shape; read errors; errors from `progress`.
    pub async fn load(
        backend: &dyn Backend,
        spec: Rc<ModelSpec>,
        checkpoint: &Checkpoint,
        wanted: DType,
        layers: Option<Rc<dyn Scratch>>,
        progress: &mut dyn FnMut(LoadProgress) -> Result<()>,
    ) -> Result<Weights> {
        // A checkpoint that does not match is rejected before anything is allocated.
        let formats = formats(&spec, checkpoint, wanted)?;
        let mut weights = Weights::allocate(backend, spec, &formats, layers)?;
        weights.streamed.as_ref().map_or(Ok(()), Streamed::reserve)?;
        weights.fill(backend, checkpoint, progress).await?;
        Ok(weights)
    }

    /// Overwrites the present values with the checkpoint's.
    ///
    /// # Errors
    /// The errors of [`Weights::load`].
    pub async fn fill(
        &mut self,
        backend: &dyn Backend,
        checkpoint: &Checkpoint,
        progress: &mut dyn FnMut(LoadProgress) -> Result<()>,
    ) -> Result<()> {
        let spec = self.spec.clone();
        let total = spec.parameters();
        let mut loaded = 0;
        let mut hash = Xxh3::new();
        for (id, tensor) in spec.tensors.as_slice().iter().enumerate() {
            hash.update(tensor.name.as_bytes());
            let mut written = |values: &[f32]| {
                hash.update(bytemuck::cast_slice(values));
                loaded += values.len() as u64;
                progress(LoadProgress { loaded, total })
            };
            self.fill_tensor(backend, id, checkpoint, &mut written).await?;
        }
        self.fingerprint = hash.digest();
        Ok(())
    }

    /// Overwrites the values of one tensor with the checkpoint's. `written` receives the values, a few MiB at a time. The
    /// fingerprint remains that of the values that were loaded before.
    ///
    /// # Errors
    /// The errors of [`Weights::load`].
    pub async fn fill_tensor(
        &self,
        backend: &dyn Backend,
        id: TensorId,
        checkpoint: &Checkpoint,
        written: &mut dyn FnMut(&[f32]) -> Result<()>,
    ) -> Result<()> {
        let tensor = &self.spec.tensors.as_slice()[id];
        let info = find(checkpoint, tensor)?;
        let at_once = if tensor.transposed { TRANSPOSED } else { CHUNK };
        let rows_at_once = (at_once / u64::from(tensor.width)).max(1).next_multiple_of(4) as u32;
        let mut row = 0;
        while row < tensor.rows {
            let rows = rows_at_once.min(tensor.rows - row);
            let first = u64::from(row) * u64::from(tensor.width);
            let count = rows as usize * tensor.width as usize;
            let blocks = self.kept_blocks(id, info, checkpoint, first, count).await?;
            let mut values = match &blocks {
                Some(blocks) => {
                    let mut values = vec![0.0; count];
                    info.dtype.dequantize(blocks, &mut values);
                    values
                }
                None if tensor.transposed && !info.transpose_stored() => {
                    read_transposed(checkpoint, info, tensor, row..row + rows).await?
                }
                None => checkpoint.read_f32(info, first, count).await?,
            };
            for value in &mut values {
                if !value.is_finite() {
                    let (file, name) = (checkpoint.name(), &info.name);
                    bail!(FileCorrupt, "{file}: {name} contains {value}, expected finite numbers");
                }
                if !value.is_normal() {
                    *value = 0.0;
                }
            }
            let encoded = match blocks {
                Some(blocks) => blocks,
                None => self.encode(id, &values).map_err(|e| e.at(checkpoint.name()))?,
            };
            self.write_rows(backend, id, row, rows, encoded)?;
            row += rows;
            written(&values)?;
        }
        Ok(())
    }

    /// The file's own quantized blocks, if the device stores the same format.
    async fn kept_blocks(
        &self,
        id: TensorId,
        info: &TensorInfo,
        checkpoint: &Checkpoint,
        first: u64,
        count: usize,
    ) -> Result<Option<Vec<u8>>> {
        let len = info.dtype.block_len() as u64;
        match &self.places[id] {
            Place::Matrix(matrix)
                if matrix.dtype == info.dtype
                    && info.dtype.is_quantized()
                    && !self.spec.tensors.as_slice()[id].transposed =>
            {
                checkpoint.read_blocks(info, first / len, count / len as usize).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Encodes values, in file order, in the format that the device stores the tensor in.
    fn encode(&self, id: TensorId, values: &[f32]) -> Result<Vec<u8>> {
        let Place::Matrix(matrix) = &self.places[id] else { return DType::F32.quantize(values) };
        let most = half::f16::MAX.to_f32();
        // The scales of quantized blocks are also f16.
        if matrix.dtype != DType::F32
            && let Some(value) = values.iter().find(|value| value.abs() > most)
        {
            let name = &self.spec.tensors.as_slice()[id].name;
            let dtype = matrix.dtype.option();
            bail!(
                InvalidArgument,
                "{name} contains {value}, but dtype {dtype} only holds values up to {most}: use dtype f32"
            );
        }
        matrix.dtype.quantize(values)
    }

    /// Writes whole rows, given in file order. The first row is a multiple of 4.
    fn write_rows(
        &self,
        backend: &dyn Backend,
        id: TensorId,
        row: u32,
        rows: u32,
        encoded: Vec<u8>,
    ) -> Result<()> {
        match &self.places[id] {
            Place::Vector(index) => {
                self.norms_and_biases.write(backend, *index, 0, bytemuck::cast_slice(&encoded))
            }
            Place::Matrix(matrix) => {
                let encoded = storage::to_device(matrix.dtype, encoded);
                let at = |row: u32| storage::bytes(matrix.dtype, u64::from(row) * u64::from(matrix.width));
                for part in &matrix.parts {
                    let first = row.max(part.first_row);
                    let end = (row + rows).min(part.first_row + part.rows);
                    if first < end {
                        let (from, len) = (at(first - row) as usize, at(end - first) as usize);
                        let bytes = &encoded[from..(from + len).min(encoded.len())];
                        let offset = at(first - part.first_row);
                        match self.streamed.as_ref().and_then(|s| s.file(id, part.first_row)) {
                            Some((file, begin)) => file.write(begin + offset, bytes)?,
                            None => backend.write(&part.buffer, offset, bytes)?,
                        }
                    }
                }
                Ok(())
            }
        }
    }

    /// Reads a tensor back as f32. Large tensors are read in chunks of a few MiB.
    ///
    /// # Errors
    /// The errors of [`Backend::read`].
    pub async fn read(
        &self,
        backend: &dyn Backend,
        id: TensorId,
        sink: &mut dyn FnMut(&[f32]) -> Result<()>,
    ) -> Result<()> {
        match &self.places[id] {
            Place::Vector(index) => sink(&self.norms_and_biases.read(backend, *index).await?),
            Place::Matrix(matrix) => {
                let (group, len) = (storage::group_bytes(matrix.dtype), storage::group_len(matrix.dtype));
                for part in &matrix.parts {
                    let elements = u64::from(part.rows) * u64::from(matrix.width);
                    let mut done = 0;
                    while done < elements {
                        let count = (elements - done).min(CHUNK);
                        let (offset, bytes) = (done / len * group, count.div_ceil(len) * group);
                        let stored = match self.streamed.as_ref().and_then(|s| s.file(id, part.first_row)) {
                            Some((file, begin)) => file.read(begin + offset, bytes as usize).await?,
                            None => backend.read(&part.buffer, offset, bytes).await?,
                        };
                        let file = storage::from_device(matrix.dtype, stored);
                        let mut values = vec![0.0; count.next_multiple_of(len) as usize];
                        matrix.dtype.dequantize(&file, &mut values);
                        sink(&values[..count as usize])?;
                        done += count;
                    }
                }
                Ok(())
            }
        }
    }
}
