//! Named buffers whose sizes are tracked. They are in device memory, or in host memory for the CPU reference kernels.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::memory::{Lease, MemoryClass, MemoryTracker};

/// Where a buffer's bytes are stored.
#[derive(Debug)]
pub enum Storage {
    /// In the GPU's memory.
    Gpu(wgpu::Buffer),
    /// In the host's memory, as 32-bit words.
    Host(RefCell<Vec<u32>>),
    /// Nowhere: the buffer is only counted.
    Counted,
}

#[derive(Debug)]
struct Inner {
    id: u64,
    name: String,
    bytes: u64,
    storage: Storage,
    _lease: Lease,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Cached bind groups may still refer to the buffer, but its memory is freed now.
        if let Storage::Gpu(buffer) = &self.storage {
            buffer.destroy();
        }
    }
}

/// A shared handle to a buffer. The memory is freed with the last handle.
#[derive(Clone, Debug)]
pub struct Buffer(Rc<Inner>);

impl Buffer {
    /// Wraps storage that a backend has allocated.
    pub(crate) fn new(
        name: &str,
        bytes: u64,
        storage: Storage,
        tracker: &MemoryTracker,
        class: MemoryClass,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Buffer(Rc::new(Inner {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            name: name.to_owned(),
            bytes,
            storage,
            _lease: tracker.lease(class, bytes),
        }))
    }

    /// An identifier that is unique within the process.
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// The name that the buffer was created with.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The size in bytes, a multiple of 16.
    pub fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Where the bytes are stored. Only backends need this.
    pub fn storage(&self) -> &Storage {
        &self.0.storage
    }
}
