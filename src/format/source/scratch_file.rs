//! Scratch files in the file system.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::path::Path;

use super::file::{read_exact_at, write_all_at};
use super::{ByteSource, Scratch, buffer, check_range, check_size_limit};
use crate::error::{Code, Error, Result, err};
use crate::future::LocalFuture;

/// A scratch file on disk. On Unix it has no name; elsewhere the system deletes it. So nothing is left of it even if the process is
/// killed.
#[derive(Debug)]
pub struct ScratchFile {
    /// The directory that contains the file, for messages.
    place: String,
    file: File,
    len: Cell<u64>,
}

impl ScratchFile {
    /// Creates an empty file in this directory.
    ///
    /// # Errors
    /// `storage-full`; `invalid-argument` if the directory is not writable.
    pub fn create(dir: &Path) -> Result<ScratchFile> {
        let place = format!("the scratch file in {}", dir.display());
        match tempfile::tempfile_in(dir) {
            Ok(file) => Ok(ScratchFile { place, file, len: Cell::new(0) }),
            Err(error) => Err(write_error(&place, &error)),
        }
    }

    fn read_now(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        check_range(&self.place, offset, len, self.len())?;
        let mut bytes = buffer(&self.place, len)?;
        bytes.resize(len, 0);
        read_exact_at(&self.file, &mut bytes, offset).map_err(|error| {
            let place = &self.place;
            err!(FileCorrupt, "{place}: {len} bytes at offset {offset} cannot be read: {error}")
        })?;
        Ok(bytes)
    }
}

impl ByteSource for ScratchFile {
    fn name(&self) -> &str {
        &self.place
    }

    fn len(&self) -> u64 {
        self.len.get()
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(std::future::ready(self.read_now(offset, len)))
    }
}

impl Scratch for ScratchFile {
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        let end = offset.saturating_add(bytes.len() as u64);
        check_size_limit(&self.place, end)?;
        write_all_at(&self.file, bytes, offset).map_err(|error| write_error(&self.place, &error))?;
        self.len.set(self.len.get().max(end));
        Ok(())
    }
}

fn write_error(place: &str, error: &io::Error) -> Error {
    let code = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::StorageFull,
        _ => Code::InvalidArgument,
    };
    Error::new(code, format!("{place}: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use pollster::block_on;

    use super::*;

    #[test]
    fn what_is_written_anywhere_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let file = ScratchFile::create(dir.path()).unwrap();
        file.write(5, b"later").unwrap();
        file.write(0, b"now").unwrap();
        assert_eq!(file.len(), 10);
        assert_eq!(block_on(file.read(0, 10)).unwrap(), b"now\0\0later");
        assert_eq!(block_on(file.read(6, 5)).unwrap_err().code(), Code::FileCorrupt);
    }

    #[cfg(unix)]
    #[test]
    fn nothing_is_left_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = ScratchFile::create(dir.path()).unwrap();
        file.write(0, b"bytes").unwrap();
        // The directory is empty even while the file is open, so nothing remains if the process is killed.
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_has_become_shorter_and_a_full_disk_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let file = ScratchFile::create(dir.path()).unwrap();
        file.write(0, b"bytes").unwrap();
        file.file.set_len(2).unwrap();
        let error = block_on(file.read(0, 5)).unwrap_err();
        assert_eq!(error.code(), Code::FileCorrupt);
        assert!(error.message().contains("5 bytes at offset 0 cannot be read"), "{error}");
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let file = ScratchFile { place: "/dev/full".into(), file: full, len: Cell::new(0) };
        assert_eq!(file.write(0, b"bytes").unwrap_err().code(), Code::StorageFull);
        assert_eq!(file.len(), 0);
        let missing = dir.path().join("missing");
        assert_eq!(ScratchFile::create(&missing).unwrap_err().code(), Code::InvalidArgument);
    }
}
