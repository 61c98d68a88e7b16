//! A backend that allocates and runs nothing. It counts the memory that the same run would need on a device.

use std::cell::RefCell;
use std::rc::Rc;

use super::backend::check_range;
use super::executor::uniform_bytes;
use super::memory::{Lease, MemoryClass, MemoryTracker, MemoryUse};
use super::{Backend, Buffer, Limits, Recording, Storage};
use crate::error::{Result, bail};
use crate::future::LocalFuture;

/// Counts what a device with these limits would allocate. All data that is read back is zero.
pub struct Dry {
    limits: Limits,
    tracker: MemoryTracker,
    /// The number of uniform buffers that a device keeps, and the lease for their bytes.
    uniforms: RefCell<Option<(u64, Lease)>>,
}

impl Dry {
    /// Creates a counter for devices with these limits.
    pub fn open(limits: Limits) -> Rc<Dry> {
        Rc::new(Dry { limits, tracker: MemoryTracker::default(), uniforms: RefCell::new(None) })
    }
}

impl Backend for Dry {
    fn name(&self) -> String {
        "none".to_owned()
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn memory(&self) -> MemoryUse {
        self.tracker.usage()
    }

    fn create(&self, name: &str, bytes: u64, class: MemoryClass) -> Result<Buffer> {
        let (bytes, limit) = (bytes.max(16).next_multiple_of(16), self.limits.buffer_bytes);
        if bytes > limit {
            bail!(LimitExceeded, "buffer {name}: {bytes} bytes, but the device allows {limit}");
        }
        Ok(Buffer::new(name, bytes, Storage::Counted, &self.tracker, class))
    }

    fn write(&self, buffer: &Buffer, offset: u64, data: &[u8]) -> Result<()> {
        check_range(buffer, offset, data.len().next_multiple_of(4) as u64)
    }

    fn run<'a>(&'a self, recording: &'a Recording) -> LocalFuture<'a, Result<()>> {
        let _waiting = self.tracker.lease(MemoryClass::Transfer, recording.waiting_bytes());
        let bytes = uniform_bytes(recording.dispatches().len());
        let mut uniforms = self.uniforms.borrow_mut();
        if uniforms.as_ref().is_none_or(|(held, _)| *held < bytes) {
            // As on a device, the new buffers are created before the old ones are freed.
            let lease = self.tracker.lease(MemoryClass::Transfer, bytes);
            *uniforms = Some((bytes, lease));
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn read<'a>(&'a self, buffer: &'a Buffer, offset: u64, bytes: u64) -> LocalFuture<'a, Result<Vec<u8>>> {
        let zeros = check_range(buffer, offset, bytes).map(|()| {
            let _staging = self.tracker.lease(MemoryClass::Transfer, bytes);
            vec![0; bytes as usize]
        });
        Box::pin(std::future::ready(zeros))
    }
}
