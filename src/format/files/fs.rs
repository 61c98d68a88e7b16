//! Directories in the file system.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::gguf_names::with_parts;
use super::{
    CONFIG_FILE, INDEX_FILE, Listed, ModelDir, PICKLE_FILE, PICKLE_INDEX_FILE, WEIGHTS_FILE, check_path,
    is_gguf, optional_files,
};
use crate::error::{Result, bail};
use crate::format::source::{ByteSource, FileSource};
use crate::future::LocalFuture;

/// A model directory on disk, or a `.gguf` file, including its other parts if it is split.
#[derive(Clone, Debug)]
pub struct FsDir {
    name: String,
    folder: PathBuf,
    /// The only files that belong to the model, if a `.gguf` file was named.
    only: Option<Vec<String>>,
}

impl FsDir {
    /// Refers to the directory or `.gguf` file at `path`.
    ///
    /// # Errors
    /// `invalid-argument` if neither exists at `path`.
    pub fn new(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        // The path is resolved, because the last component of "models/tiny/.." or "." is not a name.
        let resolved = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let name = match resolved.file_name() {
            Some(name) => name.to_string_lossy().into_owned(),
            None => path.display().to_string(),
        };
        if path.is_dir() {
            return Ok(FsDir { name, folder: path.to_path_buf(), only: None });
        }
        let given = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_file() && is_gguf(&given) {
            let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
            return Ok(FsDir { only: Some(with_parts(&given)), name: given, folder });
        }
        let found = match (path.exists(), path.is_symlink()) {
            (true, _) => "something else",
            (false, true) => "a link to nothing",
            (false, false) => "nothing",
        };
        bail!(
            InvalidArgument,
            "{}: expected a model directory or a .gguf file, found {found}",
            path.display()
        )
    }

    fn open_now(&self, file: &str) -> Result<Option<Rc<dyn ByteSource>>> {
        check_path(&self.name, file)?;
        if self.only.as_ref().is_some_and(|only| only.iter().all(|name| name != file)) {
            return Ok(None);
        }
        let source = FileSource::open(&self.folder.join(file))?;
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
        if let Some(only) = &self.only {
            let files = only.iter().filter_map(|name| {
                let metadata = self.folder.join(name).metadata().ok()?;
                Some(Listed { name: name.clone(), size: Some(metadata.len()) })
            });
            return Some(files.collect());
        }
        let entries = std::fs::read_dir(&self.folder).ok()?;
        // The metadata is that of the file that a symbolic link points to. What has the name of a model's file but is none, such as a link to
        // nothing, is listed too, so that opening it says what it is.
        let files = entries.flatten().filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            match entry.path().metadata().ok().filter(std::fs::Metadata::is_file) {
                Some(metadata) => Some(Listed { name, size: Some(metadata.len()) }),
                None => is_of_model(&name).then_some(Listed { name, size: None }),
            }
        });
        Some(files.collect())
    }
}

/// Whether a model's file in a directory may have this name. The names of shards are in their index.
fn is_of_model(name: &str) -> bool {
    [CONFIG_FILE, WEIGHTS_FILE, INDEX_FILE, PICKLE_FILE, PICKLE_INDEX_FILE].contains(&name)
        || optional_files().contains(&name)
        || is_gguf(name)
}

#[cfg(test)]
#[cfg(unix)] // the tests make links
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::error::Code;
    use crate::format::model_files::ModelFiles;

    #[test]
    fn what_has_a_files_name_but_is_no_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("config.json"), r#"{"model_type":"bert"}"#).unwrap();
        let error = || {
            let opened = pollster::block_on(ModelFiles::open(&FsDir::new(folder.path()).unwrap()));
            let error = opened.unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
            error.message().to_owned()
        };
        symlink("/nowhere", at("model.safetensors")).unwrap();
        assert!(error().ends_with(
            "model.safetensors: cannot be opened: it is a link to /nowhere, which does not exist"
        ));
        std::fs::remove_file(at("model.safetensors")).unwrap();
        symlink("/dev/null", at("model.safetensors")).unwrap();
        assert!(error().contains("expected a regular file, found a pipe or a device"));
        std::fs::remove_file(at("model.safetensors")).unwrap();
        std::fs::create_dir(at("model.safetensors")).unwrap();
        assert!(error().contains("expected a file, found a directory"));
        // A folder with another name is none of the model's files.
        std::fs::remove_dir(at("model.safetensors")).unwrap();
        std::fs::create_dir(at("onnx")).unwrap();
        assert!(error().contains("expected weights next to config.json"));
    }
}
