//! The keys and values of the tokens of a text so far.

use super::transformer::Transformer;
use crate::error::Result;
use crate::gpu::{Buffer, MemoryClass};

/// Keys and values of the tokens so far, for each layer.
pub(super) struct KvCache {
    /// One buffer for each layer, `[capacity, 2 * kv_heads * head_dim]` f32: a token's keys, then its values.
    pub layers: Vec<Buffer>,
    /// The number of tokens in the cache.
    pub length: u32,
    /// The number of tokens that fit into the cache.
    pub capacity: u32,
}

impl KvCache {
    /// An empty cache for `capacity` tokens.
    ///
    /// # Errors
    /// `limit-exceeded` where a layer's buffer is larger than the device allows.
    pub(super) fn new(model: &Transformer, capacity: u32) -> Result<KvCache> {
        let bytes = u64::from(capacity) * u64::from(2 * model.spec().kv_width()) * 4;
        let layers = (0..model.spec().layers.len())
            .map(|i| model.backend().create(&format!("keys and values {i}"), bytes, MemoryClass::Activations))
            .collect::<Result<_>>()?;
        Ok(KvCache { layers, length: 0, capacity })
    }
}
