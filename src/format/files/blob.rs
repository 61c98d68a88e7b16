//! Files that a person picked.

use std::collections::BTreeMap;
use std::rc::Rc;

use web_sys::Blob;

use super::{ModelDir, gguf_among};
use crate::error::Result;
use crate::format::source::{BlobSource, ByteSource};
use crate::future::LocalFuture;

/// Named blobs: the `File`s of a picker, or of the origin's private file system.
#[derive(Clone, Debug)]
pub struct BlobDir {
    name: String,
    files: BTreeMap<String, Blob>,
}

impl BlobDir {
    /// A directory of these files. Of a path, such as a directory picker gives, the last part counts.
    pub fn new(name: impl Into<String>, files: impl IntoIterator<Item = (String, Blob)>) -> Self {
        let plain = |path: String| path.rsplit('/').next().unwrap_or_default().to_owned();
        BlobDir {
            name: name.into(),
            files: files.into_iter().map(|(path, blob)| (plain(path), blob)).collect(),
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
