//! The safetensors format (<https://huggingface.co/docs/safetensors>). A file has an 8-byte
//! little-endian length, a JSON header of that length, and then the bytes of the tensors, without
//! holes, up to the end of the file.
//!
//! The `safetensors` crate makes the same checks but needs the whole file in memory; this module
//! reads only the header.

mod header;
mod sharded;
#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))] // the tests block on futures
mod tests;

pub use sharded::{open_sharded, shards};

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::checkpoint::{Checkpoint, TensorInfo};
use super::source::ByteSource;
use crate::dtype::DType;
use crate::error::{Error, Result, bail};
use header::{Entry, Header};

/// Maximum size of a header in bytes, which is also the reference implementation's limit.
pub const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Maximum size of the index of a sharded model in bytes.
pub const INDEX_LIMIT: u64 = 64 << 20;

/// Parses the header of a file.
///
/// Integer and boolean tensors (buffers such as BERT's `position_ids`) are checked and then left
/// out.
///
/// # Errors
/// `file-corrupt`, naming file and tensor, if the file does not follow the format;
/// `model-unsupported` if a tensor's element type is not one of [`DType`]'s plain ones.
pub async fn parse(source: Rc<dyn ByteSource>) -> Result<Checkpoint> {
    let parsed = parse_file(source.as_ref(), 0).await?;
    let tensors = parsed.tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
    Ok(Checkpoint::new(tensors, parsed.metadata, vec![source]))
}

/// The parsed header of one file.
struct Parsed {
    tensors: Vec<TensorInfo>,
    /// The names of the integer tensors.
    ignored: BTreeSet<String>,
    metadata: BTreeMap<String, String>,
}

async fn parse_file(source: &dyn ByteSource, index: usize) -> Result<Parsed> {
    let file = source.name();
    let len = source.len();
    if len < 8 {
        bail!(FileCorrupt, "{file}: expected a safetensors header of at least 8 bytes, found {len}");
    }
    let prefix: [u8; 8] = match source.read(0, 8).await?.try_into() {
        Ok(prefix) => prefix,
        Err(_) => bail!(FileCorrupt, "{file}: expected 8 bytes at offset 0"),
    };
    let header_len = u64::from_le_bytes(prefix);
    let limit = MAX_HEADER_BYTES.min(len - 8);
    if header_len > limit {
        bail!(FileCorrupt, "{file}: expected a header of at most {limit} bytes, found {header_len}");
    }
    let bytes = source.read(8, header_len as usize).await?;
    if bytes.first() != Some(&b'{') {
        bail!(FileCorrupt, "{file}: expected the header to begin with '{{', found {:?}", bytes.first());
    }
    let header: Header = match serde_json::from_slice(&bytes) {
        Ok(header) => header,
        Err(error) => bail!(FileCorrupt, "{file}: header: {error}"),
    };
    drop(bytes);
    let data = 8 + header_len;
    check(header, index, data, len - data).map_err(|error: Error| error.at(file))
}

/// Checks every entry against the data section, which begins at offset `data` and has `data_len`
/// bytes.
fn check(header: Header, index: usize, data: u64, data_len: u64) -> Result<Parsed> {
    let mut spans: Vec<(u64, u64, String)> = Vec::with_capacity(header.entries.len());
    let mut tensors = Vec::new();
    let mut ignored = BTreeSet::new();
    for (name, Entry { dtype, shape, data_offsets: (begin, end) }) in header.entries {
        if begin > end || end > data_len {
            bail!(
                FileCorrupt,
                "tensor `{name}`: expected offsets within 0..{data_len}, found {begin}..{end}"
            );
        }
        let (stored, size) = match dtype.as_str() {
            "F32" => (Some(DType::F32), 4),
            "F16" => (Some(DType::F16), 2),
            "BF16" => (Some(DType::BF16), 2),
            "BOOL" | "U8" | "I8" => (None, 1),
            "U16" | "I16" => (None, 2),
            "U32" | "I32" => (None, 4),
            "U64" | "I64" => (None, 8),
            _ => bail!(
                ModelUnsupported,
                "tensor `{name}`: expected F32, F16 or BF16 elements, found {dtype:?}"
            ),
        };
        let bytes = shape.iter().try_fold(size, |product: u64, &n| product.checked_mul(n));
        if bytes != Some(end - begin) {
            let expected = bytes.map_or("more than 2^64".to_owned(), |bytes| bytes.to_string());
            bail!(
                FileCorrupt,
                "tensor `{name}`: expected {expected} bytes for {dtype} {shape:?}, found {}",
                end - begin
            );
        }
        spans.push((begin, end, name.clone()));
        match stored {
            Some(dtype) => tensors.push(TensorInfo::new(name, dtype, shape, index, data + begin)?),
            None => {
                ignored.insert(name);
            }
        }
    }
    spans.sort();
    let mut covered = 0;
    let mut before = "the header";
    for (begin, end, name) in &spans {
        if *begin < covered {
            bail!(
                FileCorrupt,
                "tensor `{name}`: it overlaps `{before}`: expected it to begin at {covered}, found {begin}"
            );
        }
        if *begin > covered {
            bail!(
                FileCorrupt,
                "tensor `{name}`: there is a hole after `{before}`: expected it to begin at {covered}, found {begin}"
            );
        }
        covered = *end;
        before = name;
    }
    if covered != data_len {
        bail!(FileCorrupt, "expected {covered} bytes of tensors, found {data_len} after the header");
    }
    Ok(Parsed { tensors, ignored, metadata: header.metadata })
}
