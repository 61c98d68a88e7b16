//! An allocator that tracks how much memory is in use, and how large single allocations are.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes of the largest single allocation.
static LARGEST: AtomicUsize = AtomicUsize::new(0);
/// Bytes in use.
static IN_USE: AtomicUsize = AtomicUsize::new(0);
/// Maximum bytes in use.
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// Bytes of the largest single allocation so far.
pub(crate) fn largest() -> usize {
    LARGEST.load(Relaxed)
}

/// Maximum bytes in use at any time since [`restart`].
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn peak() -> usize {
    PEAK.load(Relaxed)
}

/// Starts a new measurement of the peak, and returns the bytes in use now.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn restart() -> usize {
    let now = IN_USE.load(Relaxed);
    PEAK.store(now, Relaxed);
    now
}

fn taken(bytes: usize) {
    LARGEST.fetch_max(bytes, Relaxed);
    PEAK.fetch_max(IN_USE.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

struct Watched;

#[allow(unsafe_code, reason = "the only way to see allocations; everything is passed on as it is")]
// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        taken(size);
        IN_USE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watched = Watched;
