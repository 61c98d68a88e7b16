//! The interface that runs recordings, for the GPU and for the CPU reference kernels.

use super::{Buffer, MemoryClass, MemoryUse, Recording, Upload};
use crate::error::{Result, bail};
use crate::future::LocalFuture;

/// The limits that decide how tensors are split and how large dispatches are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Limits {
    /// Size of the largest storage binding in bytes.
    pub binding_bytes: u64,
    /// Size of the largest buffer in bytes.
    pub buffer_bytes: u64,
    /// Whether the adapter is a software GPU, whose fastest matmul tiles differ from those of hardware.
    pub software: bool,
    /// Minimum number of threads in a subgroup; 0 if the adapter does not report it.
    pub subgroup: u32,
    /// Whether the threads of a subgroup can exchange values (the feature `subgroups`).
    pub subgroups: bool,
    /// Number of threads in every subgroup if all have the same size and can exchange values, otherwise 0.
    pub lanes: u32,
    /// Whether a subgroup of 32 threads can multiply 16 x 16 cooperative matrices in f16, with f32 sums.
    pub matrix_units: bool,
    /// Whether the device supports f16 arithmetic (the feature `shader-f16`).
    pub shader_f16: bool,
}

impl Limits {
    /// WebGPU's default limits, which every adapter has.
    pub const WEBGPU_DEFAULT: Limits = Limits {
        binding_bytes: 128 << 20,
        buffer_bytes: 256 << 20,
        software: false,
        subgroup: 0,
        subgroups: false,
        lanes: 0,
        matrix_units: false,
        shader_f16: false,
    };

    /// Size in bytes of the largest buffer that can be bound as a whole.
    pub fn whole_binding(&self) -> u64 {
        self.binding_bytes.min(self.buffer_bytes)
    }
}

/// Runs recordings over buffers that it allocates.
pub trait Backend {
    /// A display name: that of the adapter, or "cpu".
    fn name(&self) -> String;

    /// The limits in force.
    fn limits(&self) -> Limits;

    /// Device memory in use.
    fn memory(&self) -> MemoryUse;

    /// Device memory in bytes, if the device reports it.
    fn capacity(&self) -> Option<u64> {
        None
    }

    /// Milliseconds spent in the driver or waiting for the device since it was opened. The rest of a run's time is spent on the host.
    fn waited_ms(&self) -> f64 {
        0.0
    }

    /// Creates a zeroed buffer of at least `bytes`, rounded up to 16.
    ///
    /// # Errors
    /// `limit-exceeded` naming the buffer if it is larger than the device allows.
    fn create(&self, name: &str, bytes: u64, class: MemoryClass) -> Result<Buffer>;

    /// Writes `data` at byte `offset` (a multiple of 4), before anything that is run later. If its length is not a multiple of 4,
    /// `data` is padded with zeros.
    ///
    /// # Errors
    /// `invalid-argument` if the range is not within the buffer.
    fn write(&self, buffer: &Buffer, offset: u64, data: &[u8]) -> Result<()>;

    /// Runs all dispatches in order. Returns when the last one has been submitted, not when it has finished.
    ///
    /// # Errors
    /// `device-lost`, `out-of-memory`.
    fn run<'a>(&'a self, recording: &'a Recording) -> LocalFuture<'a, Result<()>>;

    /// Reads `bytes` bytes at byte `offset` (both multiples of 4), after everything that was run before.
    ///
    /// # Errors
    /// `device-lost`, `out-of-memory`, `invalid-argument`.
    fn read<'a>(&'a self, buffer: &'a Buffer, offset: u64, bytes: u64) -> LocalFuture<'a, Result<Vec<u8>>>;
}

/// Reads an upload's bytes from its file and writes them to its buffer, before anything that is run later.
///
/// # Errors
/// Read errors; the errors of [`Backend::write`].
pub(crate) async fn upload(backend: &dyn Backend, upload: &Upload) -> Result<()> {
    let bytes = upload.file.read(upload.offset, upload.bytes as usize).await?;
    backend.write(&upload.buffer, 0, &bytes)
}

/// Checks that `[offset, offset + len)` is within the buffer and word-aligned.
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
