//! Reading and writing files, with errors that name the path.

use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};

/// Reads a file.
///
/// # Errors
/// `invalid-argument` when the file cannot be read.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::new(Code::InvalidArgument, format!("{}: {e}", path.display())))
}

/// Writes a file.
///
/// # Errors
/// As [`write_error`].
pub(super) fn write(path: &Path, bytes: impl AsRef<[u8]>) -> Result<()> {
    std::fs::write(path, bytes).map_err(|e| write_error(path, &e))
}

/// The error of a failed write: `storage-full` for a full disk, otherwise `invalid-argument`.
pub(super) fn write_error(path: &Path, error: &std::io::Error) -> Error {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Code::StorageFull,
        _ => Code::InvalidArgument,
    };
    Error::new(code, format!("{}: {error}", path.display()))
}

/// Makes a directory and its parents.
///
/// # Errors
/// As [`write_error`].
pub(super) fn make_dir(path: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(path).map_err(|e| write_error(path, &e))?;
    Ok(path.to_owned())
}

/// A path as text, for messages.
pub(super) fn name(path: &Path) -> String {
    path.display().to_string()
}
