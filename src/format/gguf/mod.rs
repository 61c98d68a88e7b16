//! GGUF versions 2 and 3 (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>), translated
//! to what Hugging Face's files of the same model would say.

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

/// The `general.architecture` of the GGUF files of a `model_type`, where they are read.
pub fn architecture_of(model_type: &str) -> Option<&'static str> {
    Architecture::of_model_type(model_type).map(|architecture| architecture.name)
}

/// More dimensions than the format has.
const MAX_DIMENSIONS: u32 = 4;

/// A GGUF file's header, with the weights under Hugging Face's names.
#[derive(Clone, Debug)]
pub struct Gguf {
    /// All of the header's keys and values; the tokenizer is built from `tokenizer.ggml.*`.
    pub metadata: Metadata,
    /// The weights, in Hugging Face's names, shapes and row order.
    pub checkpoint: Checkpoint,
    /// The fields that Hugging Face's `config.json` has.
    pub config: Config,
}

/// Parses the header.
///
/// # Errors
/// `file-corrupt`, naming file and tensor or key, where the file does not follow the format;
/// `model-unsupported` where the architecture, or a tensor's type, is none that is read.
pub async fn parse(source: Rc<dyn ByteSource>) -> Result<Gguf> {
    let (metadata, architecture, tensors) = parse_header(source.as_ref()).await?;
    let name = source.name().to_owned();
    let (config, tensors) = translate(&source, &metadata, architecture, tensors).await?;
    let mut named = BTreeMap::new();
    for tensor in tensors {
        if let Some(twice) = named.insert(tensor.name.clone(), tensor) {
            bail!(FileCorrupt, "{name}: tensor `{}` is there twice", twice.name);
        }
    }
    Ok(Gguf { metadata, checkpoint: Checkpoint::new(named, BTreeMap::new(), vec![source]), config })
}

/// Metadata, architecture, and the tensors as the file names and orders them, with shapes outermost
/// first.
async fn parse_header(source: &dyn ByteSource) -> Result<(Metadata, &'static Architecture, Vec<TensorInfo>)> {
    refuse_stand_in(source).await?;
    let file = source.name();
    let mut window = Window::new(source);
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
    // A tensor takes at least a name's length, dimensions, type and offset; a value at least a
    // key's length, a type and a byte.
    let tensor_count = window.count(8 + 4 + 4 + 8, "number of tensors").await?;
    let value_count = window.count(8 + 4 + 1, "number of metadata values").await?;
    let metadata = Metadata::read(file, &mut window, value_count).await?;
    // Before the types of its tensors: another file of the same model would be refused again.
    let wanted = metadata.str("general.architecture")?;
    let Some(architecture) = Architecture::named(wanted) else {
        let known: Vec<&str> = ARCHITECTURES.iter().map(|architecture| architecture.name).collect();
        bail!(
            ModelUnsupported,
            "{file}: `general.architecture`: expected one of {}, found {wanted}",
            known.join(", ")
        );
    };
    let alignment = u64::from(metadata.opt_u32("general.alignment")?.unwrap_or(32));
    if !alignment.is_power_of_two() {
        bail!(FileCorrupt, "{file}: `general.alignment`: expected a power of two, found {alignment}");
    }
    window.check_count(tensor_count, 8 + 4 + 4 + 8, "number of tensors")?;
    let mut tensors = Vec::new();
    let mut names = BTreeSet::new();
    for _ in 0..tensor_count {
        let (name, dtype, shape, offset) = tensor_info(file, &mut window).await?;
        if !names.insert(name.clone()) {
            bail!(FileCorrupt, "{file}: tensor `{name}` is there twice");
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
        let info = TensorInfo::new(name, dtype, shape, 0, begin).map_err(|error| error.at(file))?;
        let end = begin.saturating_add(info.stored_bytes());
        if end > source.len() {
            bail!(
                FileCorrupt,
                "{file}: tensor `{}`: expected {} bytes at offset {begin}, the file ends at {}; the file is incomplete",
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
    Ok((metadata, architecture, infos))
}

/// One tensor's entry: name, type, shape with the outermost dimension first, and offset.
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
    // GGUF lists the dimension that is contiguous in memory first.
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

/// The names of the types of ggml that are not read.
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
