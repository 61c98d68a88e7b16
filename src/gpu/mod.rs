//! The device, its memory, and the recordings that run on it.
//!
//! A [`Recording`] is data: a list of kernel dispatches over named [`Buffer`]s. Recording never touches the device. Four
//! [`Backend`]s accept recordings: [`Gpu`] runs them through wgpu; `reference::Host` runs the CPU reference kernels; [`Dry`] runs
//! nothing and counts what `Gpu` would allocate; [`Profiler`] wraps another backend and measures the time of each kernel.

mod adapter;
mod backend;
#[cfg(target_arch = "wasm32")]
mod browser;
mod buffer;
mod device;
mod dry;
mod executor;
#[cfg(all(debug_assertions, not(target_arch = "wasm32")))]
mod faults;
mod memory;
mod profile;
mod recording;
mod reported;
pub mod shader;
pub mod timer;

pub use adapter::{STORAGE_BUFFERS, WORKGROUP_BYTES, WORKGROUP_THREADS};
pub(crate) use backend::upload;
pub use backend::{Backend, Limits};
pub use buffer::{Buffer, Storage};
pub use device::{Gpu, GpuOptions, LimitsChoice, StopCheck};
pub use dry::Dry;
pub use executor::ProgramWatch;
pub use memory::{MemoryClass, MemoryTracker, MemoryUse};
pub use profile::{KernelTime, Profiler};
pub(crate) use recording::MAX_WORKGROUPS;
pub use recording::{Binding, Cost, Dispatch, Kernel, Recording, Upload, Variant};
