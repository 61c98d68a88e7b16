//! Blobs of the browser, such as a `File` from a picker or from the origin's private file system.

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::Blob;

use super::{ByteSource, check_range, reason};
use crate::error::{Result, err};
use crate::future::LocalFuture;

/// A `Blob` that is read slice by slice. The browser keeps its content on disk.
#[derive(Clone, Debug)]
pub struct BlobSource {
    name: String,
    blob: Blob,
}

impl BlobSource {
    /// Creates a file with this name and content.
    pub fn new(name: impl Into<String>, blob: Blob) -> Self {
        BlobSource { name: name.into(), blob }
    }

    async fn slice(&self, offset: u64, len: usize) -> std::result::Result<Vec<u8>, JsValue> {
        // The conversion to f64 is exact, because no file is longer than 2^53 bytes.
        let slice = self.blob.slice_with_f64_and_f64(offset as f64, offset as f64 + len as f64)?;
        Ok(Uint8Array::new(&JsFuture::from(slice.array_buffer()).await?).to_vec())
    }
}

impl ByteSource for BlobSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn len(&self) -> u64 {
        self.blob.size() as u64
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        Box::pin(async move {
            check_range(&self.name, offset, len, self.len())?;
            // A file that has been changed or removed since it was picked can no longer be read.
            let bytes = self.slice(offset, len).await.map_err(|error| {
                let (name, reason) = (&self.name, reason(&error));
                err!(FileCorrupt, "{name}: {len} bytes at offset {offset} cannot be read: {reason}")
            })?;
            check_range(&self.name, offset, len, offset + bytes.len() as u64)?;
            Ok(bytes)
        })
    }
}
