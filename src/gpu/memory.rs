//! Accounting of device memory: the bytes of all buffers, by purpose.

use std::cell::RefCell;
use std::rc::Rc;

/// The purpose of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryClass {
    /// Stored weights.
    Weights,
    /// Parameters that are trained in addition to the weights: low-rank factors and prefixes.
    Adapter,
    /// Weights as the branches see them, rematerialized for each matrix.
    Scratch,
    /// Hidden states, attention inputs, logits, losses, KV caches.
    Activations,
    /// Uniforms, read-back and other small buffers.
    Transfer,
}

/// Bytes in use by class, and the peak of their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct MemoryUse {
    /// Bytes of stored weights.
    pub weights: u64,
    /// Bytes of an adapter's tensors.
    pub adapter: u64,
    /// Bytes of branch weights.
    pub scratch: u64,
    /// Bytes of activations.
    pub activations: u64,
    /// Bytes of uniforms and read-back buffers.
    pub transfer: u64,
    /// The largest total of these five since the device was opened.
    pub peak: u64,
}

impl MemoryUse {
    /// Total bytes in use.
    pub fn total(&self) -> u64 {
        self.weights + self.adapter + self.scratch + self.activations + self.transfer
    }

    fn class_mut(&mut self, class: MemoryClass) -> &mut u64 {
        match class {
            MemoryClass::Weights => &mut self.weights,
            MemoryClass::Adapter => &mut self.adapter,
            MemoryClass::Scratch => &mut self.scratch,
            MemoryClass::Activations => &mut self.activations,
            MemoryClass::Transfer => &mut self.transfer,
        }
    }
}

/// Tracks the bytes of one device's buffers.
#[derive(Clone, Debug, Default)]
pub struct MemoryTracker(Rc<RefCell<MemoryUse>>);

impl MemoryTracker {
    /// The memory in use.
    pub fn usage(&self) -> MemoryUse {
        *self.0.borrow()
    }

    /// Counts `bytes` bytes as used until the lease is dropped.
    pub(crate) fn lease(&self, class: MemoryClass, bytes: u64) -> Lease {
        let mut usage = self.0.borrow_mut();
        *usage.class_mut(class) += bytes;
        usage.peak = usage.peak.max(usage.total());
        Lease { tracker: self.clone(), class, bytes }
    }
}

/// Bytes that are counted as used as long as this value exists.
#[derive(Debug)]
pub(crate) struct Lease {
    tracker: MemoryTracker,
    class: MemoryClass,
    bytes: u64,
}

impl Drop for Lease {
    fn drop(&mut self) {
        *self.tracker.0.borrow_mut().class_mut(self.class) -= self.bytes;
    }
}

/// Available system memory in bytes, if the system reports it (on Linux).
pub(super) fn system_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leases_count_and_release() {
        let tracker = MemoryTracker::default();
        let a = tracker.lease(MemoryClass::Weights, 100);
        let b = tracker.lease(MemoryClass::Scratch, 50);
        drop(a);
        let c = tracker.lease(MemoryClass::Activations, 20);
        assert_eq!(tracker.usage().total(), 70);
        assert_eq!(tracker.usage().peak, 150);
        drop((b, c));
        assert_eq!(tracker.usage().total(), 0);
    }
}
