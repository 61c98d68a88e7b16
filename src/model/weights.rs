//! A model's stored weights on the device: matrices in parts that can be bound whole, norms and biases side by side.

use std::rc::Rc;

use xxhash_rust::xxh3::Xxh3;

use super::packed::Packed;
use super::spec::ModelSpec;
use super::stored::{find, formats, read_transposed};
use super::tensors::{TensorId, TensorKind, TensorSpec};
use crate::dtype::{DType, Format};
use crate::error::{Result, bail};
use crate::format::checkpoint::{Checkpoint, TensorInfo};
use crate::gpu::{Backend, Buffer, MemoryClass};
use crate::kernel::storage;

/// Elements decoded at a time: 4 MiB of f32.
const CHUNK: u64 = 1 << 20;

/// Elements of a transposed matrix that are put in order at a time, 32 MiB of f32: a matrix is read once for each such part of it.
const TRANSPOSED: u64 = 8 << 20;

/// Consecutive rows of a matrix in a buffer of their own.
#[derive(Clone, Debug)]
pub struct Part {
    /// The first row. It is a multiple of 4, so that a part begins with a whole vec4, and with a whole group of every format.
    pub first_row: u32,
    /// Number of rows.
    pub rows: u32,
    /// `[rows, width]` in the matrix's format ([`crate::kernel::storage`]).
    pub buffer: Buffer,
}

/// A stored matrix.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// The tensor's ordinal.
    pub id: TensorId,
    /// The format that the device holds it in.
    pub dtype: DType,
    /// Whether it is trained: branches see it perturbed, and updates change it.
    pub trained: bool,
    /// The number of rows of all parts.
    pub rows: u32,
    /// Elements of a row.
    pub width: u32,
    /// The parts, in order. Together they have all rows.
    pub parts: Vec<Part>,
}

/// The place of each tensor.
#[derive(Clone, Debug)]
enum Place {
    Matrix(Matrix),
    /// Index among the norms and biases.
    Vector(usize),
}

/// Progress of loading.
#[derive(Clone, Copy, Debug)]
pub struct LoadProgress {
    /// Elements on the device.
    pub loaded: u64,
    /// Elements of the model.
    pub total: u64,
}

/// A model's weights on a backend.
pub struct Weights {
    spec: Rc<ModelSpec>,
    places: Vec<Place>,
    norms_and_biases: Packed,
    fingerprint: u64,
}

impl Weights {
    /// Loads every tensor of the spec, a few MiB at a time, and matrices in the format `wanted` ([`stored_as`]).
    ///
    /// Values below the smallest normal f32 become zero: GPUs flush them, and replay must not depend on it.
    ///
    /// # Errors
    /// `file-corrupt` naming a tensor that is missing or has another shape; the errors of reading; `aborted` when `progress` returns it.
    pub async fn load(
        backend: &dyn Backend,
        spec: Rc<ModelSpec>,
        checkpoint: &Checkpoint,
        wanted: DType,
        progress: &mut dyn FnMut(LoadProgress) -> Result<()>,
    ) -> Result<Weights> {
        // A checkpoint that does not fit is refused before anything is allocated.
        let formats = formats(&spec, checkpoint, wanted)?;
        let mut weights = Weights::allocate(backend, spec, &formats)?;
        weights.fill(backend, checkpoint, progress).await?;
        Ok(weights)
    }

    /// Writes the checkpoint's values over the present ones.
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

    /// Writes the checkpoint's values over those of one tensor. `written` receives the values, a few MiB at a time. The
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
                    bail!(FileCorrupt, "{file}: {name} holds {value}, expected finite numbers");
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

    /// Weights of zeros. `formats` gives for each tensor of the spec the format that the device holds it in.
    ///
    /// # Errors
    /// `limit-exceeded` naming a tensor that no binding holds four rows of.
    pub fn allocate(backend: &dyn Backend, spec: Rc<ModelSpec>, formats: &[DType]) -> Result<Weights> {
        let mut places = Vec::new();
        let mut small = Vec::new();
        for ((id, tensor), dtype) in spec.tensors.as_slice().iter().enumerate().zip(formats) {
            places.push(match tensor.kind {
                TensorKind::Matrix => Place::Matrix(allocate_matrix(backend, id, tensor, *dtype)?),
                TensorKind::Vector => {
                    small.push((id, tensor.elements()));
                    Place::Vector(small.len() - 1)
                }
            });
        }
        let norms_and_biases = Packed::allocate(backend, "norms and biases", MemoryClass::Weights, small)?;
        Ok(Weights { spec, places, norms_and_biases, fingerprint: 0 })
    }

    /// Chooses the tensors that are trained. Before the first call, all tensors are trained whose format allows it.
    ///
    /// # Errors
    /// `invalid-argument` for a matrix whose format cannot be trained; those of the backend.
    pub fn train(&mut self, backend: &dyn Backend, trained: &dyn Fn(TensorId) -> bool) -> Result<()> {
        for place in &mut self.places {
            if let Place::Matrix(matrix) = place {
                matrix.trained = trained(matrix.id);
                if matrix.trained && !matrix.dtype.format().trainable {
                    let name = &self.spec.tensors.as_slice()[matrix.id].name;
                    let trainable: Vec<&str> = Format::trainable().map(|f| f.dtype.option()).collect();
                    bail!(
                        InvalidArgument,
                        "{name} is stored as {}: full-parameter training needs dtype {}; over quantized weights \
                         train an adapter (method lora or prefix, or estimator low-rank)",
                        matrix.dtype,
                        trainable.join(" or ")
                    );
                }
            }
        }
        self.norms_and_biases.train(backend, trained)
    }

    /// The file's own blocks, if the device stores them.
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

    /// Values in the format that the device holds the tensor in, in the order of files.
    fn encode(&self, id: TensorId, values: &[f32]) -> Result<Vec<u8>> {
        let Place::Matrix(matrix) = &self.places[id] else { return DType::F32.quantize(values) };
        let most = half::f16::MAX.to_f32();
        // The scales of blocks are f16 as well.
        if matrix.dtype != DType::F32
            && let Some(value) = values.iter().find(|value| value.abs() > most)
        {
            let name = &self.spec.tensors.as_slice()[id].name;
            let dtype = matrix.dtype.option();
            bail!(
                InvalidArgument,
                "{name} holds {value}, dtype {dtype} takes values up to {most}: use dtype f32"
            );
        }
        matrix.dtype.quantize(values)
    }

    /// Writes whole rows, given in the order of files. The first is a multiple of 4.
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
                        backend.write(&part.buffer, at(first - part.first_row), bytes)?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Reads a tensor back as f32, in chunks of a few MiB where it is large.
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
                        let file = storage::from_device(
                            matrix.dtype,
                            backend.read(&part.buffer, offset, bytes).await?,
                        );
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

    /// The model's description.
    pub fn spec(&self) -> &Rc<ModelSpec> {
        &self.spec
    }

    /// A hash of the names and values of all tensors as they were loaded. It is the same for any files that hold the same values.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// A matrix.
    ///
    /// # Errors
    /// `invalid-argument` for the ordinal of a vector: a fault of a family.
    pub fn matrix(&self, id: TensorId) -> Result<&Matrix> {
        match self.places.get(id) {
            Some(Place::Matrix(matrix)) => Ok(matrix),
            _ => bail!(InvalidArgument, "tensor {id} is not a matrix"),
        }
    }

    /// Where a norm's weight or a bias begins in [`Weights::norms_and_biases`], in elements.
    ///
    /// # Errors
    /// `invalid-argument` for the ordinal of a matrix: a fault of a family.
    pub fn vector(&self, id: TensorId) -> Result<u32> {
        match self.places.get(id) {
            Some(Place::Vector(index)) => Ok(self.norms_and_biases.first(*index)),
            _ => bail!(InvalidArgument, "tensor {id} is not a vector"),
        }
    }

    /// All norms and biases.
    pub fn norms_and_biases(&self) -> &Packed {
        &self.norms_and_biases
    }

    /// All matrices, in canonical order.
    pub fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        self.places.iter().filter_map(|place| match place {
            Place::Matrix(matrix) => Some(matrix),
            Place::Vector(_) => None,
        })
    }
}

fn allocate_matrix(backend: &dyn Backend, id: TensorId, tensor: &TensorSpec, dtype: DType) -> Result<Matrix> {
    // Four rows are whole groups in every format.
    let four = storage::bytes(dtype, 4 * u64::from(tensor.width));
    let most = (backend.limits().whole_binding() / four).min(u64::from(u32::MAX / 4)) as u32 * 4;
    if most == 0 {
        bail!(LimitExceeded, "{}: four rows of {} do not fit a binding", tensor.name, tensor.width);
    }
    let mut parts = Vec::new();
    let mut first_row = 0;
    while first_row < tensor.rows {
        let rows = most.min(tensor.rows - first_row);
        let name = format!("{}[{first_row}..]", tensor.name);
        let bytes = storage::bytes(dtype, u64::from(rows) * u64::from(tensor.width));
        parts.push(Part { first_row, rows, buffer: backend.create(&name, bytes, MemoryClass::Weights)? });
        first_row += rows;
    }
    Ok(Matrix { id, dtype, trained: dtype.format().trainable, rows: tensor.rows, width: tensor.width, parts })
}
