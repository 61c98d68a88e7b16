//! Floor 2: the device, its memory, and the recordings that run on it.
//!
//! A [`Recording`] is data: dispatches of kernels over named [`Buffer`]s. Nothing that records touches
//! the device. Two [`Backend`]s run recordings: [`Gpu`] through wgpu, and the host's CPU twins
//! ([`crate::reference::Host`]). A third, [`Dry`], runs nothing and counts what the first would allocate; a fourth, [`Profiler`],
//! runs on another and tells which kernels its time goes to.

mod backend;
mod buffer;
mod device;
mod dry;
mod executor;
mod memory;
mod profile;
mod recording;
pub mod shader;
pub mod timer;

pub use backend::{Backend, Limits};
pub use buffer::{Buffer, Storage};
pub use device::{Gpu, GpuOptions, LimitsChoice, StopCheck};
pub use dry::Dry;
pub use memory::{MemoryClass, MemoryTracker, MemoryUse};
pub use profile::{KernelTime, Profiler};
pub(crate) use recording::MAX_WORKGROUPS;
pub use recording::{Binding, CLASSES, Cost, Dispatch, Kernel, Recording, Tuning, TwinCall, Variant};
