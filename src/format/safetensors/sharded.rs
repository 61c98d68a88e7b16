//! Models that are split into several safetensors files, with the index
//! `model.safetensors.index.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde::Deserialize;

use super::{INDEX_LIMIT, parse_file};
use crate::error::{Result, bail};
use crate::format::checkpoint::Checkpoint;
use crate::format::files::{ModelDir, check_file_name};
use crate::format::source::{ByteSource, read_whole};

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
        if let Some(file) = index.weight_map.values().find(|file| check_file_name(name, file).is_err()) {
            bail!(FileCorrupt, "{name}: expected plain file names, found {file:?}");
        }
        Ok(index)
    }
}

/// The files that an index of split weights names, each once.
///
/// # Errors
/// `file-corrupt` if the index cannot be parsed, or if a name could lead outside its directory.
pub fn shards(name: &str, index: &[u8]) -> Result<BTreeSet<String>> {
    let index = Index::parse(name, index)?;
    Ok(index.weight_map.into_values().collect())
}

/// Opens the files in `dir` that `index` names, and parses their headers. Every tensor is read from
/// the file that the index gives for it. Tensors that are not in the index are left out.
///
/// # Errors
/// `file-corrupt` if the index cannot be parsed, if it names a file that is missing or outside the
/// directory, or if a tensor is not in its file; and the errors of [`super::parse`].
pub async fn open_sharded(dir: &dyn ModelDir, index: &dyn ByteSource) -> Result<Checkpoint> {
    let name = index.name();
    let bytes = read_whole(index, INDEX_LIMIT).await?;
    let index = Index::parse(name, &bytes)?;
    drop(bytes);
    let mut wanted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (tensor, file) in &index.weight_map {
        wanted.entry(file).or_default().push(tensor);
    }
    let mut sources: Vec<Rc<dyn ByteSource>> = Vec::new();
    let mut tensors = BTreeMap::new();
    let mut metadata = BTreeMap::new();
    for (file, names) in wanted {
        let Some(source) = dir.open(file).await? else {
            bail!(FileCorrupt, "{name}: expected a file {file} beside it, found none");
        };
        let parsed = parse_file(source.as_ref(), sources.len()).await?;
        let mut held: BTreeMap<String, _> =
            parsed.tensors.into_iter().map(|tensor| (tensor.name.clone(), tensor)).collect();
        for name_of_tensor in names {
            match held.remove(name_of_tensor) {
                Some(tensor) => {
                    tensors.insert(tensor.name.clone(), tensor);
                }
                None if parsed.ignored.contains(name_of_tensor) => {}
                None => bail!(
                    FileCorrupt,
                    "{file}: expected a tensor `{name_of_tensor}` according to {name}, found none"
                ),
            }
        }
        metadata.extend(parsed.metadata);
        sources.push(source);
    }
    Ok(Checkpoint::new(tensors, metadata, sources))
}
