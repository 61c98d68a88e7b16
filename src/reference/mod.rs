//! Floor 3: the CPU twin of each kernel, and the backend that runs recordings with them.
//!
//! Twins are written to be read: plain loops in f32, the formula as the kernel's header gives it. They are what the
//! kernels are tested against, and run the model where there is no WebGPU.

pub(crate) mod embedding;
mod host;
pub(crate) mod materialise;
pub(crate) mod matmul;
pub(crate) mod perturb;
pub(crate) mod residual;
pub mod threefry;

pub use host::Host;

use crate::error::{Result, err};
use crate::kernel::step::Step;

/// The step in a buffer's words.
fn step(words: &[u32]) -> Result<&Step> {
    let bytes = bytemuck::cast_slice(&words[..words.len().min(size_of::<Step>() / 4)]);
    bytemuck::try_from_bytes(bytes).map_err(|e| err!(InvalidArgument, "the step's buffer: {e}"))
}
