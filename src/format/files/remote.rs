//! The files of a model on a server, whose URLs are known.

use std::collections::BTreeMap;
use std::rc::Rc;

use web_sys::AbortSignal;

use super::{CONFIG_FILE, Listed, ModelDir, folder_and_name};
use crate::error::{Code, Result};
use crate::format::source::{ByteSource, FetchSource};
use crate::future::LocalFuture;

/// A file of a [`RemoteDir`].
#[derive(Clone, Debug)]
pub struct RemoteFile {
    /// The name, which may include a path.
    pub name: String,
    /// The URL.
    pub url: String,
    /// The size in bytes, if it is known.
    pub size: Option<u64>,
    /// An access token for the server at this URL.
    pub token: Option<String>,
}

/// The files that a server has listed, with their URLs.
#[derive(Clone, Debug)]
pub struct RemoteDir {
    name: String,
    files: BTreeMap<String, RemoteFile>,
    signal: Option<AbortSignal>,
}

impl RemoteDir {
    /// Creates a directory of the files. `signal` stops every download from it.
    pub fn new(
        name: String,
        files: impl IntoIterator<Item = RemoteFile>,
        signal: Option<AbortSignal>,
    ) -> Self {
        let named = |file: RemoteFile| (folder_and_name(&file.name).1.to_owned(), file);
        RemoteDir { name, files: files.into_iter().map(named).collect(), signal }
    }

    /// The same directory without the tokenizer's files, which are not needed to describe a model and may be large.
    #[must_use]
    pub fn without_tokenizer(mut self) -> Self {
        let is_needed = |name: &str| {
            let ends = [".safetensors", ".gguf", ".bin", ".index.json"];
            name == CONFIG_FILE || ends.iter().any(|end| name.to_ascii_lowercase().ends_with(end))
        };
        self.files.retain(|name, _| is_needed(name));
        self
    }
}

impl ModelDir for RemoteDir {
    fn name(&self) -> &str {
        &self.name
    }

    fn open<'a>(&'a self, file: &'a str) -> LocalFuture<'a, Result<Option<Rc<dyn ByteSource>>>> {
        Box::pin(async move {
            let Some(RemoteFile { url, token, .. }) = self.files.get(file) else { return Ok(None) };
            let source = FetchSource::open_with_token(file, url, token.clone(), self.signal.clone()).await?;
            Ok(source.map(|source| Rc::new(source) as Rc<dyn ByteSource>))
        })
    }

    fn listing(&self) -> Option<Vec<Listed>> {
        let listed = |(name, file): (&String, &RemoteFile)| Listed { name: name.clone(), size: file.size };
        Some(self.files.iter().map(listed).collect())
    }

    fn absence(&self) -> Code {
        Code::Network
    }
}
