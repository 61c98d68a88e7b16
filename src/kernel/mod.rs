//! Floor 3: one typed wrapper for each file in `shaders/`, with the CPU twin of the same name in [`crate::reference`].
//!
//! A wrapper has the kernel's uniform as a struct, field by field what the WGSL declares, and a `record` that
//! adds one dispatch to a [`Recording`](crate::gpu::Recording). It allocates nothing and never touches a device.
//!
//! Activations are `[branch, token, width]` f32, rows laid end to end: element (b, t, c) of a tensor whose rows are
//! `stride` apart stands at `(b * tokens + t) * stride + c`. Small parameters (norm weights, biases) are
//! `[branch, vector_stride]`: all of the model's vectors side by side, formed for every branch.

pub mod embedding;
pub mod materialise;
pub mod matmul;
pub mod residual;
pub mod step;

/// In place of a vector's offset: there is none.
pub const NO_VECTOR: u32 = u32::MAX;
