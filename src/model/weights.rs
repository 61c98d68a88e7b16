//! A model's stored weights on the device: matrices in parts that can be bound whole, vectors side by side.

use std::rc::Rc;

use xxhash_rust::xxh3::Xxh3;

use super::spec::{ModelSpec, TensorId, TensorKind, TensorSpec};
use crate::error::{Result, bail, err};
use crate::format::checkpoint::{Checkpoint, TensorInfo};
use crate::gpu::{Backend, Buffer, MemoryClass};

/// Elements decoded at a time: 4 MiB of f32.
const CHUNK: u64 = 1 << 20;

/// Consecutive rows of a matrix in a buffer of their own.
#[derive(Clone, Debug)]
pub struct Part {
    /// First row; a multiple of 4, so that a part begins with a whole quad.
    pub first_row: u32,
    /// Rows.
    pub rows: u32,
    /// `[rows, width]` f32.
    pub buffer: Buffer,
}

/// A stored matrix.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Its ordinal.
    pub id: TensorId,
    /// Rows in all parts.
    pub rows: u32,
    /// Elements of a row.
    pub width: u32,
    /// In order; together all rows.
    pub parts: Vec<Part>,
}

/// All vectors of the model in one buffer, each beginning with a whole quad.
#[derive(Clone, Debug)]
pub struct Vectors {
    /// `[quads * 4]` f32.
    pub stored: Buffer,
    /// For each quad: its index in its tensor, the tensor's ordinal.
    pub counters: Buffer,
    /// Quads of all vectors.
    pub quads: u32,
}

/// Where each tensor is.
#[derive(Clone, Debug)]
enum Place {
    Matrix(Matrix),
    /// First element in the vectors' buffer.
    Vector(u32),
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
    vectors: Vectors,
    fingerprint: u64,
}

impl Weights {
    /// Loads every tensor of the spec, a few MiB at a time.
    ///
    /// Values below the smallest normal f32 become zero: GPUs flush them, and replay must not depend on it.
    ///
    /// # Errors
    /// `file-corrupt` naming a tensor that is missing or has another shape; whatever reading fails with; `aborted` when `progress` says so.
    pub async fn load(
        backend: &dyn Backend,
        spec: Rc<ModelSpec>,
        checkpoint: &Checkpoint,
        progress: &mut dyn FnMut(LoadProgress) -> Result<()>,
    ) -> Result<Weights> {
        // A checkpoint that does not fit is refused before anything is allocated.
        spec.tensors.as_slice().iter().try_for_each(|tensor| find(checkpoint, tensor).map(drop))?;
        let mut weights = Weights::allocate(backend, spec)?;
        weights.fill(backend, checkpoint, progress).await?;
        Ok(weights)
    }

    /// Writes the checkpoint's values over whatever the weights are now.
    ///
    /// # Errors
    /// As [`Weights::load`].
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
            let info = find(checkpoint, tensor)?;
            hash.update(tensor.name.as_bytes());
            let rows_at_once = (CHUNK / u64::from(tensor.width)).max(1).next_multiple_of(4) as u32;
            let mut row = 0;
            while row < tensor.rows {
                let rows = rows_at_once.min(tensor.rows - row);
                let first = u64::from(row) * u64::from(tensor.width);
                let count = rows as usize * tensor.width as usize;
                let mut values = checkpoint.read_f32(info, first, count).await?;
                for value in &mut values {
                    if !value.is_finite() {
                        let (file, name) = (checkpoint.name(), &info.name);
                        bail!(FileCorrupt, "{file}: {name} holds {value}, expected finite numbers");
                    }
                    if !value.is_normal() {
                        *value = 0.0;
                    }
                }
                let bytes: &[u8] = bytemuck::cast_slice(&values);
                hash.update(bytes);
                self.write_rows(backend, id, row, rows, bytes)?;
                row += rows;
                loaded += count as u64;
                progress(LoadProgress { loaded, total })?;
            }
        }
        self.fingerprint = hash.digest();
        Ok(())
    }

    /// The buffers, filled with zeros.
    fn allocate(backend: &dyn Backend, spec: Rc<ModelSpec>) -> Result<Weights> {
        let mut places = Vec::new();
        let mut counters: Vec<[u32; 2]> = Vec::new();
        for (id, tensor) in spec.tensors.as_slice().iter().enumerate() {
            places.push(match tensor.kind {
                TensorKind::Matrix => Place::Matrix(allocate_matrix(backend, id, tensor)?),
                TensorKind::Vector => {
                    let first = counters.len() as u32 * 4;
                    counters.extend((0..tensor.width.div_ceil(4)).map(|quad| [quad, id as u32]));
                    Place::Vector(first)
                }
            });
        }
        let quads = counters.len() as u32;
        let stored = backend.create("vectors", u64::from(quads) * 16, MemoryClass::Weights)?;
        let counter_buffer = backend.create("counters", u64::from(quads) * 8, MemoryClass::Weights)?;
        backend.write(&counter_buffer, 0, bytemuck::cast_slice(&counters))?;
        let vectors = Vectors { stored, counters: counter_buffer, quads };
        Ok(Weights { spec, places, vectors, fingerprint: 0 })
    }

    /// Writes whole rows, which begin at a multiple of 4.
    fn write_rows(
        &self,
        backend: &dyn Backend,
        id: TensorId,
        row: u32,
        rows: u32,
        bytes: &[u8],
    ) -> Result<()> {
        match &self.places[id] {
            Place::Vector(first) => backend.write(&self.vectors.stored, u64::from(*first) * 4, bytes),
            Place::Matrix(matrix) => {
                let row_bytes = u64::from(matrix.width) * 4;
                for part in &matrix.parts {
                    let first = row.max(part.first_row);
                    let end = (row + rows).min(part.first_row + part.rows);
                    if first < end {
                        let from = (u64::from(first - row) * row_bytes) as usize;
                        let len = (u64::from(end - first) * row_bytes) as usize;
                        let offset = u64::from(first - part.first_row) * row_bytes;
                        backend.write(&part.buffer, offset, &bytes[from..from + len])?;
                    }
                }
                Ok(())
            }
        }
    }

    /// Reads a tensor back, in chunks of a few MiB where it is large.
    ///
    /// # Errors
    /// Those of [`Backend::read`].
    pub async fn read(
        &self,
        backend: &dyn Backend,
        id: TensorId,
        sink: &mut dyn FnMut(&[f32]) -> Result<()>,
    ) -> Result<()> {
        let mut pass_on = |bytes: Vec<u8>| sink(&bytemuck::pod_collect_to_vec::<u8, f32>(&bytes));
        match &self.places[id] {
            Place::Vector(first) => {
                let bytes = u64::from(self.spec.tensors.as_slice()[id].width) * 4;
                pass_on(backend.read(&self.vectors.stored, u64::from(*first) * 4, bytes).await?)
            }
            Place::Matrix(matrix) => {
                for part in &matrix.parts {
                    let end = u64::from(part.rows) * u64::from(matrix.width) * 4;
                    let mut offset = 0;
                    while offset < end {
                        let bytes = (end - offset).min(CHUNK * 4);
                        pass_on(backend.read(&part.buffer, offset, bytes).await?)?;
                        offset += bytes;
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

    /// A hash of the names and values of all tensors as loaded: the same from any file format that holds the same values.
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

    /// Where a vector stands in [`Vectors::stored`], in elements.
    ///
    /// # Errors
    /// `invalid-argument` for the ordinal of a matrix: a fault of a family.
    pub fn vector(&self, id: TensorId) -> Result<u32> {
        match self.places.get(id) {
            Some(Place::Vector(first)) => Ok(*first),
            _ => bail!(InvalidArgument, "tensor {id} is not a vector"),
        }
    }

    /// All vectors.
    pub fn vectors(&self) -> &Vectors {
        &self.vectors
    }

    /// All matrices, in canonical order.
    pub fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        self.places.iter().filter_map(|place| match place {
            Place::Matrix(matrix) => Some(matrix),
            Place::Vector(_) => None,
        })
    }
}

fn allocate_matrix(backend: &dyn Backend, id: TensorId, tensor: &TensorSpec) -> Result<Matrix> {
    let row_bytes = u64::from(tensor.width) * 4;
    let most = (backend.limits().whole_binding() / row_bytes).min(u64::from(u32::MAX)) as u32 & !3;
    if most == 0 {
        bail!(LimitExceeded, "{}: four rows of {} do not fit a binding", tensor.name, tensor.width);
    }
    let mut parts = Vec::new();
    let mut first_row = 0;
    while first_row < tensor.rows {
        let rows = most.min(tensor.rows - first_row);
        let name = format!("{}[{first_row}..]", tensor.name);
        let buffer = backend.create(&name, u64::from(rows) * row_bytes, MemoryClass::Weights)?;
        parts.push(Part { first_row, rows, buffer });
        first_row += rows;
    }
    Ok(Matrix { id, rows: tensor.rows, width: tensor.width, parts })
}

/// The tensor under its name or one of its aliases, with the shape that the spec expects.
fn find<'a>(checkpoint: &'a Checkpoint, tensor: &TensorSpec) -> Result<&'a TensorInfo> {
    let names = std::iter::once(&tensor.name).chain(&tensor.aliases);
    let info = names
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
