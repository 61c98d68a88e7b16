//! Files that are held in memory.

use std::rc::Rc;

use super::{ByteSource, check_range};
use crate::error::Result;
use crate::future::LocalFuture;

/// A file held in memory, for tests and for small files.
#[derive(Clone, Debug)]
pub struct MemorySource {
    name: String,
    bytes: Rc<[u8]>,
}

impl MemorySource {
    /// Creates a file with this name and content.
    pub fn new(name: impl Into<String>, bytes: impl Into<Rc<[u8]>>) -> Self {
        MemorySource { name: name.into(), bytes: bytes.into() }
    }
}

impl ByteSource for MemorySource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        let range = check_range(&self.name, offset, len, self.len())
            .map(|()| self.bytes[offset as usize..offset as usize + len].to_vec());
        Box::pin(std::future::ready(range))
    }
}
