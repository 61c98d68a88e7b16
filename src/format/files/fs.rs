//! Directories in the file system.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::{Listed, ModelDir, check_file_name, is_gguf};
use crate::error::{Result, bail};
use crate::format::source::{ByteSource, FileSource};
use crate::future::LocalFuture;

/// A model directory on disk, or a single `.gguf` file.
#[derive(Clone, Debug)]
pub struct FsDir {
    name: String,
    path: PathBuf,
    /// The file's name, if `path` is a file.
    single: Option<String>,
}

impl FsDir {
    /// Refers to the directory or `.gguf` file at `path`.
    ///
    /// # Errors
    /// `invalid-argument` if there is neither at `path`.
    pub fn new(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        // The path is resolved, because the last component of "models/tiny/.." or "." is no name.
        let resolved = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let name = match resolved.file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => path.display().to_string(),
        };
        if path.is_dir() {
            return Ok(FsDir { name, path: path.to_path_buf(), single: None });
        }
        let given = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_file() && is_gguf(&given) {
            return Ok(FsDir { name: given.clone(), path: path.to_path_buf(), single: Some(given) });
        }
        let found = if path.exists() { "something else" } else { "nothing" };
        bail!(
            InvalidArgument,
            "{}: expected a model directory or a .gguf file, found {found}",
            path.display()
        )
    }

    fn open_now(&self, file: &str) -> Result<Option<Rc<dyn ByteSource>>> {
        check_file_name(&self.name, file)?;
        let source = match &self.single {
            Some(single) if single == file => FileSource::open(&self.path)?,
            Some(_) => None,
            None => FileSource::open(&self.path.join(file))?,
        };
        Ok(source.map(|source| Rc::new(source) as Rc<dyn ByteSource>))
    }
}

impl ModelDir for FsDir {
    fn name(&self) -> &str {
        &self.name
    }

    fn open<'a>(&'a self, file: &'a str) -> LocalFuture<'a, Result<Option<Rc<dyn ByteSource>>>> {
        Box::pin(std::future::ready(self.open_now(file)))
    }

    fn listing(&self) -> Option<Vec<Listed>> {
        if let Some(single) = &self.single {
            let size = self.path.metadata().ok().map(|metadata| metadata.len());
            return Some(vec![Listed { name: single.clone(), size }]);
        }
        let entries = std::fs::read_dir(&self.path).ok()?;
        // The metadata are those of the file that a symbolic link leads to.
        let files = entries.flatten().filter_map(|entry| {
            let metadata = entry.path().metadata().ok().filter(|metadata| metadata.is_file())?;
            let name = entry.file_name().into_string().ok()?;
            Some(Listed { name, size: Some(metadata.len()) })
        });
        Some(files.collect())
    }
}
