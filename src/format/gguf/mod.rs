//! GGUF versions 2 and 3 (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>), translated to the equivalent of Hugging
//! Face's files for the same model.

mod architecture;
mod hyperparameters;
mod lora;
mod metadata;
mod modules;
mod rope;
#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))] // the tests block on futures
mod tests;
mod translate;
mod window;

pub use lora::{LoraBase, LoraPair};
pub use metadata::{Metadata, Value};

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::checkpoint::{Checkpoint, TensorInfo};
use super::config::Config;
use super::source::{ByteSource, refuse_stand_in};
use crate::dtype::{DType, Format};
use crate::error::{Result, bail};
use architecture::{ARCHITECTURES, Architecture};
use translate::translate;
use window::Window;

/// The `general.architecture` of the GGUF files of a `model_type`, if they can be read.
pub fn architecture_of(model_type: &str) -> Option<&'static str> {
    Architecture::of_model_type(model_type).map(|architecture| architecture.name)
}

/// Maximum number of dimensions; the format has no more.
const MAX_DIMENSIONS: u32 = 4;

/// The minimum size of a tensor's entry in bytes: its name's length, number of dimensions, type and offset.
const TENSOR_BYTES: u64 = 8 + 4 + 4 + 8;

/// A GGUF file's header, with the weights under Hugging Face's names.
#[derive(Clone, Debug)]
pub struct Gguf {
    /// All keys and values of the header. The tokenizer is built from `tokenizer.ggml.*`.
    pub metadata: Metadata,
    /// The weights, in Hugging Face's names, shapes and row order.
    pub checkpoint: Checkpoint,
    /// The fields of the equivalent `config.json`.
    pub config: Config,
}

/// Parses the headers of a file, or of all parts of a split file, in order. The first part has all metadata; the others only have
/// tensors.
///
/// # Errors
/// `file-corrupt`, naming the file and the tensor or key, if a file does not follow the format or is not the expected part;
/// `model-unsupported` if the architecture or the type of a tensor is not supported.
pub async fn parse(parts: Vec<Rc<dyn ByteSource>>) -> Result<Gguf> {
    let mut first = None;
    let mut tensors = Vec::new();
    for (number, source) in parts.iter().enumerate() {
        let mut window = Window::new(source.as_ref());
        let (tensor_count, metadata) = read_metadata(source.as_ref(), &mut window).await?;
        check_part(source.name(), &metadata, number, parts.len())?;
        let alignment = u64::from(metadata.opt_u32("general.alignment")?.unwrap_or(32));
        if first.is_none() {
            // This is checked before the tensor types, since another file of the same model would also be rejected.
            let architecture = architecture(source.name(), &metadata)?;
            first = Some((metadata, architecture));
        }
        tensors.extend(read_tensors(source.as_ref(), number, &mut window, tensor_count, alignment).await?);
    }
    let Some((metadata, architecture)) = first else {
        bail!(InvalidArgument, "expected a .gguf file, found none")
    };
    let name = metadata.name();
    if let Some(count) = metadata.opt_u32(SPLIT_TENSORS)?.filter(|count| *count as usize != tensors.len()) {
        bail!(
            FileCorrupt,
            "{name}: `{SPLIT_TENSORS}`: expected {} tensors in all parts, found {count}",
            tensors.len()
        );
    }
    let (config, tensors) = translate(&parts, &metadata, architecture, tensors).await?;
    let mut named = BTreeMap::new();
    for tensor in tensors {
        if let Some(twice) = named.insert(tensor.name.clone(), tensor) {
            bail!(FileCorrupt, "{name}: tensor `{}` appears twice", twice.name);
        }
    }
    Ok(Gguf { metadata, checkpoint: Checkpoint::new(named, BTreeMap::new(), parts), config })
}

/// The metadata keys of a part of a split file (llama.cpp's `LLM_KV_SPLIT_*`): its index from 0, the number of parts, and the total
/// number of tensors.
const SPLIT_NUMBER: &str = "split.no";
const SPLIT_COUNT: &str = "split.count";
const SPLIT_TENSORS: &str = "split.tensors.count";

/// Checks that a file is the part that its name says or, if its name has no part number, that it is not a part of a split file.
fn check_part(file: &str, metadata: &Metadata, number: usize, count: usize) -> Result<()> {
    let has =
        (metadata.opt_u32(SPLIT_NUMBER)?.unwrap_or(0), metadata.opt_u32(SPLIT_COUNT)?.unwrap_or(1).max(1));
    if has == (number as u32, count as u32) {
        return Ok(());
    }
    if count == 1 {
        bail!(
            FileCorrupt,
            "{file}: expected a whole file, found part {} of {}; the parts must keep their names, such as model-00001-of-{:05}.gguf",
            has.0.saturating_add(1),
            has.1,
            has.1
        );
    }
    bail!(
        FileCorrupt,
        "{file}: expected part {} of {count}, found part {} of {}",
        number + 1,
        has.0.saturating_add(1),
        has.1
    );
}

/// Reads the number of tensors and the metadata.
async fn read_metadata(source: &dyn ByteSource, window: &mut Window<'_>) -> Result<(u64, Metadata)> {
    refuse_stand_in(source).await?;
    let file = source.name();
    let magic = window.take(4, "magic").await?;
    if magic != b"GGUF" {
        bail!(FileCorrupt, "{file}: expected a file that begins with GGUF, found {magic:02x?}");
    }
    match window.u32("version").await? {
        2 | 3 => {}
        0x0200_0000 | 0x0300_0000 => {
            bail!(ModelUnsupported, "{file}: expected little-endian GGUF, found big-endian")
        }
        other => bail!(ModelUnsupported, "{file}: expected GGUF version 2 or 3, found {other}"),
    }
    let tensor_count = window.count(TENSOR_BYTES, "number of tensors").await?;
    // A value takes at least a key's length, a type and one byte.
    let value_count = window.count(8 + 4 + 1, "number of metadata values").await?;
    Ok((tensor_count, Metadata::read(file, window, value_count).await?))
}

fn architecture(file: &str, metadata: &Metadata) -> Result<&'static Architecture> {
    let wanted = metadata.str("general.architecture")?;
    let Some(architecture) = Architecture::named(wanted) else {
        let known: Vec<&str> = ARCHITECTURES.iter().map(|architecture| architecture.name).collect();
        bail!(
            ModelUnsupported,
            "{file}: `general.architecture`: expected one of {}, found {wanted}",
            known.join(", ")
        );
    };
    Ok(architecture)
}

/// Reads the tensors with the names and order of the file, and with shapes outermost dimension first. They belong to the
/// checkpoint's source with index `number`.
async fn read_tensors(
    source: &dyn ByteSource,
    number: usize,
    window: &mut Window<'_>,
    count: u64,
    alignment: u64,
) -> Result<Vec<TensorInfo>> {
    let file = source.name();
    if !alignment.is_power_of_two() {
        bail!(FileCorrupt, "{file}: `general.alignment`: expected a power of two, found {alignment}");
    }
    window.check_count(count, TENSOR_BYTES, "number of tensors")?;
    let mut tensors = Vec::new();
    let mut names = BTreeSet::new();
    for _ in 0..count {
        let (name, dtype, shape, offset) = tensor_info(file, window).await?;
        if !names.insert(name.clone()) {
            bail!(FileCorrupt, "{file}: tensor `{name}` appears twice");
        }
        if !offset.is_multiple_of(alignment) {
            bail!(
                FileCorrupt,
                "{file}: tensor `{name}`: expected an offset aligned to {alignment}, found {offset}"
            );
        }
        tensors.push((name, dtype, shape, offset));
    }
    let data = window.position().next_multiple_of(alignment);
    let mut spans = Vec::with_capacity(tensors.len());
    let mut infos = Vec::with_capacity(tensors.len());
    for (name, dtype, shape, offset) in tensors {
        let begin = data.saturating_add(offset);
        let info = TensorInfo::new(name, dtype, shape, number, begin).map_err(|error| error.at(file))?;
        let end = begin.saturating_add(info.stored_bytes());
        if end > source.len() {
            bail!(
                FileCorrupt,
                "{file}: tensor `{}`: expected {} bytes at offset {begin}, but the file ends at {}; the file is incomplete",
                info.name,
                info.stored_bytes(),
                source.len()
            );
        }
        spans.push((begin, end, info.name.clone()));
        infos.push(info);
    }
    spans.sort();
    for pair in spans.windows(2) {
        if let [(_, end, before), (begin, _, name)] = pair
            && begin < end
        {
            bail!(
                FileCorrupt,
                "{file}: tensor `{name}`: overlaps `{before}`: begins at {begin}, expected {end}"
            );
        }
    }
    Ok(infos)
}

/// Reads one tensor's entry: name, type, shape with the outermost dimension first, and offset.
async fn tensor_info(file: &str, window: &mut Window<'_>) -> Result<(String, DType, Vec<u64>, u64)> {
    let name = window.string("tensor name").await?;
    let dimensions = window.u32(&name).await?;
    if dimensions > MAX_DIMENSIONS {
        bail!(
            FileCorrupt,
            "{file}: tensor `{name}`: expected at most {MAX_DIMENSIONS} dimensions, found {dimensions}"
        );
    }
    let mut shape = Vec::new();
    for _ in 0..dimensions {
        shape.push(window.u64(&name).await?);
    }
    // GGUF lists the contiguous dimension first.
    shape.reverse();
    let kind = window.u32(&name).await?;
    let Some(format) = Format::ALL.iter().find(|format| format.ggml_type == kind) else {
        let known: Vec<&str> = Format::ALL.iter().map(|format| format.name).collect();
        bail!(
            ModelUnsupported,
            "{file}: tensor `{name}`: expected one of the types {}, found {}",
            known.join(", "),
            type_name(kind)
        );
    };
    Ok((name, format.dtype, shape, window.u64("tensor offset").await?))
}

/// The names of the ggml types that cannot be read.
fn type_name(kind: u32) -> String {
    let name = match kind {
        9 => "Q8_1",
        15 => "Q8_K",
        16..=22 | 29 => "an IQ type",
        24..=27 => "an integer type",
        28 => "F64",
        34 | 35 => "a ternary type",
        39 => "MXFP4",
        other => return format!("type {other}"),
    };
    name.to_owned()
}
