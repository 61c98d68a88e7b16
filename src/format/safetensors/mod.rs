//! The safetensors format (<https://huggingface.co/docs/safetensors>). A file has an 8-byte
//! little-endian length, a JSON header of that length, and then the bytes of the tensors, without
//! holes, up to the end of the file.
//!
//! The `safetensors` crate does the same checks but needs the whole file in memory; this module reads only the header.

mod header;
#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))] // the tests block on futures
mod tests;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::checkpoint::{Checkpoint, Parsed, TensorInfo};
use super::source::{ByteSource, refuse_stand_in};
use crate::dtype::DType;
use crate::error::{Error, Result, bail};
use header::{Entry, Header};

/// Maximum size of a header in bytes, which is also the reference implementation's limit.
pub const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Parses the header of a file.
///
/// Tensors of element types other than [`DType`]'s plain ones, such as BERT's `position_ids`, are checked, but only their names are kept.
///
/// # Errors
/// `file-corrupt`, naming the file and the tensor, if the file does not follow the format.
pub async fn parse(source: Rc<dyn ByteSource>) -> Result<Checkpoint> {
    let parsed = parse_file(source.as_ref(), 0).await?;
    Ok(Checkpoint::of(parsed, vec![source]))
}

/// Parses the header of a file that has the index `index` in its checkpoint.
pub(super) async fn parse_file(source: &dyn ByteSource, index: usize) -> Result<Parsed> {
    refuse_stand_in(source).await?;
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
        // No valid header is longer than this.
        let cause = if header_len <= MAX_HEADER_BYTES { "; the file is incomplete" } else { "" };
        bail!(FileCorrupt, "{file}: expected a header of at most {limit} bytes, found {header_len}{cause}");
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

/// Checks every entry against the data section, which starts at offset `data` and has `data_len` bytes.
fn check(header: Header, index: usize, data: u64, data_len: u64) -> Result<Parsed> {
    let mut spans: Vec<(u64, u64, String)> = Vec::with_capacity(header.entries.len());
    let mut tensors = BTreeMap::new();
    let mut unread = BTreeMap::new();
    for (name, Entry { dtype, shape, data_offsets: (begin, end) }) in header.entries {
        if begin > end || end > data_len {
            bail!(
                FileCorrupt,
                "tensor `{name}`: expected offsets within 0..{data_len}, found {begin}..{end}{}",
                if begin <= end { "; the file is incomplete" } else { "" }
            );
        }
        let bits = element_bits(&dtype);
        let size = |bits| shape.iter().try_fold(bits, |product: u64, &n| product.checked_mul(n));
        let bytes = bits.map(|bits| size(bits).filter(|bits| bits.is_multiple_of(8)).map(|bits| bits / 8));
        if let Some(bytes) = bytes.filter(|bytes| *bytes != Some(end - begin)) {
            let expected =
                bytes.map_or("a whole number (and at most 2^64 bits) of".to_owned(), |n| n.to_string());
            bail!(
                FileCorrupt,
                "tensor `{name}`: expected {expected} bytes for {dtype} {shape:?}, found {}",
                end - begin
            );
        }
        spans.push((begin, end, name.clone()));
        match plain(&dtype) {
            Some(dtype) => {
                let info = TensorInfo::new(name.clone(), dtype, shape, index, data + begin)?;
                tensors.insert(name, info);
            }
            None => {
                unread.insert(name, dtype);
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
                "tensor `{name}`: there is a gap after `{before}`: expected it to begin at {covered}, found {begin}"
            );
        }
        covered = *end;
        before = name;
    }
    if covered != data_len {
        bail!(FileCorrupt, "expected {covered} bytes of tensors, found {data_len} after the header");
    }
    Ok(Parsed { tensors, unread, metadata: header.metadata })
}

/// The storage format of an element type that can be read.
fn plain(dtype: &str) -> Option<DType> {
    match dtype {
        "F32" => Some(DType::F32),
        "F16" => Some(DType::F16),
        "BF16" => Some(DType::BF16),
        _ => None,
    }
}

/// Bits of an element, or `None` for a type that is not among those of safetensors 0.7.
fn element_bits(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F4" => 4,
        "F6_E2M3" | "F6_E3M2" => 6,
        "BOOL" | "U8" | "I8" => 8,
        _ if dtype.starts_with("F8_") => 8,
        "U16" | "I16" | "F16" | "BF16" => 16,
        "U32" | "I32" | "F32" => 32,
        "U64" | "I64" | "F64" | "C64" => 64,
        _ => return None,
    })
}
