//! Scratch files in the origin's private file system, using the synchronous access handle that only a worker can open.

use web_sys::{FileSystemReadWriteOptions, FileSystemSyncAccessHandle};

use super::{ByteSource, Scratch, buffer, check_range, reason};
use crate::error::{Result, bail, err};
use crate::future::LocalFuture;

/// A scratch file behind an access handle, or behind an object with the handle's methods. Whoever opened it must delete it.
#[derive(Clone, Debug)]
pub struct HandleFile {
    handle: FileSystemSyncAccessHandle,
}

impl HandleFile {
    /// Creates a file from an open handle.
    pub fn new(handle: FileSystemSyncAccessHandle) -> Self {
        HandleFile { handle }
    }

    fn read_now(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        check_range(self.name(), offset, len, self.len())?;
        let mut bytes = buffer(self.name(), len)?;
        bytes.resize(len, 0);
        let mut done = 0;
        while done < len {
            let read = self.handle.read_with_u8_array_and_options(&mut bytes[done..], &at(offset, done));
            match read.map(|count| count as usize) {
                Ok(0) => bail!(
                    FileCorrupt,
                    "{}: expected {len} bytes at offset {offset}, but the file ends before that",
                    self.name()
                ),
                Ok(count) if count <= len - done => done += count,
                // Chromium 156 returns some error codes as unsigned numbers, here and in writes.
                Ok(_) => bail!(FileCorrupt, "{}: {len} bytes at offset {offset} cannot be read", self.name()),
                Err(thrown) => {
                    let (name, reason) = (self.name(), reason(&thrown));
                    bail!(FileCorrupt, "{name}: {len} bytes at offset {offset} cannot be read: {reason}")
                }
            }
        }
        Ok(bytes)
    }
}

/// The position `done` bytes after `offset`. The conversion to f64 is exact, because no file is longer than 2^53 bytes.
fn at(offset: u64, done: usize) -> FileSystemReadWriteOptions {
    let options = FileSystemReadWriteOptions::new();
    options.set_at((offset + done as u64) as f64);
    options
}

impl ByteSource for HandleFile {
    fn name(&self) -> &'static str {
        "the file of the model's layers"
    }

    fn len(&self) -> u64 {
        self.handle.get_size().map_or(0, |bytes| bytes as u64)
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(std::future::ready(self.read_now(offset, len)))
    }
}

impl Scratch for HandleFile {
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            let written = self.handle.write_with_u8_array_and_options(&bytes[done..], &at(offset, done));
            let count =
                written.map_err(|thrown| err!(StorageFull, "{}: {}", self.name(), reason(&thrown)))?;
            if !(1.0..=(bytes.len() - done) as f64).contains(&count) {
                bail!(StorageFull, "{}: the browser has no storage space left", self.name());
            }
            done += count as usize;
        }
        Ok(())
    }
}
