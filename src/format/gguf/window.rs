//! A cursor over the start of a file whose header length is not known before it is read.

use crate::error::{Result, bail};
use crate::format::source::ByteSource;

/// Maximum length of a header in bytes, as for safetensors. A vocabulary of 256k tokens takes about 10 MB.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Size of the first read in bytes. Each further read doubles, up to [`MAX_READ`].
const FIRST_READ: u64 = 64 << 10;
const MAX_READ: u64 = 4 << 20;

/// Reads ahead in growing steps and discards what has been consumed.
pub(super) struct Window<'a> {
    source: &'a dyn ByteSource,
    buffer: Vec<u8>,
    /// Index of the next byte in the buffer.
    at: usize,
    /// Offset of the buffer's end in the file.
    end: u64,
    next_read: u64,
}

impl<'a> Window<'a> {
    pub(super) fn new(source: &'a dyn ByteSource) -> Self {
        Window { source, buffer: Vec::new(), at: 0, end: 0, next_read: FIRST_READ }
    }

    /// Offset of the next byte in the file.
    pub(super) fn position(&self) -> u64 {
        self.end - (self.buffer.len() - self.at) as u64
    }

    /// The number of bytes that may still belong to the header: the rest of the file, or up to the limit.
    fn remaining(&self) -> u64 {
        self.source.len().min(MAX_HEADER_BYTES) - self.position()
    }

    /// Reads the next `len` bytes. `what` describes them in messages.
    pub(super) async fn take(&mut self, len: u64, what: &str) -> Result<&[u8]> {
        let remaining = self.remaining();
        if len > remaining {
            let (name, at) = (self.source.name(), self.position());
            // Nothing in a valid header is longer than the limit.
            let is_cut = at.saturating_add(len) <= MAX_HEADER_BYTES;
            let cause = if is_cut { "; the file is incomplete or damaged" } else { "" };
            bail!(
                FileCorrupt,
                "{name}: expected {len} bytes of {what} at offset {at}, but the header has only {remaining} left{cause}"
            );
        }
        let held = (self.buffer.len() - self.at) as u64;
        if held < len {
            let more = (len - held).max(self.next_read).min(remaining - held);
            self.next_read = (self.next_read * 2).min(MAX_READ);
            self.buffer.drain(..self.at);
            self.at = 0;
            let read = self.source.read(self.end, more as usize).await?;
            self.end += read.len() as u64;
            self.buffer.extend(read);
        }
        let from = self.at;
        match self.buffer.get(from..from + len as usize) {
            Some(bytes) => {
                self.at += len as usize;
                Ok(bytes)
            }
            None => {
                bail!(FileCorrupt, "{}: the file was truncated while it was being read", self.source.name())
            }
        }
    }

    async fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N as u64, what).await?);
        Ok(bytes)
    }

    pub(super) async fn u32(&mut self, what: &str) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array(what).await?))
    }

    pub(super) async fn u64(&mut self, what: &str) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array(what).await?))
    }

    /// Reads a count of items that take at least `each` bytes. It is rejected if they cannot all fit in the remaining bytes.
    pub(super) async fn count(&mut self, each: u64, what: &str) -> Result<u64> {
        let count = self.u64(what).await?;
        self.check_count(count, each, what)?;
        Ok(count)
    }

    pub(super) fn check_count(&self, count: u64, each: u64, what: &str) -> Result<()> {
        let most = self.remaining() / each;
        if count > most {
            bail!(
                FileCorrupt,
                "{}: expected a {what} of at most {most}, found {count}; the file is incomplete or damaged",
                self.source.name()
            );
        }
        Ok(())
    }

    /// Reads a length and that many bytes of UTF-8.
    pub(super) async fn string(&mut self, what: &str) -> Result<String> {
        let at = self.position();
        let len = self.u64(what).await?;
        let text = std::str::from_utf8(self.take(len, what).await?).map(str::to_owned);
        match text {
            Ok(text) => Ok(text),
            Err(error) => bail!(FileCorrupt, "{}: {what} at offset {at}: {error}", self.source.name()),
        }
    }
}
