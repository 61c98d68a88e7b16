//! What runs recordings: one interface for the GPU and for the CPU reference kernels.

use super::{Buffer, MemoryClass, MemoryUse, Recording};
use crate::error::{Result, bail};
use crate::future::LocalFuture;

/// The limits that decide how tensors are split and how work is shaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest storage binding, bytes.
    pub binding_bytes: u64,
    /// Largest buffer, bytes.
    pub buffer_bytes: u64,
    /// Whether it is a GPU in software. Other matmul tiles are the fastest there than on hardware.
    pub software: bool,
    /// Threads that it runs in step at the least; 0: it does not say.
    pub subgroup: u32,
    /// Threads of every subgroup, where all are of one size and may exchange values (the feature subgroups); else 0.
    pub lanes: u32,
    /// Whether it computes in f16 (the feature shader-f16).
    pub shader_f16: bool,
}

impl Limits {
    /// WebGPU's default limits, which every adapter has.
    pub const WEBGPU_DEFAULT: Limits = Limits {
        binding_bytes: 128 << 20,
        buffer_bytes: 256 << 20,
        software: false,
        subgroup: 0,
        lanes: 0,
        shader_f16: false,
    };

    /// The largest buffer that can be bound whole, bytes.
    pub fn whole_binding(&self) -> u64 {
        self.binding_bytes.min(self.buffer_bytes)
    }
}

/// Runs recordings over buffers that it allocates.
pub trait Backend {
    /// A name for people: the adapter's, or "cpu".
    fn name(&self) -> String;

    /// The limits in force.
    fn limits(&self) -> Limits;

    /// Device memory in use.
    fn memory(&self) -> MemoryUse;

    /// Bytes that the device is known to have, where it says.
    fn capacity(&self) -> Option<u64> {
        None
    }

    /// Milliseconds that were spent in the device's driver or waiting for it since it was opened; the rest of a run's time is the host's.
    fn waited_ms(&self) -> f64 {
        0.0
    }

    /// A zeroed buffer of at least `bytes`, rounded up to 16.
    ///
    /// # Errors
    /// `limit-exceeded` naming the buffer when it is larger than the device allows.
    fn create(&self, name: &str, bytes: u64, class: MemoryClass) -> Result<Buffer>;

    /// Writes `data` at `offset` bytes (a multiple of 4), before anything that is run later. Data whose length is not
    /// a multiple of 4 is padded with zeros.
    ///
    /// # Errors
    /// `invalid-argument` when the range is not inside of the buffer.
    fn write(&self, buffer: &Buffer, offset: u64, data: &[u8]) -> Result<()>;

    /// Runs all dispatches in order. Returns when the last has been submitted, not when it has finished.
    ///
    /// # Errors
    /// `device-lost`, `out-of-memory`.
    fn run<'a>(&'a self, recording: &'a Recording) -> LocalFuture<'a, Result<()>>;

    /// Reads `bytes` at `offset` (both multiples of 4) after all that was run before.
    ///
    /// # Errors
    /// `device-lost`, `out-of-memory`, `invalid-argument`.
    fn read<'a>(&'a self, buffer: &'a Buffer, offset: u64, bytes: u64) -> LocalFuture<'a, Result<Vec<u8>>>;
}

/// Checks that `[offset, offset + len)` lies in the buffer and is aligned to words.
pub(crate) fn check_range(buffer: &Buffer, offset: u64, len: u64) -> Result<()> {
    let inside = offset.checked_add(len).is_some_and(|end| end <= buffer.bytes());
    if !inside || !offset.is_multiple_of(4) {
        bail!(
            InvalidArgument,
            "buffer {}: range of {len} bytes at {offset} in {} bytes",
            buffer.name(),
            buffer.bytes()
        );
    }
    Ok(())
}
