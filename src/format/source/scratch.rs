//! Scratch files: data that is written once, read often, and need not be kept.

use super::ByteSource;
use crate::error::{Result, bail};
use crate::future::LocalFuture;

/// A file that can also be written. It is deleted when it is closed.
pub trait Scratch: ByteSource {
    /// Writes `bytes` at `offset`. Bytes that were never written are zeros, up to the end of the file.
    ///
    /// # Errors
    /// `storage-full`; `invalid-argument` if the file cannot be written for another reason.
    fn write(&self, offset: u64, bytes: &[u8]) -> Result<()>;
}

/// The scratch file of a model that is only counted. It can be neither written nor read.
#[derive(Clone, Copy, Debug)]
pub struct NoScratch;

impl ByteSource for NoScratch {
    fn name(&self) -> &'static str {
        "no scratch file"
    }

    fn len(&self) -> u64 {
        0
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        let refused = super::check_range(self.name(), offset, len, 0).map(|()| Vec::new());
        Box::pin(std::future::ready(refused))
    }
}

impl Scratch for NoScratch {
    fn write(&self, _: u64, _: &[u8]) -> Result<()> {
        bail!(
            InvalidArgument,
            "only the memory of this model is planned: there is no scratch file for its layers"
        )
    }
}
