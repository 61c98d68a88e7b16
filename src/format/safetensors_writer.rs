//! Writes a safetensors file tensor by tensor, so that the whole model need not be in memory.

use std::collections::{BTreeMap, BTreeSet};

use half::{bf16, f16};
use serde_json::{Map, Value, json};

use super::safetensors::MAX_HEADER_BYTES;
use crate::dtype::DType;
use crate::error::{Result, bail, err};

/// Number of values to encode at once.
const CHUNK: usize = 16 * 1024;

/// The description of a tensor to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// The tensor's name.
    pub name: String,
    /// The element type: F32, F16 or BF16. Values are rounded to nearest even.
    pub dtype: DType,
    /// The shape, outermost dimension first.
    pub shape: Vec<u64>,
}

/// Writes a safetensors file. Tensors must be written in the order given at the start. If element sizes differ, list the wider ones
/// first, so that every tensor is aligned.
pub struct SafetensorsWriter<S> {
    sink: S,
    /// Name, element type and number of elements of each tensor.
    tensors: Vec<(String, DType, u64)>,
    current: usize,
    /// Number of elements of the current tensor that have been written.
    written: u64,
    file_len: u64,
    buffer: Vec<u8>,
}

impl<S: FnMut(&[u8]) -> Result<()>> SafetensorsWriter<S> {
    /// Writes the header. `metadata` becomes `__metadata__`, in which Hugging Face expects `format: pt`.
    ///
    /// # Errors
    /// `invalid-argument` if a name occurs twice, a format is quantized, or sizes overflow; the
    /// sink's own errors.
    pub fn new(specs: &[TensorSpec], metadata: &BTreeMap<String, String>, mut sink: S) -> Result<Self> {
        let mut fields = Map::new();
        if !metadata.is_empty() {
            fields.insert("__metadata__".to_owned(), json!(metadata));
        }
        let mut names = BTreeSet::from(["__metadata__"]);
        let mut tensors = Vec::with_capacity(specs.len());
        let mut end: u64 = 0;
        for TensorSpec { name, dtype, shape } in specs {
            if !names.insert(name) {
                bail!(InvalidArgument, "tensor `{name}`: the name occurs twice or is reserved");
            }
            if dtype.is_quantized() {
                bail!(InvalidArgument, "tensor `{name}`: expected F32, F16 or BF16, found {dtype}");
            }
            let begin = end;
            let elements = shape.iter().try_fold(1u64, |product, &n| product.checked_mul(n));
            let (elements, next) =
                elements.and_then(|n| Some((n, begin.checked_add(dtype.bytes_for(n).ok()?)?))).ok_or_else(
                    || err!(InvalidArgument, "tensor `{name}`: the size of {shape:?} overflows 64 bits"),
                )?;
            end = next;
            fields.insert(
                name.clone(),
                json!({ "dtype": dtype.name(), "shape": shape, "data_offsets": [begin, end] }),
            );
            tensors.push((name.clone(), *dtype, elements));
        }
        let mut header = Value::Object(fields).to_string().into_bytes();
        // The reference implementation aligns the data to 8 bytes with spaces.
        header.resize(header.len().next_multiple_of(8), b' ');
        let header_len = header.len() as u64;
        let file_len = (8 + header_len).checked_add(end).filter(|_| header_len <= MAX_HEADER_BYTES);
        let Some(file_len) = file_len else {
            bail!(InvalidArgument, "{} tensors: the header or the file is too long", specs.len());
        };
        sink(&header_len.to_le_bytes())?;
        sink(&header)?;
        Ok(SafetensorsWriter { sink, tensors, current: 0, written: 0, file_len, buffer: Vec::new() })
    }

    /// Length of the finished file in bytes.
    pub fn file_len(&self) -> u64 {
        self.file_len
    }

    /// Appends `values` to the tensor `name`, which must be the next incomplete one.
    ///
    /// # Errors
    /// `invalid-argument` if another tensor is next, if the tensor would exceed its shape, or if the format cannot represent a
    /// value; the sink's own errors.
    pub fn write_f32(&mut self, name: &str, values: &[f32]) -> Result<()> {
        self.skip_complete();
        let Some((due, dtype, elements)) = self.tensors.get(self.current) else {
            if values.is_empty() {
                return Ok(());
            }
            bail!(InvalidArgument, "tensor `{name}`: all tensors have been written already");
        };
        if values.is_empty() {
            return Ok(());
        }
        let most = if *dtype == DType::F16 { f16::MAX.to_f32() } else { f32::MAX };
        if let Some(value) = values.iter().find(|value| !value.is_finite() || value.abs() > most) {
            bail!(
                InvalidArgument,
                "tensor `{name}`: expected finite numbers up to {most} in {dtype}, found {value}"
            );
        }
        let left = elements - self.written;
        if due != name {
            bail!(InvalidArgument, "expected {left} more elements of tensor `{due}`, found tensor `{name}`");
        }
        if values.len() as u64 > left {
            bail!(InvalidArgument, "tensor `{name}`: expected {left} more elements, found {}", values.len());
        }
        for chunk in values.chunks(CHUNK) {
            self.buffer.clear();
            match dtype {
                DType::F16 => {
                    self.buffer.extend(chunk.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()));
                }
                DType::BF16 => {
                    self.buffer.extend(chunk.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes()));
                }
                _ => self.buffer.extend(chunk.iter().flat_map(|x| x.to_le_bytes())),
            }
            (self.sink)(&self.buffer)?;
            self.written += chunk.len() as u64;
        }
        Ok(())
    }

    /// Ends the file and returns the sink.
    ///
    /// # Errors
    /// `invalid-argument` if a tensor is not complete.
    pub fn finish(mut self) -> Result<S> {
        self.skip_complete();
        if let Some((name, _, elements)) = self.tensors.get(self.current) {
            bail!(InvalidArgument, "tensor `{name}`: expected {elements} elements, found {}", self.written);
        }
        Ok(self.sink)
    }

    fn skip_complete(&mut self) {
        while self.tensors.get(self.current).is_some_and(|(_, _, elements)| *elements == self.written) {
            self.current += 1;
            self.written = 0;
        }
    }
}
