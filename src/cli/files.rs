//! Reads and writes files, with errors that name the path. A written file replaces an earlier one only when it is complete.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result, bail};
use crate::format::source::check_size_limit;

/// The suffix of the name of a file that is being written.
const PARTIAL: &str = ".partial";

/// Reads a file.
///
/// # Errors
/// `invalid-argument` if the file cannot be read.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::new(Code::InvalidArgument, format!("{}: {e}", path.display())))
}

/// Writes a file as [`Replacement`] does.
///
/// # Errors
/// The errors of [`write_error`].
pub(super) fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    let mut file = Replacement::create(path)?;
    file.write(bytes.as_ref())?;
    file.commit()
}

/// Appends bytes to a file that was opened at its end.
///
/// # Errors
/// The errors of [`write_error`] and [`check_size_limit`].
pub(super) fn append(file: &mut File, path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |e: io::Error| write_error(path, &e);
    let length = file.metadata().map_err(failed)?.len();
    check_size_limit(path.display(), length.saturating_add(bytes.len() as u64))?;
    file.write_all(bytes).map_err(failed)
}

/// The error of a failed write: `storage-full` for a full disk, otherwise `invalid-argument`.
pub(super) fn write_error(path: &Path, error: &io::Error) -> Error {
    let code = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::StorageFull,
        _ => Code::InvalidArgument,
    };
    Error::new(code, format!("{}: {error}", path.display()))
}

/// Creates a directory and its parents.
///
/// # Errors
/// The errors of [`write_error`].
pub(super) fn make_dir(path: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(path).map_err(|e| write_error(path, &e))?;
    Ok(path.to_owned())
}

/// A path as text, for messages.
pub(super) fn name(path: &Path) -> String {
    path.display().to_string()
}

/// A file that is written next to the one that it will replace. Until it is committed, the earlier file stays unchanged. A
/// replacement that is dropped before that is deleted.
///
/// A symbolic link is followed. A pipe or a device, such as `/dev/stdout`, is written directly.
pub(super) struct Replacement {
    /// The path in messages.
    named: PathBuf,
    /// The file to be replaced.
    target: PathBuf,
    /// The temporary file; `None` for a pipe or a device, and after the file has received its final name.
    partial: Option<PathBuf>,
    file: BufWriter<File>,
    written: u64,
}

impl Replacement {
    /// Creates the temporary file next to `path`, so that an unwritable directory is detected before there is anything to write.
    ///
    /// # Errors
    /// The errors of [`write_error`].
    pub(super) fn create(path: &Path) -> Result<Replacement> {
        let failed = |e: io::Error| write_error(path, &e);
        let (target, partial) = match path.metadata() {
            Ok(found) if found.is_dir() => bail!(
                InvalidArgument,
                "{}: expected the name of a file to write, found a directory",
                path.display()
            ),
            Ok(found) if !found.is_file() => (path.to_owned(), None),
            Ok(_) => {
                let target = path.canonicalize().map_err(failed)?;
                (target.clone(), Some(beside(&target)))
            }
            Err(_) => (path.to_owned(), Some(beside(path))),
        };
        let file = match &partial {
            Some(partial) => File::create(partial),
            None => File::options().write(true).open(&target),
        };
        let file = BufWriter::new(file.map_err(failed)?);
        Ok(Replacement { named: path.to_owned(), target, partial, file, written: 0 })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// The errors of [`write_error`].
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.written += bytes.len() as u64;
        if self.partial.is_some() {
            check_size_limit(self.named.display(), self.written)?;
        }
        self.file.write_all(bytes).map_err(|e| write_error(&self.named, &e))
    }

    /// Waits until the bytes are on disk, and gives the file its final name.
    ///
    /// # Errors
    /// The errors of [`write_error`].
    pub(super) fn commit(mut self) -> Result<()> {
        let failed = |e: io::Error| write_error(&self.named, &e);
        self.file.flush().map_err(failed)?;
        if let Some(partial) = &self.partial {
            self.file.get_ref().sync_all().map_err(failed)?;
            std::fs::rename(partial, &self.target).map_err(failed)?;
            sync_dir(&self.target);
            self.partial = None;
        }
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some(partial) = &self.partial {
            let _ = std::fs::remove_file(partial);
        }
    }
}

/// The temporary name next to `path` that this process writes to.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}{PARTIAL}", std::process::id()));
    name.into()
}

/// Whether a file was left unfinished by a process that was killed.
pub(super) fn is_partial(name: &str) -> bool {
    let process = name.strip_suffix(PARTIAL).and_then(|name| name.rsplit_once('.'));
    process.is_some_and(|(_, id)| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
}

/// Waits until a file's directory entry is on disk. Systems without such a call preserve the order by themselves.
fn sync_dir(file: &Path) {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _ = File::open(dir).and_then(|dir| dir.sync_all());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_file_stays_until_the_new_one_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.safetensors");
        std::fs::write(&path, "before").unwrap();
        let mut file = Replacement::create(&path).unwrap();
        file.write(b"after").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"before");
        drop(file);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "the partial file is gone");
        write(&path, "after").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"after");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn partial_files_are_told_by_their_names() {
        for (name, is) in
            [("a.12.partial", true), ("a.partial", false), ("a.b.partial", false), ("a.12", false)]
        {
            assert_eq!(is_partial(name), is, "{name}");
        }
        assert!(is_partial(beside(Path::new("x/a")).to_str().unwrap()));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_devices_written_directly() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, "before").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link, "after").unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"after");
        assert!(link.symlink_metadata().unwrap().is_symlink());
        write(Path::new("/dev/null"), "x").unwrap();
        if Path::new("/dev/full").exists() {
            assert_eq!(write(Path::new("/dev/full"), "x").unwrap_err().code(), Code::StorageFull);
        }
        assert_eq!(write(dir.path(), "x").unwrap_err().code(), Code::InvalidArgument);
    }
}
