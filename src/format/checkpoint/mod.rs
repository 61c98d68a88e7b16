//! The tensors of a model: their names, their storage formats, and reading their elements.

mod order;
mod tensor;
#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))] // the tests block on futures
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use super::source::{ByteSource, buffer};
use crate::error::{Result, bail, err};
use crate::future::LocalFuture;
pub(crate) use order::Order;
use order::Strided;
pub use tensor::TensorInfo;

/// Bytes to read at once if stored elements must be reordered.
const GATHER_BYTES: u64 = 1 << 20;

/// The tensors of a model in one or more files, by Hugging Face's names.
#[derive(Clone, Default)]
pub struct Checkpoint {
    /// The tensors whose elements can be read.
    pub tensors: BTreeMap<String, TensorInfo>,
    /// The names of all other tensors, such as BERT's `position_ids` or quantized weights, with the element type as named in the file.
    pub unread: BTreeMap<String, String>,
    /// The `__metadata__` of safetensors files; empty for GGUF.
    pub metadata: BTreeMap<String, String>,
    sources: Vec<Rc<dyn ByteSource>>,
}

impl fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<&str> = self.sources.iter().map(|source| source.name()).collect();
        f.debug_struct("Checkpoint").field("files", &files).field("tensors", &self.tensors).finish()
    }
}

/// The content of the header of one file.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) tensors: BTreeMap<String, TensorInfo>,
    /// As in [`Checkpoint::unread`].
    pub(crate) unread: BTreeMap<String, String>,
    /// As in [`Checkpoint::metadata`].
    pub(crate) metadata: BTreeMap<String, String>,
}

impl Checkpoint {
    /// A checkpoint with the tensors of these files.
    pub(crate) fn of(parsed: Parsed, sources: Vec<Rc<dyn ByteSource>>) -> Self {
        let Parsed { tensors, unread, metadata } = parsed;
        Checkpoint { tensors, unread, metadata, sources }
    }

    /// Creates a checkpoint of tensors that are stored in `sources`.
    pub(crate) fn new(
        tensors: BTreeMap<String, TensorInfo>,
        metadata: BTreeMap<String, String>,
        sources: Vec<Rc<dyn ByteSource>>,
    ) -> Self {
        Checkpoint { tensors, unread: BTreeMap::new(), metadata, sources }
    }

    /// This checkpoint with the tensors of `other` added. They replace tensors with the same names.
    pub fn with_replaced(&self, other: &Checkpoint) -> Checkpoint {
        let mut replaced = self.clone();
        let moved = other.tensors.iter().map(|(name, tensor)| {
            (name.clone(), TensorInfo { source: self.sources.len() + tensor.source, ..tensor.clone() })
        });
        replaced.tensors.extend(moved);
        replaced.sources.extend(other.sources.iter().cloned());
        replaced
    }

    /// The tensors for which `name` returns a name, under the new names.
    pub(crate) fn renamed(&self, name: impl Fn(&str) -> Option<String>) -> Checkpoint {
        let renamed = self.tensors.values().filter_map(|tensor| {
            let name = name(&tensor.name)?;
            Some((name.clone(), TensorInfo { name, ..tensor.clone() }))
        });
        Checkpoint::new(renamed.collect(), BTreeMap::new(), self.sources.clone())
    }

    /// The tensor with this name.
    ///
    /// # Errors
    /// `file-corrupt` if there is no such tensor.
    pub fn get(&self, name: &str) -> Result<&TensorInfo> {
        self.tensors
            .get(name)
            .ok_or_else(|| err!(FileCorrupt, "{}: expected a tensor `{name}`, found none", self.name()))
    }

    /// Total number of elements of all tensors.
    pub fn elements(&self) -> u64 {
        self.tensors.values().fold(0, |sum, tensor| sum.saturating_add(tensor.elements))
    }

    /// Reads the elements `first_element .. first_element + count` of the tensor, row-major in
    /// Hugging Face's layout, and decodes them to f32. Values that are not finite are returned
    /// unchanged.
    ///
    /// Only the blocks that contain these elements are read, with one exception: if GGUF interleaves the rows of a rotary head and
    /// the range ends within a head, up to every second row that is read is not needed. Reading takes memory for the result, for
    /// its stored bytes, and 1 MiB or two rows. Read a few MiB at a time.
    ///
    /// # Errors
    /// `invalid-argument` if the range is not within the tensor; the errors of
    /// [`ByteSource::read`].
    pub fn read_f32<'a>(
        &'a self,
        tensor: &'a TensorInfo,
        first_element: u64,
        count: usize,
    ) -> LocalFuture<'a, Result<Vec<f32>>> {
        Box::pin(async move {
            let end = match first_element.checked_add(count as u64) {
                Some(end) if end <= tensor.elements => end,
                _ => bail!(
                    InvalidArgument,
                    "tensor `{}`: {count} elements at {first_element} are not within its {} elements",
                    tensor.name,
                    tensor.elements
                ),
            };
            let block = tensor.dtype.block_len() as u64;
            let (first, last) = (first_element / block, end.div_ceil(block));
            let bytes = self.gather(tensor, first, last - first).await?;
            let no_memory =
                |_| err!(OutOfMemory, "tensor `{}`: not enough memory for {count} elements", tensor.name);
            let mut values: Vec<f32> = Vec::new();
            let decoded = (bytes.len() / tensor.dtype.block_bytes()) * tensor.dtype.block_len();
            values.try_reserve_exact(decoded).map_err(no_memory)?;
            values.resize(decoded, 0.0);
            tensor.dtype.dequantize(&bytes, &mut values);
            if tensor.one_added {
                values.iter_mut().for_each(|value| *value -= 1.0);
            }
            // The range may start and end within a block.
            let skip = (first_element - first * block) as usize;
            values.truncate(skip + count);
            values.drain(..skip);
            Ok(values)
        })
    }

    /// Reads the blocks `first_block .. first_block + count` of a matrix without decoding them, in
    /// Hugging Face's row order. Quantized weights are uploaded from these blocks. In the plain
    /// formats a block is one element.
    ///
    /// # Errors
    /// The errors of [`Checkpoint::read_f32`].
    pub fn read_blocks<'a>(
        &'a self,
        tensor: &'a TensorInfo,
        first_block: u64,
        count: usize,
    ) -> LocalFuture<'a, Result<Vec<u8>>> {
        Box::pin(async move {
            let blocks = tensor.bytes / tensor.dtype.block_bytes() as u64;
            if first_block.checked_add(count as u64).is_none_or(|end| end > blocks) {
                bail!(
                    InvalidArgument,
                    "tensor `{}`: {count} blocks at {first_block} are not within its {blocks} blocks",
                    tensor.name
                );
            }
            self.gather(tensor, first_block, count as u64).await
        })
    }

    /// The bytes of blocks `first .. first + count` in Hugging Face's order.
    async fn gather(&self, tensor: &TensorInfo, first: u64, count: u64) -> Result<Vec<u8>> {
        match tensor.order {
            Order::AsStored => self.read_stored(tensor, first, count).await,
            Order::RotaryInterleaved { head_rows } => self.read_heads(tensor, head_rows, first, count).await,
            Order::PartsTogether { heads, head_rows } => {
                self.read_parts(tensor, (heads, head_rows), first, count).await
            }
            Order::Strided(strided) => self.read_strided(tensor, strided, first, count).await,
        }
    }

    /// Reads blocks of a matrix whose heads have interleaved halves.
    async fn read_heads(
        &self,
        tensor: &TensorInfo,
        head_rows: u64,
        first: u64,
        count: u64,
    ) -> Result<Vec<u8>> {
        let half = head_rows / 2;
        let stored_row = |row: u64| {
            let inside = row % head_rows;
            row - inside + (inside % half) * 2 + inside / half
        };
        let row = (tensor.columns() / tensor.dtype.block_len() as u64).max(1); // blocks
        let head = head_rows * row; // blocks
        let row_bytes = row * tensor.dtype.block_bytes() as u64;
        let row_len = row_bytes as usize;
        let rows_at_once = (GATHER_BYTES / row_bytes).max(1);

        let mut out = buffer(&tensor.name, (count * tensor.dtype.block_bytes() as u64) as usize)?;
        let (mut at, end) = (first, first + count);
        while at < end {
            let (this_row, inside) = (at / row, at % row);
            if inside != 0 || end - at < row {
                // A part of a single row.
                let n = (row - inside).min(end - at);
                out.extend(self.read_stored(tensor, stored_row(this_row) * row + inside, n).await?);
                at += n;
            } else if this_row.is_multiple_of(head_rows) && end - at >= head && head_rows <= rows_at_once {
                // Whole heads are read in one piece and reordered here.
                let heads = ((end - at) / head).min((rows_at_once / head_rows).max(1));
                let stored = self.read_stored(tensor, at, heads * head).await?;
                for row in 0..heads * head_rows {
                    out.extend(
                        stored.chunks_exact(row_len).nth(stored_row(row) as usize).unwrap_or_default(),
                    );
                }
                at += heads * head;
            } else {
                // Rows of one half of a head are every second stored row.
                let rows = (half - this_row % half).min((end - at) / row).min(rows_at_once.div_ceil(2));
                let stored =
                    self.read_stored(tensor, stored_row(this_row) * row, (2 * rows - 1) * row).await?;
                for row in stored.chunks_exact(row_len).step_by(2) {
                    out.extend(row);
                }
                at += rows * row;
            }
        }
        Ok(out)
    }

    /// Reads blocks of a matrix that stores all queries, then all keys, then all values, in head order.
    async fn read_parts(
        &self,
        tensor: &TensorInfo,
        (heads, head_rows): (u64, u64),
        first: u64,
        count: u64,
    ) -> Result<Vec<u8>> {
        let run = head_rows * (tensor.columns() / tensor.dtype.block_len() as u64).max(1); // blocks
        let mut out = buffer(&tensor.name, (count * tensor.dtype.block_bytes() as u64) as usize)?;
        let (mut at, end) = (first, first + count);
        while at < end {
            let (which, inside) = (at / run, at % run);
            let (head, part) = (which / 3, which % 3);
            let blocks = (run - inside).min(end - at);
            out.extend(self.read_stored(tensor, (part * heads + head) * run + inside, blocks).await?);
            at += blocks;
        }
        Ok(out)
    }

    /// Reads elements of a tensor that are stored at regular distances. Everything stored between the first and the last of them is
    /// read once, in pieces.
    async fn read_strided(
        &self,
        tensor: &TensorInfo,
        strided: Strided,
        first: u64,
        count: u64,
    ) -> Result<Vec<u8>> {
        let size = tensor.dtype.block_bytes();
        let mut out = buffer(&tensor.name, count as usize * size)?;
        out.resize(count as usize * size, 0);
        let Some(stored) = strided.stored(first, count) else { return Ok(out) };
        let mut at = stored.start;
        while at < stored.end {
            let n = (GATHER_BYTES / size as u64).min(stored.end - at);
            let bytes = self.read_stored(tensor, at, n).await?;
            strided.place(&bytes, size, at, first, &mut out);
            at += n;
        }
        Ok(out)
    }

    /// The bytes of blocks `first .. first + count` in the file's order.
    async fn read_stored(&self, tensor: &TensorInfo, first: u64, count: u64) -> Result<Vec<u8>> {
        let Some(source) = self.sources.get(tensor.source) else {
            bail!(InvalidArgument, "tensor `{}` belongs to another checkpoint", tensor.name);
        };
        let block = tensor.dtype.block_bytes() as u64;
        let Ok(len) = usize::try_from(count * block) else {
            bail!(
                OutOfMemory,
                "tensor `{}`: {count} blocks of {block} bytes are too many to read at once",
                tensor.name
            );
        };
        let bytes = source
            .read(tensor.offset + first * block, len)
            .await
            .map_err(|error| error.at(format_args!("tensor `{}`", tensor.name)))?;
        if bytes.len() != len {
            bail!(
                FileCorrupt,
                "{}: tensor `{}`: expected {len} bytes, found {}",
                source.name(),
                tensor.name,
                bytes.len()
            );
        }
        Ok(bytes)
    }

    /// The names of the files, for messages.
    pub fn name(&self) -> String {
        let files: Vec<&str> = self.sources.iter().map(|source| source.name()).collect();
        match files.as_slice() {
            [] => "checkpoint".to_owned(),
            [one] => (*one).to_owned(),
            [first, .., last] => format!("{first} .. {last}"),
        }
    }
}
