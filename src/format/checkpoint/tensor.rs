//! The description of one tensor of a checkpoint.

use super::order::Order;
use crate::dtype::DType;
use crate::error::{Result, bail, err};

/// One tensor of a [`super::Checkpoint`], with Hugging Face's name and shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Hugging Face's name, such as `model.layers.0.self_attn.q_proj.weight`.
    pub name: String,
    /// The storage format of the elements.
    pub dtype: DType,
    /// The shape, outermost dimension first: a matrix is `[rows, columns]`. Empty for a scalar.
    pub shape: Vec<u64>,
    pub(super) elements: u64,
    pub(super) bytes: u64,
    /// Index of the tensor's file in the checkpoint.
    pub(in crate::format) source: usize,
    /// Byte offset of the tensor in that file.
    pub(super) offset: u64,
    pub(super) order: Order,
    /// Whether the file stores each element with 1 added, as GGUF does for the norms of Gemma.
    pub(super) one_added: bool,
    /// Whether the file stores the transpose of the matrix that `shape` describes.
    pub(super) transpose_stored: bool,
}

impl TensorInfo {
    /// Whether both are the same bytes of the same file, interpreted in the same way.
    pub fn is_stored_as(&self, other: &TensorInfo) -> bool {
        TensorInfo { name: self.name.clone(), ..other.clone() } == *self
    }

    /// Describes a tensor in the checkpoint's file with index `source`.
    ///
    /// # Errors
    /// `file-corrupt` if the product of the shape overflows or a row is not a whole number of
    /// blocks. The message names the tensor; the caller adds the file.
    pub(crate) fn new(
        name: String,
        dtype: DType,
        shape: Vec<u64>,
        source: usize,
        offset: u64,
    ) -> Result<Self> {
        let elements = match shape.iter().try_fold(1u64, |product, &n| product.checked_mul(n)) {
            Some(elements) => elements,
            None => bail!(FileCorrupt, "tensor `{name}`: the product of shape {shape:?} overflows 64 bits"),
        };
        let row = shape.last().copied().unwrap_or(1);
        if !row.is_multiple_of(dtype.block_len() as u64) {
            bail!(
                FileCorrupt,
                "tensor `{name}`: expected rows of a multiple of {} elements for {dtype}, found shape {shape:?}",
                dtype.block_len()
            );
        }
        let bytes =
            dtype.bytes_for(elements).map_err(|e| err!(FileCorrupt, "tensor `{name}`: {}", e.message()))?;
        Ok(TensorInfo {
            name,
            dtype,
            shape,
            elements,
            bytes,
            source,
            offset,
            order: Order::AsStored,
            one_added: false,
            transpose_stored: false,
        })
    }

    /// Declares that the rows of each of the `heads` heads are stored with the two rotary halves
    /// interleaved.
    ///
    /// # Errors
    /// `file-corrupt` if the rows cannot be divided into `heads` heads with an even number of rows.
    pub(crate) fn with_interleaved_heads(mut self, heads: u64) -> Result<Self> {
        let rows = self.shape.first().copied().unwrap_or(1);
        let head_rows = rows.checked_div(heads).unwrap_or(0);
        if head_rows == 0 || head_rows % 2 != 0 || head_rows * heads != rows {
            bail!(
                FileCorrupt,
                "tensor `{}`: expected {heads} heads of an even number of rows, found shape {:?}",
                self.name,
                self.shape
            );
        }
        self.order = Order::RotaryInterleaved { head_rows };
        Ok(self)
    }

    /// Declares that the queries of all `heads` heads are stored first, then all keys, then all values.
    ///
    /// # Errors
    /// `file-corrupt` if the rows cannot be divided into `heads` queries, keys and values.
    pub(crate) fn with_parts_together(mut self, heads: u64) -> Result<Self> {
        let rows = self.shape.first().copied().unwrap_or(1);
        let head_rows = rows.checked_div(heads.saturating_mul(3)).unwrap_or(0);
        if head_rows == 0 || head_rows * 3 * heads != rows {
            bail!(
                FileCorrupt,
                "tensor `{}`: expected queries, keys and values of {heads} heads, found shape {:?}",
                self.name,
                self.shape
            );
        }
        self.order = Order::PartsTogether { heads, head_rows };
        Ok(self)
    }

    /// Sets the order in which the elements are stored ([`Order::of_strides`]).
    pub(crate) fn with_order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// Declares that the file stores the transpose of Hugging Face's matrix.
    pub(crate) fn with_transpose_stored(mut self) -> Self {
        self.shape.reverse();
        self.transpose_stored = true;
        self
    }

    /// Whether the file stores the transpose of the matrix that [`TensorInfo::shape`] describes. Elements are then read in the
    /// order of the transpose.
    pub(crate) fn transpose_stored(&self) -> bool {
        self.transpose_stored
    }

    /// Declares that each element is stored with 1 added.
    pub(crate) fn with_one_added(mut self) -> Self {
        self.one_added = true;
        self
    }

    /// Number of elements.
    pub fn elements(&self) -> u64 {
        self.elements
    }

    /// Size of the tensor in its file, in bytes.
    pub fn stored_bytes(&self) -> u64 {
        self.bytes
    }

    /// The first dimension, or 1 for a scalar.
    pub fn rows(&self) -> u64 {
        self.shape.first().copied().unwrap_or(1)
    }

    /// Number of elements of one row: the product of all dimensions except the first.
    pub fn columns(&self) -> u64 {
        self.shape.iter().skip(1).product()
    }
}
