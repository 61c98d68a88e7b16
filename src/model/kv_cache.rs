//! What layers keep of the tokens of a text so far: keys and values, or the inputs of convolutions.

use super::spec::{LayerSpec, Mixer};
use super::transformer::Transformer;
use crate::error::Result;
use crate::gpu::{Buffer, MemoryClass};

/// What each layer keeps of the tokens so far.
pub(super) struct KvCache {
    /// One buffer for each layer, f32: `[capacity, 2 * kv_heads * head_dim]` with a token's keys, then its values, or, for a
    /// convolution, `[capacity, hidden]` with what it sums over.
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
