//! A frozen classifier on pooled hidden states, used as the head whose loss the steps of a run lower.

use super::pooling::Pooling;
use crate::error::Result;
use crate::gpu::{Backend, Buffer, MemoryClass};

/// A linear classifier on the device, which all branches share.
#[derive(Clone, Debug)]
pub struct ReadoutHead {
    /// `[labels, hidden]`, padded to a multiple of 4 rows.
    pub(super) weight: Buffer,
    /// `[labels]`.
    pub(super) bias: Buffer,
    /// Number of labels.
    pub labels: u32,
    /// The pooling: which tokens' hidden states are the features.
    pub pooling: Pooling,
}

impl ReadoutHead {
    /// Uploads a classifier to the device: weights `[labels, hidden]` and biases `[labels]`.
    ///
    /// # Errors
    /// Errors from the backend.
    pub fn new(backend: &dyn Backend, weight: &[f32], bias: &[f32], pooling: Pooling) -> Result<ReadoutHead> {
        let labels = bias.len() as u64;
        let width = weight.len() as u64 / labels.max(1);
        let create = |name: &str, values: u64| backend.create(name, values * 4, MemoryClass::Adapter);
        let head = ReadoutHead {
            weight: create("readout", labels.next_multiple_of(4) * width)?,
            bias: create("readout's biases", labels)?,
            labels: labels as u32,
            pooling,
        };
        backend.write(&head.weight, 0, bytemuck::cast_slice(weight))?;
        backend.write(&head.bias, 0, bytemuck::cast_slice(bias))?;
        Ok(head)
    }
}
