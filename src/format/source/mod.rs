//! Random access to the bytes of one file, wherever it is stored.

mod memory;
mod scratch;
mod stand_in;
pub use memory::MemorySource;
pub use scratch::{NoScratch, Scratch};
pub use stand_in::{refuse_cut_json, refuse_stand_in};

#[cfg(not(target_arch = "wasm32"))]
mod file;
#[cfg(not(target_arch = "wasm32"))]
mod scratch_file;
#[cfg(not(target_arch = "wasm32"))]
mod size_limit;
#[cfg(not(target_arch = "wasm32"))]
pub use file::FileSource;
#[cfg(not(target_arch = "wasm32"))]
pub use scratch_file::ScratchFile;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use size_limit::check_size_limit;

#[cfg(target_arch = "wasm32")]
mod blob;
#[cfg(target_arch = "wasm32")]
mod fetch;
#[cfg(target_arch = "wasm32")]
mod handle;
#[cfg(target_arch = "wasm32")]
pub use blob::BlobSource;
#[cfg(target_arch = "wasm32")]
pub use fetch::{FetchSource, WHOLE_LIMIT};
#[cfg(target_arch = "wasm32")]
pub use handle::HandleFile;

use crate::error::{Result, bail, err};
use crate::future::LocalFuture;

/// A file that can be read at any offset. Its length does not change while it is open.
pub trait ByteSource {
    /// The file's name, for messages.
    fn name(&self) -> &str;

    /// The file's length in bytes.
    fn len(&self) -> u64;

    /// Whether the file is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads exactly `len` bytes, starting at `offset`.
    ///
    /// # Errors
    /// `file-corrupt` if the file ends before `offset + len`; `network` or `aborted` if the
    /// bytes come from a server.
    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>>;
}

/// Reads a whole small file.
///
/// # Errors
/// `limit-exceeded` if the file is longer than `limit` bytes; and the errors of
/// [`ByteSource::read`].
pub async fn read_whole(source: &dyn ByteSource, limit: u64) -> Result<Vec<u8>> {
    let len = source.len();
    match usize::try_from(len) {
        Ok(n) if len <= limit => source.read(0, n).await,
        _ => bail!(LimitExceeded, "{}: expected at most {limit} bytes, found {len}", source.name()),
    }
}

/// The message of a browser exception.
#[cfg(target_arch = "wasm32")]
pub(crate) fn reason(thrown: &wasm_bindgen::JsValue) -> String {
    use wasm_bindgen::JsCast;
    match thrown.dyn_ref::<js_sys::Error>() {
        Some(error) => format!("{}: {}", String::from(error.name()), String::from(error.message())),
        None => thrown.as_string().unwrap_or_else(|| "the browser gives no reason".to_owned()),
    }
}

/// Returns an error if the range is not within a file of `end` bytes.
fn check_range(name: &str, offset: u64, len: usize, end: u64) -> Result<()> {
    match offset.checked_add(len as u64) {
        Some(to) if to <= end => Ok(()),
        _ => {
            bail!(FileCorrupt, "{name}: expected {len} bytes at offset {offset}, but the file ends at {end}")
        }
    }
}

/// An empty vector with a capacity of `len` bytes, or an `out-of-memory` error instead of an abort.
pub(crate) fn buffer(name: &str, len: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(len)
        .map_err(|_| err!(OutOfMemory, "{name}: not enough memory for {len} bytes"))?;
    Ok(bytes)
}
