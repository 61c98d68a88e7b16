//! A model's stored weights on the device: matrices in parts that each fit in a binding, and norms and biases packed together.

use std::rc::Rc;

use super::packed::Packed;
use super::spec::ModelSpec;
use super::streamed::Streamed;
use super::tensors::{TensorId, TensorKind, TensorSpec};
use crate::dtype::{DType, Format};
use crate::error::{Result, bail};
use crate::format::source::Scratch;
use crate::gpu::{Backend, Buffer, Limits, MemoryClass};
use crate::kernel::storage;

/// Consecutive rows of a matrix in a separate buffer.
#[derive(Clone, Debug)]
pub struct Part {
    /// The first row. It is a multiple of 4, so that a part starts at a whole vec4, and at a whole group in every format.
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
    /// The format in which the device stores it.
    pub dtype: DType,
    /// Whether it is trained: branches see it perturbed, and updates change it.
    pub trained: bool,
    /// The number of rows of all parts.
    pub rows: u32,
    /// Elements of a row.
    pub width: u32,
    /// The parts, in order. Together they contain all rows.
    pub parts: Vec<Part>,
}

/// Where a tensor is stored.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Matrix(Matrix),
    /// Index among the norms and biases.
    Vector(usize),
}

/// A model's weights on a backend.
pub struct Weights {
    pub(super) spec: Rc<ModelSpec>,
    pub(super) places: Vec<Place>,
    pub(super) norms_and_biases: Packed,
    pub(super) streamed: Option<Streamed>,
    pub(super) fingerprint: u64,
}

impl Weights {
    /// Allocates weights of zeros. `formats` gives the format in which the device stores each tensor of the spec. If a file
    /// `layers` is given, the matrices of layers are streamed from it.
    ///
    /// # Errors
    /// `limit-exceeded` naming a tensor of which not even four rows fit in a binding.
    pub fn allocate(
        backend: &dyn Backend,
        spec: Rc<ModelSpec>,
        formats: &[DType],
        layers: Option<Rc<dyn Scratch>>,
    ) -> Result<Weights> {
        let limits = backend.limits();
        let parts = |id: TensorId| parts(&limits, &spec.tensors.as_slice()[id], formats[id]);
        let streamed = layers.map(|file| Streamed::allocate(backend, &spec, file, &parts)).transpose()?;
        let mut places = Vec::new();
        let mut small = Vec::new();
        for ((id, tensor), dtype) in spec.tensors.as_slice().iter().enumerate().zip(formats) {
            places.push(match tensor.kind {
                TensorKind::Matrix => {
                    let part = |(first_row, rows, bytes): (u32, u32, u64)| {
                        if let Some(buffer) = streamed.as_ref().and_then(|s| s.buffer(id, first_row)) {
                            return Ok(Part { first_row, rows, buffer });
                        }
                        let name = format!("{}[{first_row}..]", tensor.name);
                        let buffer = backend.create(&name, bytes, MemoryClass::Weights)?;
                        Ok(Part { first_row, rows, buffer })
                    };
                    let parts = parts(id)?.into_iter().map(part).collect::<Result<_>>()?;
                    let (rows, width, dtype) = (tensor.rows, tensor.width, *dtype);
                    let trained = dtype.format().trainable && !is_streamed(streamed.as_ref(), id);
                    Place::Matrix(Matrix { id, dtype, trained, rows, width, parts })
                }
                TensorKind::Vector => {
                    small.push((id, tensor.elements()));
                    Place::Vector(small.len() - 1)
                }
            });
        }
        let norms_and_biases = Packed::allocate(backend, "norms and biases", MemoryClass::Weights, small)?;
        Ok(Weights { spec, places, norms_and_biases, streamed, fingerprint: 0 })
    }

    /// Selects the tensors that are trained. Before the first call, all tensors whose format allows it are trained.
    ///
    /// # Errors
    /// `invalid-argument` for a matrix that is streamed, or whose format cannot be trained; errors from the backend.
    pub fn train(&mut self, backend: &dyn Backend, trained: &dyn Fn(TensorId) -> bool) -> Result<()> {
        for place in &mut self.places {
            if let Place::Matrix(matrix) = place {
                matrix.trained = trained(matrix.id);
                if matrix.trained && is_streamed(self.streamed.as_ref(), matrix.id) {
                    let name = &self.spec.tensors.as_slice()[matrix.id].name;
                    bail!(InvalidArgument, "{name} is read from a file in each pass and cannot be trained");
                }
                if matrix.trained && !matrix.dtype.format().trainable {
                    let name = &self.spec.tensors.as_slice()[matrix.id].name;
                    let trainable: Vec<&str> = Format::trainable().map(|f| f.dtype.option()).collect();
                    bail!(
                        InvalidArgument,
                        "{name} is stored as {}: full-parameter training needs dtype {}; for quantized weights, \
                         train an adapter (method lora or prefix, or estimator low-rank)",
                        matrix.dtype,
                        trainable.join(" or ")
                    );
                }
            }
        }
        self.norms_and_biases.train(backend, trained)
    }

    /// The model's description.
    pub fn spec(&self) -> &Rc<ModelSpec> {
        &self.spec
    }

    /// A hash of the names and values of all tensors as they were loaded. It is the same for any files with the same values.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// A matrix.
    ///
    /// # Errors
    /// `invalid-argument` for the ordinal of a vector, which is a bug in a family.
    pub fn matrix(&self, id: TensorId) -> Result<&Matrix> {
        match self.places.get(id) {
            Some(Place::Matrix(matrix)) => Ok(matrix),
            _ => bail!(InvalidArgument, "tensor {id} is not a matrix"),
        }
    }

    /// The offset of a norm's weight or a bias in [`Weights::norms_and_biases`], in elements.
    ///
    /// # Errors
    /// `invalid-argument` for the ordinal of a matrix, which is a bug in a family.
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

    /// The streamed layers, if any.
    pub(super) fn streamed(&self) -> Option<&Streamed> {
        self.streamed.as_ref()
    }

    /// All matrices, in canonical order.
    pub fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        self.places.iter().filter_map(|place| match place {
            Place::Matrix(matrix) => Some(matrix),
            Place::Vector(_) => None,
        })
    }
}

/// Whether a matrix is streamed. Every matrix has a part that starts at row 0.
fn is_streamed(streamed: Option<&Streamed>, id: TensorId) -> bool {
    streamed.is_some_and(|streamed| streamed.file(id, 0).is_some())
}

/// The first row, the number of rows and the bytes of each part of a matrix.
fn parts(limits: &Limits, tensor: &TensorSpec, dtype: DType) -> Result<Vec<(u32, u32, u64)>> {
    // Four rows are whole groups in every format.
    let four = storage::bytes(dtype, 4 * u64::from(tensor.width));
    let most = (limits.whole_binding() / four).min(u64::from(u32::MAX / 4)) as u32 * 4;
    if most == 0 {
        bail!(LimitExceeded, "{}: four rows of {} do not fit into a binding", tensor.name, tensor.width);
    }
    let part = |first_row: u32| {
        let rows = most.min(tensor.rows - first_row);
        (first_row, rows, storage::bytes(dtype, u64::from(rows) * u64::from(tensor.width)))
    };
    Ok((0..tensor.rows).step_by(most as usize).map(part).collect())
}
