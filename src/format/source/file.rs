//! Files in the file system.

use std::fs::File;
use std::io;
use std::path::Path;

use super::{ByteSource, buffer, check_range};
use crate::error::{Result, err};
use crate::future::LocalFuture;

/// A file on disk. It is read with positioned reads and never memory-mapped, because another program may truncate it in the meantime.
#[derive(Debug)]
pub struct FileSource {
    name: String,
    file: File,
    len: u64,
}

impl FileSource {
    /// Opens the file at `path`. Returns `None` if there is no file.
    ///
    /// # Errors
    /// `invalid-argument` if the file exists but cannot be opened.
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let name = match path.file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => path.display().to_string(),
        };
        // Opening a pipe would wait for a program that writes to it.
        let opened = path.metadata().and_then(|metadata| match (metadata.is_file(), metadata.is_dir()) {
            (true, _) => Ok((File::open(path)?, metadata.len())),
            (false, true) => Err(io::Error::other("expected a file, found a directory")),
            (false, false) => Err(io::Error::other("expected a regular file, found a pipe or a device")),
        });
        match opened {
            Ok((file, len)) => Ok(Some(FileSource { name, file, len })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match path.read_link() {
                Ok(target) => {
                    let (path, target) = (path.display(), target.display());
                    Err(err!(
                        InvalidArgument,
                        "{path}: cannot be opened: it is a link to {target}, which does not exist"
                    ))
                }
                Err(_) => Ok(None),
            },
            Err(error) => Err(err!(InvalidArgument, "{}: cannot be opened: {error}", path.display())),
        }
    }

    fn read_now(&self, offset: u64, len: usize) -> Result<Vec<u8>> {
        check_range(&self.name, offset, len, self.len)?;
        let mut bytes = buffer(&self.name, len)?;
        bytes.resize(len, 0);
        read_exact_at(&self.file, &mut bytes, offset).map_err(|error| {
            err!(FileCorrupt, "{}: {len} bytes at offset {offset} cannot be read: {error}", self.name)
        })?;
        Ok(bytes)
    }
}

impl ByteSource for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(std::future::ready(self.read_now(offset, len)))
    }
}

#[cfg(unix)]
pub(super) fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(unix)]
pub(super) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
pub(super) fn read_exact_at(mut file: &File, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}

#[cfg(not(unix))]
pub(super) fn write_all_at(mut file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)
}
