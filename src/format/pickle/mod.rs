//! The format of `pytorch_model.bin`, as `torch.save` has written it since PyTorch 1.6: a zip archive
//! of stored members. `<root>/data.pkl` is a pickle that describes the tensors, and `<root>/data/<key>`
//! has the elements of one storage. Only the zip directory and the pickle are read at once. A
//! tensor is a range of its storage.

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))] // the tests block on futures
mod tests;
mod unpickle;
mod zip;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::checkpoint::{Checkpoint, TensorInfo};
use super::source::ByteSource;
use crate::error::{Error, Result, bail};
use unpickle::Tensor;
use zip::Archive;

/// Maximum size of the pickle in bytes. That of a model with a thousand tensors has 100 kB.
const MAX_PICKLE_BYTES: u64 = 4 << 20;

/// Parses the directory and the pickle of a file. Integer and boolean tensors are checked and then
/// left out.
///
/// # Errors
/// `file-corrupt` if the file does not follow the format; `model-unsupported` if it has the older
/// layout, if its pickle does more than describe tensors, or if a tensor's elements are not in
/// order or not of a known type. The message names the file.
pub async fn parse(source: Rc<dyn ByteSource>) -> Result<Checkpoint> {
    let tensors = parse_file(source.as_ref(), 0).await.map_err(|error| error.at(source.name()))?;
    Ok(Checkpoint::new(tensors, BTreeMap::new(), vec![source]))
}

async fn parse_file(source: &dyn ByteSource, index: usize) -> Result<BTreeMap<String, TensorInfo>> {
    let archive = Archive::read(source).await?;
    let root = archive.root()?;
    if let Some(order) = archive.get(&format!("{root}byteorder"))? {
        let bytes = source.read(Archive::data(source, order).await?, order.size.min(16) as usize).await?;
        if bytes != b"little" {
            bail!(ModelUnsupported, "expected elements in little-endian order");
        }
    }
    let Some(pickle) = archive.get(&format!("{root}data.pkl"))? else {
        bail!(FileCorrupt, "expected a member data.pkl, found none");
    };
    if pickle.size > MAX_PICKLE_BYTES {
        bail!(LimitExceeded, "data.pkl: expected at most {MAX_PICKLE_BYTES} bytes, found {}", pickle.size);
    }
    let bytes = source.read(Archive::data(source, pickle).await?, pickle.size as usize).await?;
    let listed = unpickle::state_dict(&bytes).map_err(|error: Error| error.at("data.pkl"))?;
    drop(bytes);
    let mut tensors = BTreeMap::new();
    let mut storages: BTreeMap<String, u64> = BTreeMap::new();
    for (name, tensor) in listed {
        let key = format!("{root}data/{}", tensor.storage.key);
        let Some(member) = archive.get(&key)? else {
            bail!(FileCorrupt, "tensor `{name}`: expected a member {key}, found none");
        };
        let offset = check(&name, &tensor, member.size)?;
        let Some(dtype) = tensor.storage.dtype else { continue };
        let begin = match storages.get(&key) {
            Some(begin) => *begin,
            None => Archive::data(source, member).await?,
        };
        storages.insert(key, begin);
        let info = TensorInfo::new(name.clone(), dtype, tensor.shape, index, begin + offset)?;
        if tensors.insert(name.clone(), info).is_some() {
            bail!(FileCorrupt, "tensor `{name}`: it occurs twice");
        }
    }
    Ok(tensors)
}

/// Checks a tensor against its storage of `stored` bytes. Returns its offset in bytes there.
fn check(name: &str, tensor: &Tensor, stored: u64) -> Result<u64> {
    let Tensor { storage, offset, shape, strides } = tensor;
    if storage.elements.checked_mul(storage.element_bytes) != Some(stored) {
        bail!(
            FileCorrupt,
            "tensor `{name}`: expected {} elements of {} bytes in its storage, found {stored} bytes",
            storage.elements,
            storage.element_bytes
        );
    }
    if shape.len() != strides.len() {
        bail!(
            FileCorrupt,
            "tensor `{name}`: expected a stride for each dimension of {shape:?}, found {strides:?}"
        );
    }
    let mut elements = Some(1u64);
    let mut is_in_order = true;
    for (n, stride) in shape.iter().zip(strides).rev() {
        is_in_order &= *n <= 1 || Some(*stride) == elements;
        elements = elements.and_then(|elements| elements.checked_mul(*n));
    }
    if elements.and_then(|elements| elements.checked_add(*offset)).is_none_or(|end| end > storage.elements) {
        bail!(
            FileCorrupt,
            "tensor `{name}`: expected at most {} elements, found shape {shape:?} at {offset}",
            storage.elements
        );
    }
    if !is_in_order && elements != Some(0) {
        bail!(
            ModelUnsupported,
            "tensor `{name}`: expected contiguous elements, found strides {strides:?} of shape {shape:?}; save \
             the model as safetensors"
        );
    }
    Ok(offset * storage.element_bytes)
}
