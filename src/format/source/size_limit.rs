//! The limit on the size of files (`ulimit -f`).

use crate::error::{Result, bail};

/// Checks that a file may have `bytes` bytes. A system that limits the size of files ends a program that writes beyond the limit, without
/// a message.
///
/// # Errors
/// `storage-full` with the limit.
pub(crate) fn check_size_limit(name: impl std::fmt::Display, bytes: u64) -> Result<()> {
    match size_limit() {
        Some(limit) if bytes > limit => bail!(
            StorageFull,
            "{name}: {bytes} bytes are to be written, but this system limits a file to {limit} bytes. Raise the limit (`ulimit -f`)"
        ),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn size_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Fsize).current
}

#[cfg(not(unix))]
fn size_limit() -> Option<u64> {
    None
}
