//! The gated short convolution that replaces attention in some layers. Shapes use the letters of [`super::forward`].

use super::pass::{Pass, Target};
use super::spec::Convolution;
use crate::error::{Result, bail};
use crate::gpu::Buffer;
use crate::kernel::short_convolution::{self, Params, Tensors};

impl Pass<'_> {
    /// ws.attended `[B, T, C]` = c * conv(b * v), where (b, c, v) is the projection of the input `[B, T, C]`. Tokens see only tokens of
    /// their own sequence, including cached ones.
    ///
    /// # Errors
    /// `invalid-argument` only if a family's spec is wrong.
    pub(super) fn convolve(&mut self, index: usize, layer: &Convolution, input: &Buffer) -> Result<()> {
        let (spec, ws, tokens) = (self.spec(), self.ws, self.tokens);
        let taps = layer.kernel.taps;
        self.linear(&layer.input, tokens, input, Target::new(&ws.qkv, layer.input.rows))?; // ws.qkv [B, T, 3C]
        let Some((_, spans)) = ws.spans.iter().find(|(window, _)| *window == Some(taps)) else {
            bail!(InvalidArgument, "the workspace has no spans for a convolution over {taps} tokens");
        };
        // Without a cache, the kernel does not use this binding, so any other buffer may be bound.
        let (cache, cached) = match self.cache {
            Some(cache) => (&cache.layers[index], Some(cache.length)), // [capacity, C]
            None => (&ws.wide, None),
        };
        let vectors = self.norms_and_biases();
        let params = Params {
            rows: self.branches * tokens,
            tokens,
            width: spec.hidden,
            taps,
            weight: self.model.weights().vector(layer.kernel.weight)?,
            bias: self.offset(layer.kernel.bias)?,
            vector_stride: vectors.stride,
            cached: cached.unwrap_or(0),
            append: cached.is_some().into(),
        };
        let tensors = Tensors { x: &ws.qkv, spans, vectors: vectors.buffer, cache, y: &ws.attended };
        short_convolution::record(&mut self.r, tensors, params);
        Ok(())
    }
}
