//! Directories that are held in memory.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::{Listed, ModelDir};
use crate::error::Result;
use crate::format::source::{ByteSource, MemorySource};
use crate::future::LocalFuture;

/// A directory held in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryDir {
    name: String,
    files: BTreeMap<String, Rc<[u8]>>,
}

impl MemoryDir {
    /// Creates an empty directory with this name.
    pub fn new(name: impl Into<String>) -> Self {
        MemoryDir { name: name.into(), files: BTreeMap::new() }
    }

    /// Returns the directory with the file added or replaced.
    #[must_use]
    pub fn with(mut self, file: impl Into<String>, bytes: impl Into<Rc<[u8]>>) -> Self {
        self.insert(file, bytes);
        self
    }

    /// Adds or replaces a file.
    pub fn insert(&mut self, file: impl Into<String>, bytes: impl Into<Rc<[u8]>>) {
        self.files.insert(file.into(), bytes.into());
    }
}

impl ModelDir for MemoryDir {
    fn name(&self) -> &str {
        &self.name
    }

    fn open<'a>(&'a self, file: &'a str) -> LocalFuture<'a, Result<Option<Rc<dyn ByteSource>>>> {
        let found = self
            .files
            .get(file)
            .map(|bytes| Rc::new(MemorySource::new(file, bytes.clone())) as Rc<dyn ByteSource>);
        Box::pin(std::future::ready(Ok(found)))
    }

    fn listing(&self) -> Option<Vec<Listed>> {
        let listed = |(name, bytes): (&String, &Rc<[u8]>)| Listed {
            name: name.clone(),
            size: Some(bytes.len() as u64),
        };
        Some(self.files.iter().map(listed).collect())
    }
}
