//! Models whose weights are split into several files, with an index such as
//! `model.safetensors.index.json` or `pytorch_model.bin.index.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde::Deserialize;

use super::checkpoint::{Checkpoint, Parsed};
use super::files::{ModelDir, PICKLE_INDEX_FILE, check_path};
use super::source::{ByteSource, read_whole, refuse_cut_json, refuse_stand_in};
use super::{pickle, safetensors};
use crate::error::{Result, bail};

/// Maximum size of an index in bytes.
pub const INDEX_LIMIT: u64 = 64 << 20;

/// The index: it maps each tensor to its file.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Index {
    /// Parses an index, whose file is called `name`.
    ///
    /// # Errors
    /// `file-corrupt` if it cannot be parsed or names a file outside its directory.
    fn parse(name: &str, bytes: &[u8]) -> Result<Index> {
        let index: Index = match serde_json::from_slice(bytes) {
            Ok(index) => index,
            Err(error) => bail!(FileCorrupt, "{name}: {error}"),
        };
        if let Some(file) = index.weight_map.values().find(|file| check_path(name, file).is_err()) {
            bail!(FileCorrupt, "{name}: expected names of files in its directory or below, found {file:?}");
        }
        Ok(index)
    }
}

/// The files that an index of split weights names, each once. Browsers store the files of a model in one folder.
///
/// # Errors
/// `file-corrupt` if the index cannot be parsed, or if a name could lead outside its directory; `model-unsupported` if a file is in
/// a folder below it.
pub fn shards(name: &str, index: &[u8]) -> Result<BTreeSet<String>> {
    let index = Index::parse(name, index)?;
    let files: BTreeSet<String> = index.weight_map.into_values().collect();
    if let Some(file) = files.iter().find(|file| file.contains('/')) {
        bail!(
            ModelUnsupported,
            "{name}: expected files in its own folder, found {file:?}. In a browser, a model's files must be in one folder; the command line \
             also reads folders below it"
        );
    }
    Ok(files)
}

/// Opens the files in `dir` that `index` names, and parses their headers. Every tensor is read from the file that the index gives
/// for it. Tensors that are not in the index are ignored.
///
/// # Errors
/// `file-corrupt` if the index cannot be parsed, if it names a file that is missing or outside the
/// directory, or if a tensor is not in its file; and the errors of
/// [`safetensors::parse`] and [`pickle::parse`].
pub async fn open_sharded(dir: &dyn ModelDir, index: &dyn ByteSource) -> Result<Checkpoint> {
    let name = index.name();
    refuse_stand_in(index).await?;
    let bytes = read_whole(index, INDEX_LIMIT).await?;
    refuse_cut_json(name, &bytes)?;
    let is_pickle = name == PICKLE_INDEX_FILE;
    let index = Index::parse(name, &bytes)?;
    drop(bytes);
    let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (tensor, file) in &index.weight_map {
        wanted.entry(file).or_default().push(tensor);
    }
    let mut sources: Vec<Rc<dyn ByteSource>> = Vec::new();
    let mut all = Parsed::default();
    for (file, names) in wanted {
        let Some(source) = dir.open(file).await? else {
            bail!(FileCorrupt, "{name}: expected a file {file} next to it, found none");
        };
        let mut parsed = match is_pickle {
            true => pickle::parse_file(source.as_ref(), sources.len()).await?,
            false => safetensors::parse_file(source.as_ref(), sources.len()).await?,
        };
        for name_of_tensor in names {
            if let Some(tensor) = parsed.tensors.remove(name_of_tensor) {
                all.tensors.insert(tensor.name.clone(), tensor);
            } else if let Some(dtype) = parsed.unread.get(name_of_tensor) {
                all.unread.insert(name_of_tensor.to_owned(), dtype.clone());
            } else {
                bail!(
                    FileCorrupt,
                    "{file}: expected a tensor `{name_of_tensor}` according to {name}, found none"
                );
            }
        }
        all.metadata.extend(parsed.metadata);
        sources.push(source);
    }
    Ok(Checkpoint::of(all, sources))
}
