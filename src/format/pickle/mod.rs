//! The format of `pytorch_model.bin`, as `torch.save` writes it. Since PyTorch 1.6, it is a zip archive of stored members:
//! `<root>/data.pkl` is a pickle that describes the tensors, and `<root>/data/<key>` has the elements of one storage. Before that,
//! it was the same pickle among others, followed by the storages. Only the directory and the pickle are read at first. A tensor is
//! a range of its storage.

mod legacy;
mod machine;
#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))] // the tests block on futures
mod tests;
mod values;
mod zip;

use std::collections::BTreeMap;
use std::rc::Rc;

use super::checkpoint::{Checkpoint, Order, Parsed, TensorInfo};
use super::source::{ByteSource, refuse_stand_in};
use crate::error::{Error, Result, bail};
use machine::{MAX_PICKLE_BYTES, Machine};
use values::Tensor;
use zip::Archive;

/// Parses the directory and the pickle of a file. For tensors whose elements cannot be read, only the names are kept.
///
/// # Errors
/// `file-corrupt` if the file does not follow the format; `model-unsupported` if its pickle does
/// more than describe tensors. The message names the file.
pub async fn parse(source: Rc<dyn ByteSource>) -> Result<Checkpoint> {
    let parsed = parse_file(source.as_ref(), 0).await?;
    Ok(Checkpoint::of(parsed, vec![source]))
}

/// Parses a file that has the index `index` in its checkpoint.
pub(super) async fn parse_file(source: &dyn ByteSource, index: usize) -> Result<Parsed> {
    refuse_stand_in(source).await?;
    let start = source.read(0, source.len().min(4) as usize).await?;
    let parsed = match legacy::is_legacy(&start) {
        true => parse_legacy(source, index).await,
        false => parse_zip(source, index).await,
    };
    parsed.map_err(|error| error.at(source.name()))
}

async fn parse_legacy(source: &dyn ByteSource, index: usize) -> Result<Parsed> {
    let legacy::Legacy { tensors, begins } = legacy::read(source).await?;
    let mut parsed = Parsed::default();
    for (name, tensor) in tensors {
        let Some(begin) = begins.get(&tensor.storage.key) else {
            bail!(FileCorrupt, "tensor `{name}`: expected a storage {}, found none", tensor.storage.key);
        };
        add(&mut parsed, name, &tensor, index, *begin)?;
    }
    Ok(parsed)
}

async fn parse_zip(source: &dyn ByteSource, index: usize) -> Result<Parsed> {
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
    let at_pickle = |error: Error| error.at("data.pkl");
    let tensors = Machine::run(&bytes).and_then(|machine| machine.state_dict()).map_err(at_pickle)?;
    drop(bytes);
    let mut parsed = Parsed::default();
    let mut begins: BTreeMap<String, u64> = BTreeMap::new();
    for (name, tensor) in tensors {
        let key = format!("{root}data/{}", tensor.storage.key);
        let Some(member) = archive.get(&key)? else {
            bail!(FileCorrupt, "tensor `{name}`: expected a member {key}, found none");
        };
        let expected = tensor.storage.elements.checked_mul(tensor.storage.element.bytes);
        if expected != Some(member.size) {
            bail!(
                FileCorrupt,
                "tensor `{name}`: expected {} elements of {} bytes in its storage, found {} bytes",
                tensor.storage.elements,
                tensor.storage.element.bytes,
                member.size
            );
        }
        let begin = match begins.get(&key) {
            Some(begin) => *begin,
            None => Archive::data(source, member).await?,
        };
        begins.insert(key, begin);
        add(&mut parsed, name, &tensor, index, begin)?;
    }
    Ok(parsed)
}

/// Adds a tensor whose storage starts at `begin` in the file, after checking that the tensor is within its storage.
fn add(parsed: &mut Parsed, name: String, tensor: &Tensor, index: usize, begin: u64) -> Result<()> {
    let Tensor { storage, offset, shape, strides } = tensor;
    if shape.len() != strides.len() {
        bail!(
            FileCorrupt,
            "tensor `{name}`: expected a stride for each dimension of {shape:?}, found {strides:?}"
        );
    }
    let elements = shape.iter().try_fold(1u64, |product, n| product.checked_mul(*n));
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(*offset, |last, (n, stride)| last.checked_add(n.saturating_sub(1).checked_mul(*stride)?));
    let order = Order::of_strides(shape, strides);
    // An order in which several elements share the same storage is not supported.
    let most = if order.is_some() { storage.elements } else { u64::MAX };
    let is_within = match (elements, last) {
        (Some(0), _) => *offset <= storage.elements,
        (Some(elements), Some(last)) => last < storage.elements && elements <= most,
        _ => false,
    };
    if !is_within {
        bail!(
            FileCorrupt,
            "tensor `{name}`: expected at most {} elements, found shape {shape:?} with strides {strides:?} at {offset}",
            storage.elements
        );
    }
    let is_new = match (storage.element.dtype, order) {
        (Some(dtype), Some(order)) => {
            let offset = begin + offset * storage.element.bytes;
            let info = TensorInfo::new(name.clone(), dtype, shape.clone(), index, offset)?.with_order(order);
            parsed.tensors.insert(name.clone(), info).is_none()
        }
        (_, None) => {
            let kind = format!("{} with strides {strides:?}", storage.element.name);
            parsed.unread.insert(name.clone(), kind).is_none()
        }
        (None, _) => parsed.unread.insert(name.clone(), storage.element.name.to_owned()).is_none(),
    };
    if !is_new {
        bail!(FileCorrupt, "tensor `{name}`: it occurs twice");
    }
    Ok(())
}
