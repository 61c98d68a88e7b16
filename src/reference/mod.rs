//! Floor 3: the CPU twin of each kernel, and the backend that runs recordings with them.
//!
//! Twins are written to be read: plain loops in f32, the formula as the kernel's header gives it. They are what the
//! kernels are tested against, and run the model where there is no WebGPU.

mod host;
pub mod residual;
pub mod threefry;

pub use host::Host;
