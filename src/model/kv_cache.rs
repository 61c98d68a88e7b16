//! The per-layer cache of a text's tokens: keys and values, or the inputs of convolutions.

use super::spec::{LayerSpec, Mixer};
use super::transformer::Transformer;
use crate::error::Result;
use crate::gpu::{Buffer, MemoryClass};

/// The cached values of each layer for the tokens so far.
pub(super) struct KvCache {
    /// One f32 buffer for each layer: `[capacity, 2 * kv_heads * head_dim]` with a token's keys followed by its values or, for a
    /// convolution, `[capacity, hidden]` with its inputs.
    pub layers: Vec<Buffer>,
    /// The number of tokens in the cache.
    pub length: u32,
    /// The maximum number of tokens in the cache.
    pub capacity: u32,
}

impl KvCache {
    /// An empty cache for `capacity` tokens.
    ///
    /// # Errors
    /// `limit-exceeded` if a layer's buffer is larger than the device allows.
    pub(super) fn new(model: &Transformer, capacity: u32) -> Result<KvCache> {
        let spec = model.spec();
        let of_layer = |(i, layer): (usize, &LayerSpec)| {
            let width = match layer.mixer {
                Mixer::Attention(_) => 2 * spec.kv_width(),
                Mixer::Convolution(_) => spec.hidden,
            };
            let bytes = u64::from(capacity) * u64::from(width) * 4;
            model.backend().create(&format!("keys and values {i}"), bytes, MemoryClass::Activations)
        };
        let layers = spec.layers.iter().enumerate().map(of_layer).collect::<Result<_>>()?;
        Ok(KvCache { layers, length: 0, capacity })
    }
}
