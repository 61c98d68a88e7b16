//! Files that a person chose in a browser.

use std::collections::BTreeMap;
use std::rc::Rc;

use web_sys::Blob;

use super::{ModelDir, gguf_among};
use crate::error::Result;
use crate::format::source::{BlobSource, ByteSource};
use crate::future::LocalFuture;

/// Named blobs, such as the `File`s of a file picker or of the origin's private file system.
#[derive(Clone, Debug)]
pub struct BlobDir {
    name: String,
    files: BTreeMap<String, Blob>,
}

impl BlobDir {
    /// Makes a directory of these files. A file is named by the last part of its path, because
    /// directory pickers return paths.
    pub fn new(name: impl Into<String>, files: impl IntoIterator<Item = (String, Blob)>) -> Self {
        let file_name = |path: String| path.rsplit('/').next().unwrap_or_default().to_owned();
        BlobDir {
            name: name.into(),
            files: files.into_iter().map(|(path, blob)| (file_name(path), blob)).collect(),
        }
    }
}

impl ModelDir for BlobDir {
    fn name(&self) -> &str {
        &self.name
    }

    fn open<'a>(&'a self, file: &'a str) -> LocalFuture<'a, Result<Option<Rc<dyn ByteSource>>>> {
        let found = self
            .files
            .get(file)
            .map(|blob| Rc::new(BlobSource::new(file, blob.clone())) as Rc<dyn ByteSource>);
        Box::pin(std::future::ready(Ok(found)))
    }

    fn gguf_files(&self) -> Vec<String> {
        gguf_among(self.files.keys().map(String::as_str))
    }
}
