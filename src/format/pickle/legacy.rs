//! The layout of PyTorch before 1.6, which `torch.save` still writes on request: five pickles (a magic number, the version, the
//! machine, the tensors, and the keys of the storages), followed by the number of elements (u64) and the elements for each key, in
//! that order.

use std::collections::BTreeMap;

use super::machine::{MAX_PICKLE_BYTES, Machine};
use super::values::{Storage, Tensor, Value};
use crate::error::{Error, Result, bail};
use crate::format::source::ByteSource;

/// The start of the first pickle: with protocol 2, as `torch.save` writes it, or with protocol 4 or 5 and a frame length; followed
/// by the opcode and the length of a number.
const BEGINNINGS: [&[u8]; 3] = [
    b"\x80\x02\x8a\x0a",
    b"\x80\x04\x95\x0d\0\0\0\0\0\0\0\x8a\x0a",
    b"\x80\x05\x95\x0d\0\0\0\0\0\0\0\x8a\x0a",
];

/// The magic number 0x1950a86a20f9469cfc6c, and the end of the first pickle.
const MAGIC: &[u8] = b"\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Bytes to read first. Most state dicts fit.
const FIRST_READ: u64 = 256 << 10;

/// The tensors of a file, and where its storages start.
pub(super) struct Legacy {
    pub(super) tensors: Vec<(String, Tensor)>,
    pub(super) begins: BTreeMap<String, u64>,
}

/// Whether a file starts like this layout.
pub(super) fn is_legacy(start: &[u8]) -> bool {
    BEGINNINGS.iter().any(|beginning| start.starts_with(&beginning[..4]))
}

pub(super) async fn read(source: &dyn ByteSource) -> Result<Legacy> {
    let most = source.len().min(MAX_PICKLE_BYTES);
    let mut len = most.min(FIRST_READ);
    loop {
        // Where the pickles end is known only after they have been read.
        let bytes = source.read(0, len as usize).await?;
        match parse(&bytes, source.len()) {
            Err(_) if len < most => len = len.saturating_mul(4).min(most),
            parsed => return parsed,
        }
    }
}

/// Parses the pickles at the start of a file of `len` bytes.
fn parse(start: &[u8], len: u64) -> Result<Legacy> {
    let after = BEGINNINGS.iter().find_map(|beginning| start.strip_prefix(*beginning));
    let Some(rest) = after.and_then(|number| number.strip_prefix(MAGIC)) else {
        bail!(FileCorrupt, "expected the magic number of a PyTorch file");
    };
    let version = Machine::run(rest)?;
    if !matches!(version.result()?, Value::Int(1001)) {
        bail!(ModelUnsupported, "expected version 1001 of the format that PyTorch wrote before 1.6");
    }
    let machine = Machine::run(version.rest())?;
    if let Some(Value::Int(0)) = machine.entry("little_endian")? {
        bail!(ModelUnsupported, "expected elements in little-endian order");
    }
    let object = Machine::run(machine.rest())?;
    let keys = Machine::run(object.rest())?;
    let Value::List(items) = keys.result()? else { bail!(FileCorrupt, "expected the storage keys") };
    let mut at = (start.len() - keys.rest().len()) as u64;
    let mut begins = BTreeMap::new();
    for item in items {
        let Value::Text(key) = &keys.values[*item] else { bail!(FileCorrupt, "expected storage keys") };
        let Some(storage) = object.storages.get(key) else {
            bail!(FileCorrupt, "storage {key}: no tensor uses it");
        };
        let begin = at + 8;
        at = size(storage).and_then(|size| begin.checked_add(size)).filter(|end| *end <= len).ok_or_else(
            || -> Error {
                crate::error::err!(
                    FileCorrupt,
                    "storage {key}: expected {} elements of {} bytes at {begin}, but the file ends at {len}; the file is \
                     incomplete",
                    storage.elements,
                    storage.element.bytes
                )
            },
        )?;
        if begins.insert(key.clone(), begin).is_some() {
            bail!(FileCorrupt, "storage {key}: it occurs twice");
        }
    }
    if at != len {
        bail!(FileCorrupt, "expected the storages to end with the file at {len}, found {at}");
    }
    Ok(Legacy { tensors: object.state_dict()?, begins })
}

/// Bytes of a storage.
fn size(storage: &Storage) -> Option<u64> {
    storage.elements.checked_mul(storage.element.bytes)
}
