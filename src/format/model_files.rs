//! All parts of a model, found in a directory or in a `.gguf` file.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::rc::Rc;

use super::checkpoint::Checkpoint;
use super::config::Config;
use super::files::{
    CONFIG_FILE, FileSet, INDEX_FILE, Listed, MAX_CONFIG_BYTES, MAX_TOKENIZER_BYTES, ModelDir, PICKLE_FILE,
    PICKLE_INDEX_FILE, files_of, first_names, further_names, optional_files,
};
use super::gguf::{self, Metadata};
use super::pickle;
use super::safetensors;
use super::sharded::open_sharded;
use super::source::{ByteSource, read_whole, refuse_cut_json, refuse_stand_in};
use super::wrappers::without_wrappers;
use crate::error::{Code, Error, Result};
use crate::future::LocalFuture;

/// An opened model. Its weights have not been read yet, only their headers.
#[derive(Clone, Debug)]
pub struct ModelFiles {
    /// The name of the directory or file, for display.
    pub name: String,
    /// The configuration, in Hugging Face's keys.
    pub config: Config,
    /// The weights, in Hugging Face's names.
    pub checkpoint: Checkpoint,
    /// The header of a GGUF file. Its keys `tokenizer.*` describe the tokenizer and the chat template.
    pub gguf: Option<Metadata>,
    /// The files of the tokenizer and of the chat template that are in a Hugging Face directory, by name.
    pub small_files: BTreeMap<String, Vec<u8>>,
    /// The same files, and tokenizer files that were not read, such as a `vocab.txt` beside a `tokenizer.json`. A saved model gets
    /// copies of them.
    pub copied_files: SourceFiles,
}

/// Files by name, whose content is read only when needed.
#[derive(Clone, Default)]
pub struct SourceFiles(pub Vec<(&'static str, Rc<dyn ByteSource>)>);

impl Debug for SourceFiles {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl ModelFiles {
    /// Opens the model in `dir`. [`files_of`] chooses its files.
    ///
    /// # Errors
    /// The errors of [`files_of`], with the code `network` for a server; and the errors of the parsers
    /// and sources.
    pub fn open(dir: &dyn ModelDir) -> LocalFuture<'_, Result<ModelFiles>> {
        Box::pin(async move {
            let place = Place::look(dir).await?;
            match &place.chosen {
                FileSet::Gguf(files) => open_gguf(&place, files).await,
                FileSet::HuggingFace { weights, optional } => {
                    open_hugging_face(&place, weights, optional).await
                }
            }
        })
    }
}

/// A directory in which the files of the model have been found.
struct Place<'a> {
    dir: &'a dyn ModelDir,
    listing: Vec<Listed>,
    chosen: FileSet,
    /// The files that were opened to see whether they exist. Opening a file on a server reads its beginning, so no file is opened twice.
    opened: BTreeMap<String, Rc<dyn ByteSource>>,
}

impl Place<'_> {
    /// Finds the model's files. If `dir` cannot be listed, they are requested by name.
    async fn look(dir: &dyn ModelDir) -> Result<Place<'_>> {
        let mut opened = BTreeMap::new();
        let listing = match dir.listing() {
            Some(listing) => listing,
            None => {
                let first = request(dir, &first_names(), &mut opened).await?;
                let further = request(dir, &further_names(&first), &mut opened).await?;
                [first, further].concat()
            }
        };
        match files_of(dir.name(), &listing, None) {
            Ok(chosen) => Ok(Place { dir, listing, chosen, opened }),
            Err(error) if error.code() == Code::InvalidArgument => {
                Err(Error::new(dir.absence(), error.message()))
            }
            Err(error) => Err(error),
        }
    }

    /// Opens one of the chosen files.
    async fn open(&self, file: &str) -> Result<Rc<dyn ByteSource>> {
        if let Some(source) = self.opened.get(file) {
            return Ok(source.clone());
        }
        self.dir.open(file).await?.ok_or_else(|| {
            let message = format!("expected a file {file}, found nothing");
            Error::new(self.dir.absence(), message).at(self.dir.name())
        })
    }

    /// Opens the optional files that exist.
    async fn optional(&self) -> Result<SourceFiles> {
        let mut found = Vec::new();
        for name in optional_files() {
            if self.listing.iter().any(|file| file.name == name) {
                found.push((name, self.open(name).await?));
            }
        }
        Ok(SourceFiles(found))
    }

    async fn read_small(&self, file: &str, limit: u64) -> Result<Vec<u8>> {
        small(file, self.open(file).await?.as_ref(), limit).await
    }
}

/// Reads a whole small file. Rejects a file that is a stand-in for another one, or that has been cut off.
async fn small(file: &str, source: &dyn ByteSource, limit: u64) -> Result<Vec<u8>> {
    // A list of merges may be empty.
    if file.ends_with(".json") || !source.is_empty() {
        refuse_stand_in(source).await?;
    }
    let bytes = read_whole(source, limit).await?;
    if file.ends_with(".json") {
        refuse_cut_json(file, &bytes)?;
    }
    Ok(bytes)
}

/// Opens the files in `names` that exist, and lists them.
async fn request(
    dir: &dyn ModelDir,
    names: &[impl AsRef<str>],
    opened: &mut BTreeMap<String, Rc<dyn ByteSource>>,
) -> Result<Vec<Listed>> {
    let mut found = Vec::new();
    for name in names {
        let name = name.as_ref();
        if let Some(source) = dir.open(name).await? {
            found.push(Listed { name: name.to_owned(), size: Some(source.len()) });
            opened.insert(name.to_owned(), source);
        }
    }
    Ok(found)
}

async fn open_gguf(place: &Place<'_>, files: &[String]) -> Result<ModelFiles> {
    let mut parts = Vec::new();
    for file in files {
        parts.push(place.open(file).await?);
    }
    let gguf::Gguf { metadata, checkpoint, config } = gguf::parse(parts).await?;
    Ok(ModelFiles {
        name: place.dir.name().to_owned(),
        config,
        checkpoint,
        gguf: Some(metadata),
        small_files: BTreeMap::new(),
        copied_files: SourceFiles::default(),
    })
}

async fn open_hugging_face(place: &Place<'_>, weights: &str, optional: &[&str]) -> Result<ModelFiles> {
    let config = Config::parse(CONFIG_FILE, &place.read_small(CONFIG_FILE, MAX_CONFIG_BYTES).await?)?;
    let source = place.open(weights).await?;
    let checkpoint = match weights {
        INDEX_FILE | PICKLE_INDEX_FILE => open_sharded(place.dir, source.as_ref()).await?,
        PICKLE_FILE => pickle::parse(source).await?,
        _ => safetensors::parse(source).await?,
    };
    let copied_files = place.optional().await?;
    let mut small_files = BTreeMap::new();
    for (file, source) in copied_files.0.iter().filter(|(file, _)| optional.contains(file)) {
        small_files.insert((*file).to_owned(), small(file, source.as_ref(), MAX_TOKENIZER_BYTES).await?);
    }
    let (name, checkpoint) = (place.dir.name().to_owned(), without_wrappers(checkpoint)?);
    Ok(ModelFiles { name, config, checkpoint, gguf: None, small_files, copied_files })
}

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))] // the tests block on futures
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::format::files::MemoryDir;

    const CONFIG: &[u8] = br#"{"model_type":"bert"}"#;

    fn weights() -> Vec<u8> {
        let header = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;
        [&(header.len() as u64).to_le_bytes()[..], header, &1f32.to_le_bytes()].concat()
    }

    fn dir() -> MemoryDir {
        MemoryDir::new("tiny").with("config.json", CONFIG)
    }

    #[test]
    fn a_hugging_face_directory() {
        let dir = dir()
            .with("model.safetensors", weights())
            .with("tokenizer.json", b"{}".to_vec())
            .with("tokenizer_config.json", b"{ }".to_vec())
            .with("vocab.txt", b"".to_vec());
        let files = block_on(ModelFiles::open(&dir)).unwrap();
        assert_eq!(files.name, "tiny");
        assert_eq!(files.config.str("model_type").unwrap(), "bert");
        assert_eq!(files.checkpoint.tensors.len(), 1);
        assert_eq!(files.small_files.keys().collect::<Vec<_>>(), ["tokenizer.json", "tokenizer_config.json"]);
        assert_eq!(files.small_files["tokenizer.json"], b"{}");
    }

    #[test]
    fn a_sharded_directory_with_a_vocabulary() {
        let dir = dir()
            .with("model.safetensors.index.json", br#"{"weight_map":{"a":"1.safetensors"}}"#.to_vec())
            .with("1.safetensors", weights())
            .with("vocab.json", b"{}".to_vec());
        let files = block_on(ModelFiles::open(&dir)).unwrap();
        assert_eq!(files.checkpoint.tensors.len(), 1);
        assert_eq!(files.small_files.keys().collect::<Vec<_>>(), ["vocab.json"]);
        assert!(files.gguf.is_none());
    }

    #[test]
    fn what_is_missing_is_said() {
        let many = MemoryDir::new("many").with("a.gguf", b"".to_vec()).with("b.gguf", b"".to_vec());
        for (dir, says) in [
            (MemoryDir::new("empty"), "config.json or a .gguf"),
            (dir(), "found none"),
            (many, "a.gguf, b.gguf"),
        ] {
            let error = block_on(ModelFiles::open(&dir)).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.message().contains(says), "{error}");
        }
        let broken = dir().with("config.json", b"{".to_vec()).with("model.safetensors", weights());
        assert_eq!(block_on(ModelFiles::open(&broken)).unwrap_err().code(), Code::FileCorrupt);
        let gguf = MemoryDir::new("one").with("a.gguf", b"GGUF".to_vec());
        let error = block_on(ModelFiles::open(&gguf)).unwrap_err();
        assert!(error.message().contains("a.gguf: expected 4 bytes of version"), "{error}");
    }

    #[test]
    fn long_small_files_are_refused() {
        let long = vec![b' '; MAX_CONFIG_BYTES as usize + 1];
        let dir = dir().with("config.json", long).with("model.safetensors", weights());
        assert_eq!(block_on(ModelFiles::open(&dir)).unwrap_err().code(), Code::LimitExceeded);
    }
}
