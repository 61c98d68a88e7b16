//! A model's files, looked up by name.

mod memory;
pub use memory::MemoryDir;

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
pub use fetch::FetchDir;

use std::rc::Rc;

use super::source::ByteSource;
use crate::error::{Result, bail};
use crate::future::LocalFuture;

/// Where a model's files are: a directory, a list from a file picker, a URL, or a single `.gguf`.
pub trait ModelDir {
    /// The directory's name, for people.
    fn name(&self) -> &str;

    /// The file called `file`, or `None` where there is none.
    ///
    /// # Errors
    /// `invalid-argument` where `file` is not a plain file name; `network`, `aborted`.
    fn open<'a>(&'a self, file: &'a str) -> LocalFuture<'a, Result<Option<Rc<dyn ByteSource>>>>;

    /// The names of the `.gguf` files it is known to hold. A place that cannot be listed holds none
    /// unless it is itself one.
    fn gguf_files(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Whether a file's name or URL path ends in `.gguf`.
pub fn is_gguf(name: &str) -> bool {
    name.get(name.len().saturating_sub(5)..).is_some_and(|end| end.eq_ignore_ascii_case(".gguf"))
}

/// Refuses what is not a plain file name: names in an index come from outside, and must not leave
/// the directory.
pub(crate) fn check_file_name(dir: &str, file: &str) -> Result<()> {
    if file.is_empty() || file == "." || file == ".." || file.contains(['/', '\\', '\0', ':', '?', '#', '%'])
    {
        bail!(InvalidArgument, "{dir}: expected a plain file name, found {file:?}");
    }
    Ok(())
}

/// The `.gguf` names among `names`, sorted.
fn gguf_among<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut found: Vec<String> = names.filter(|name| is_gguf(name)).map(str::to_owned).collect();
    found.sort();
    found
}
