//! All parts of a model, found in a directory or in one `.gguf` file.

use std::collections::BTreeMap;

use super::checkpoint::Checkpoint;
use super::config::Config;
use super::files::ModelDir;
use super::gguf::{self, Metadata};
use super::safetensors;
use super::source::read_whole;
use crate::error::{Error, Result, bail};
use crate::future::LocalFuture;

/// Maximum size of a `config.json` in bytes.
pub const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// Maximum size of a `tokenizer.json` or another tokenizer file in bytes.
pub const MAX_TOKENIZER_BYTES: u64 = 64 << 20;

/// Optional files, either of which may have the chat template.
const CHAT_FILES: [&str; 2] = ["tokenizer_config.json", "chat_template.jinja"];

/// The source that the tokenizer is built from.
#[derive(Clone, Debug)]
pub enum TokenizerFile {
    /// A `tokenizer.json`: its bytes, and the file's name for messages.
    Json(Vec<u8>, String),
    /// A GGUF header, whose keys `tokenizer.ggml.*` describe the tokenizer.
    Gguf(Metadata),
    /// There is neither.
    Absent,
}

/// An opened model. Its weights have not been read yet, only their headers.
#[derive(Clone, Debug)]
pub struct ModelFiles {
    /// The name of the directory or file, for display.
    pub name: String,
    /// The configuration, in Hugging Face's keys.
    pub config: Config,
    /// The weights, in Hugging Face's names.
    pub checkpoint: Checkpoint,
    /// The source that the tokenizer is built from.
    pub tokenizer: TokenizerFile,
    /// The content of `tokenizer_config.json` and `chat_template.jinja`, if they exist.
    pub chat_files: BTreeMap<String, Vec<u8>>,
}

impl ModelFiles {
    /// Opens the model in `dir`: `config.json` with `model.safetensors` or its index, otherwise the
    /// only `.gguf` file.
    ///
    /// # Errors
    /// `invalid-argument` (`network` for a server) if a file is missing; `invalid-argument` if
    /// there are several `.gguf` files and none was chosen; `limit-exceeded` if a small file is too
    /// long; and the errors of the parsers and sources.
    pub fn open(dir: &dyn ModelDir) -> LocalFuture<'_, Result<ModelFiles>> {
        Box::pin(async move {
            // If `dir` is itself a .gguf file, it has no other files, so they are not requested.
            let found = dir.gguf_files();
            if let [only] = found.as_slice()
                && super::files::is_gguf(dir.name())
            {
                return open_gguf(dir, only).await;
            }
            match (read_small(dir, "config.json", MAX_CONFIG_BYTES).await?, found.as_slice()) {
                (Some(config), _) => open_hugging_face(dir, &config).await,
                (None, [only]) => open_gguf(dir, only).await,
                (None, []) => Err(absent(dir, "expected a config.json or a .gguf file, found neither")),
                (None, several) => bail!(
                    InvalidArgument,
                    "{}: expected one .gguf file, found {}; choose one of them",
                    dir.name(),
                    several.join(", ")
                ),
            }
        })
    }
}

/// The error for a directory in which a file is missing.
fn absent(dir: &dyn ModelDir, message: &str) -> Error {
    Error::new(dir.absence(), message).at(dir.name())
}

async fn open_gguf(dir: &dyn ModelDir, file: &str) -> Result<ModelFiles> {
    let Some(source) = dir.open(file).await? else {
        return Err(absent(dir, &format!("expected a file {file}, found nothing")));
    };
    let gguf::Gguf { metadata, checkpoint, config } = gguf::parse(source).await?;
    Ok(ModelFiles {
        name: dir.name().to_owned(),
        config,
        checkpoint,
        tokenizer: TokenizerFile::Gguf(metadata),
        chat_files: BTreeMap::new(),
    })
}

async fn open_hugging_face(dir: &dyn ModelDir, config: &[u8]) -> Result<ModelFiles> {
    let config = Config::parse("config.json", config)?;
    let checkpoint = if let Some(source) = dir.open("model.safetensors").await? {
        safetensors::parse(source).await?
    } else if let Some(index) = dir.open(safetensors::INDEX_FILE).await? {
        safetensors::open_sharded(dir, index.as_ref()).await?
    } else {
        let found = match dir.open("pytorch_model.bin").await {
            Ok(Some(_)) => "pytorch_model.bin, which cannot be read; save the model as safetensors",
            _ => "neither",
        };
        let index = safetensors::INDEX_FILE;
        let message = format!("expected model.safetensors or {index} beside config.json, found {found}");
        return Err(absent(dir, &message));
    };
    let tokenizer = match read_small(dir, "tokenizer.json", MAX_TOKENIZER_BYTES).await? {
        Some(bytes) => TokenizerFile::Json(bytes, "tokenizer.json".to_owned()),
        None => TokenizerFile::Absent,
    };
    let mut chat_files = BTreeMap::new();
    for file in CHAT_FILES {
        if let Some(bytes) = read_small(dir, file, MAX_TOKENIZER_BYTES).await? {
            chat_files.insert(file.to_owned(), bytes);
        }
    }
    Ok(ModelFiles { name: dir.name().to_owned(), config, checkpoint, tokenizer, chat_files })
}

async fn read_small(dir: &dyn ModelDir, file: &str, limit: u64) -> Result<Option<Vec<u8>>> {
    match dir.open(file).await? {
        Some(source) => Ok(Some(read_whole(source.as_ref(), limit).await?)),
        None => Ok(None),
    }
}

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))] // the tests block on futures
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::error::Code;
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
        assert!(
            matches!(files.tokenizer, TokenizerFile::Json(bytes, name) if bytes == b"{}" && name == "tokenizer.json")
        );
        assert_eq!(files.chat_files.keys().collect::<Vec<_>>(), ["tokenizer_config.json"]);
    }

    #[test]
    fn a_sharded_directory_without_a_tokenizer() {
        let dir = dir()
            .with("model.safetensors.index.json", br#"{"weight_map":{"a":"1.safetensors"}}"#.to_vec())
            .with("1.safetensors", weights())
            .with("vocab.json", b"{}".to_vec());
        let files = block_on(ModelFiles::open(&dir)).unwrap();
        assert_eq!(files.checkpoint.tensors.len(), 1);
        assert!(matches!(files.tokenizer, TokenizerFile::Absent));
        assert!(files.chat_files.is_empty());
    }

    #[test]
    fn what_is_missing_is_said() {
        let many = MemoryDir::new("many").with("a.gguf", b"".to_vec()).with("b.gguf", b"".to_vec());
        for (dir, says) in [
            (MemoryDir::new("empty"), "config.json or a .gguf"),
            (dir(), "found neither"),
            (dir().with("pytorch_model.bin", b"".to_vec()), "save the model as safetensors"),
            (many, "a.gguf, b.gguf"),
        ] {
            let error = block_on(ModelFiles::open(&dir)).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            assert!(error.message().contains(says), "{error}");
        }
        let broken = dir().with("config.json", b"{".to_vec());
        assert_eq!(block_on(ModelFiles::open(&broken)).unwrap_err().code(), Code::FileCorrupt);
        let gguf = MemoryDir::new("one").with("a.gguf", b"GGUF".to_vec());
        let error = block_on(ModelFiles::open(&gguf)).unwrap_err();
        assert!(error.message().contains("a.gguf: expected 4 bytes of version"), "{error}");
    }

    #[test]
    fn long_small_files_are_refused() {
        let dir = dir().with("config.json", vec![b' '; MAX_CONFIG_BYTES as usize + 1]);
        assert_eq!(block_on(ModelFiles::open(&dir)).unwrap_err().code(), Code::LimitExceeded);
    }
}
