//! Files that the user chose in a browser.

use std::collections::BTreeMap;
use std::rc::Rc;

use web_sys::Blob;

use super::{Listed, ModelDir, folder_and_name, model_folder};
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
    /// Creates a directory of these files. Directory pickers return paths. If several folders have a model, the topmost one is used.
    pub fn new(name: impl Into<String>, files: impl IntoIterator<Item = (String, Blob)>) -> Self {
        let files: Vec<(String, Blob)> = files.into_iter().collect();
        let model = model_folder(files.iter().map(|(path, _)| path.as_str()));
        let inside = |path: &str| model.is_none_or(|model| folder_and_name(path).0 == model);
        let named = files.iter().filter(|(path, _)| inside(path));
        let files = named.map(|(path, blob)| (folder_and_name(path).1.to_owned(), blob.clone())).collect();
        BlobDir { name: name.into(), files }
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

    fn listing(&self) -> Option<Vec<Listed>> {
        let listed =
            |(name, blob): (&String, &Blob)| Listed { name: name.clone(), size: Some(blob.size() as u64) };
        Some(self.files.iter().map(listed).collect())
    }
}
