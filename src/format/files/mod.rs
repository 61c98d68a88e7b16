//! Directories of a model's files, which are looked up by name.

mod gguf_names;
mod memory;
mod quantization;
mod set;
pub use gguf_names::is_gguf;
pub use memory::MemoryDir;
pub(crate) use set::optional_files;
pub use set::{
    CHAT_FILE, CONFIG_FILE, FileSet, GENERATION_FILE, INDEX_FILE, Listed, MAX_CONFIG_BYTES,
    MAX_TOKENIZER_BYTES, PICKLE_FILE, PICKLE_INDEX_FILE, TOKENIZER_FILE, WEIGHTS_FILE, file_of_quantization,
    files_of, first_names, further_names,
};

#[cfg(not(target_arch = "wasm32"))]
mod fs;
#[cfg(not(target_arch = "wasm32"))]
pub use fs::FsDir;

#[cfg(target_arch = "wasm32")]
mod blob;
#[cfg(target_arch = "wasm32")]
mod fetch;
#[cfg(target_arch = "wasm32")]
pub use blob::BlobDir;
#[cfg(target_arch = "wasm32")]
mod remote;
#[cfg(target_arch = "wasm32")]
pub use fetch::FetchDir;
#[cfg(target_arch = "wasm32")]
pub use remote::{RemoteDir, RemoteFile};

use std::rc::Rc;

use super::source::ByteSource;
use crate::error::{Code, Result, bail};
use crate::future::LocalFuture;

/// Where a model's files are: a directory, the files of a file picker, a URL, or a single `.gguf` file.
pub trait ModelDir {
    /// The name of the directory, for display.
    fn name(&self) -> &str;

    /// Opens the file called `file`. Returns `None` if there is no such file. A directory on disk also opens files in folders below it.
    ///
    /// # Errors
    /// `invalid-argument` if `file` is not a file name, or leads outside the directory; `network` or `aborted` if the files
    /// are on a server.
    fn open<'a>(&'a self, file: &'a str) -> LocalFuture<'a, Result<Option<Rc<dyn ByteSource>>>>;

    /// The files that the directory contains. Returns `None` if it cannot be listed. Its files are then requested by name, see
    /// [`first_names`].
    fn listing(&self) -> Option<Vec<Listed>> {
        None
    }

    /// The code of the error that reports a missing model file.
    fn absence(&self) -> Code {
        Code::InvalidArgument
    }
}

/// Returns an error if `file` is not a plain file name. The names in an index are untrusted, and must not point outside the directory.
pub(crate) fn check_file_name(dir: &str, file: &str) -> Result<()> {
    if file.is_empty() || file == "." || file == ".." || file.contains(['/', '\\', '\0', ':', '?', '#', '%'])
    {
        bail!(InvalidArgument, "{dir}: expected a plain file name, found {file:?}");
    }
    Ok(())
}

/// Returns an error if `path` is not a file name, or a path of folders and a file name that stays below the directory.
pub(crate) fn check_path(dir: &str, path: &str) -> Result<()> {
    if path.split('/').any(|name| check_file_name(dir, name).is_err()) {
        bail!(InvalidArgument, "{dir}: expected the path of a file below this directory, found {path:?}");
    }
    Ok(())
}

/// The model's folder among the paths of a folder that the user chose: the folder with the topmost `config.json` or `.gguf` file.
/// Returns `None` if there is neither.
#[cfg(any(target_arch = "wasm32", test))]
fn model_folder<'a>(paths: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let is_model = |name: &str| name.eq_ignore_ascii_case("config.json") || is_gguf(name);
    let models = paths.map(folder_and_name).filter(|(_, name)| is_model(name));
    models
        .map(|(folder, _)| folder)
        .min_by_key(|folder| folder.split('/').count() - usize::from(folder.is_empty()))
}

/// The folder of a path, empty if there is none, and the file name.
#[cfg(any(target_arch = "wasm32", test))]
fn folder_and_name(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))] // the tests block on futures
mod tests {
    use pollster::block_on;

    use super::*;
    use crate::format::source::{FileSource, MemorySource, read_whole};

    #[test]
    fn the_model_of_a_folder_is_the_uppermost() {
        for (paths, folder) in [
            (&["config.json", "model.safetensors"][..], Some("")),
            (&["a/old/config.json", "a/config.json", "a/onnx/config.json"], Some("a")),
            (&["a/b/config.json", "c.gguf"], Some("")),
            (&["a/b/Model.GGUF", "a/b/c/config.json"], Some("a/b")),
            (
                &["m/onnx/model.onnx", "m/1_Pooling/config.json", "m/config.json", "m/tokenizer.json"],
                Some("m"),
            ),
            (&["x/config.json", "y/config.json"], Some("x")),
            (&["a/adapter_config.json", "notes.txt"], None),
            (&[], None),
        ] {
            assert_eq!(model_folder(paths.iter().copied()), folder, "{paths:?}");
        }
    }

    #[test]
    fn gguf_names_are_told_by_their_end() {
        for (name, is) in
            [("a.gguf", true), ("A.GGUF", true), (".gguf", true), ("gguf", false), ("é", false), ("", false)]
        {
            assert_eq!(is_gguf(name), is, "{name}");
        }
        assert!(!is_gguf("éééguf"));
    }

    #[test]
    fn names_from_outside_stay_inside() {
        for bad in ["", ".", "..", "../a", "a/b", "a\\b", "/a", "C:a", "a\0", "a?b", "a#b", "%2e%2e"] {
            assert_eq!(check_file_name("m", bad).unwrap_err().code(), Code::InvalidArgument, "{bad:?}");
        }
        check_file_name("m", "model-00001-of-00002.safetensors").unwrap();
        for bad in ["", "..", "../a", "a/../b", "a/..", "/a", "a/", "a//b", "./a", "a\\b", "C:/a", "a/%2e%2e"]
        {
            assert_eq!(check_path("m", bad).unwrap_err().code(), Code::InvalidArgument, "{bad:?}");
        }
        check_path("m", "shards/1/model-00001-of-00002.safetensors").unwrap();
    }

    fn sources() -> (tempfile::TempDir, Vec<Rc<dyn ByteSource>>) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("x"), b"0123456789").unwrap();
        let file = FileSource::open(&dir.path().join("x")).unwrap().unwrap();
        let memory = MemorySource::new("x", b"0123456789".to_vec());
        (dir, vec![Rc::new(file), Rc::new(memory)])
    }

    #[test]
    fn sources_give_exactly_what_is_asked_for() {
        let (_dir, sources) = sources();
        for source in sources {
            assert_eq!((source.name(), source.len(), source.is_empty()), ("x", 10, false));
            assert_eq!(block_on(source.read(3, 4)).unwrap(), b"3456");
            assert_eq!(block_on(source.read(10, 0)).unwrap(), b"");
            assert_eq!(block_on(read_whole(source.as_ref(), 10)).unwrap(), b"0123456789");
            assert_eq!(block_on(read_whole(source.as_ref(), 9)).unwrap_err().code(), Code::LimitExceeded);
            for (offset, len) in [(8, 3), (11, 0), (u64::MAX, 1), (0, usize::MAX)] {
                let error = block_on(source.read(offset, len)).unwrap_err();
                assert_eq!(error.code(), Code::FileCorrupt);
                let expected = format!("x: expected {len} bytes at offset {offset}, but the file ends at 10");
                assert_eq!(error.message(), expected);
            }
        }
    }

    #[test]
    fn a_file_that_becomes_shorter_is_an_error() {
        let (dir, sources) = sources();
        std::fs::write(dir.path().join("x"), b"0").unwrap();
        assert_eq!(block_on(sources[0].read(3, 4)).unwrap_err().code(), Code::FileCorrupt);
    }

    #[test]
    fn directories_on_disk() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.gguf"), b"a").unwrap();
        std::fs::write(dir.path().join("b"), b"b").unwrap();
        std::fs::create_dir(dir.path().join("c")).unwrap();
        std::fs::write(dir.path().join("c/d"), b"d").unwrap();
        let whole = FsDir::new(dir.path()).unwrap();
        let mut listing = whole.listing().unwrap();
        listing.sort_by(|a, b| a.name.cmp(&b.name));
        let listed = |name: &str| Listed { name: name.to_owned(), size: Some(1) };
        assert_eq!(listing, [listed("a.gguf"), listed("b")]);
        assert!(block_on(whole.open("b")).unwrap().is_some());
        assert!(block_on(whole.open("none")).unwrap().is_none());
        assert!(block_on(whole.open("c/d")).unwrap().is_some());
        assert!(block_on(whole.open("../b")).is_err());
        assert!(block_on(whole.open("c/../b")).is_err());
        assert!(block_on(whole.open("c")).is_err());
        let single = FsDir::new(dir.path().join("a.gguf")).unwrap();
        assert_eq!((single.name(), single.listing()), ("a.gguf", Some(vec![listed("a.gguf")])));
        assert!(block_on(single.open("a.gguf")).unwrap().is_some());
        assert!(block_on(single.open("b")).unwrap().is_none());
        for bad in ["b", "none"] {
            let error = FsDir::new(dir.path().join(bad)).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument);
        }
    }
}
