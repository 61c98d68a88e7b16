//! Layer norm and RMS norm. Shapes use the letters of [`super::forward`].

use super::pass::Pass;
use super::tensors::{Norm, NormKind};
use crate::error::{Result, bail};
use crate::gpu::Buffer;
use crate::kernel::{layer_norm, rms_norm};

impl Pass<'_> {
    /// y = norm(x) for `rows` rows of each branch, both `[B, rows, width]`.
    ///
    /// # Errors
    /// `invalid-argument` only if a family's spec is wrong.
    pub(super) fn norm(&mut self, norm: &Norm, rows: u32, x: &Buffer, y: &Buffer) -> Result<()> {
        let vectors = self.norms_and_biases();
        match norm.kind {
            NormKind::Layer { eps: epsilon, .. } | NormKind::Standard { eps: epsilon } => {
                let params = layer_norm::Params {
                    rows: self.branches * rows,
                    rows_per_branch: rows,
                    width: norm.width,
                    weight: self.offset(norm.weight)?,
                    bias: self.offset(norm.bias)?,
                    vector_stride: vectors.stride,
                    epsilon,
                };
                layer_norm::record(&mut self.r, x, vectors.buffer, y, params);
            }
            NormKind::Rms { .. } => {
                let params = self.rms_norm(norm, rows)?;
                rms_norm::record(&mut self.r, x, vectors.buffer, y, params);
            }
        }
        Ok(())
    }

    /// x += norm(y) for the rows of all tokens, both `[B, T, width]`.
    ///
    /// # Errors
    /// `model-unsupported` for a layer norm.
    pub(super) fn add_norm(&mut self, norm: &Norm, y: &Buffer, x: &Buffer) -> Result<()> {
        let (params, vectors) = (self.rms_norm(norm, self.tokens)?, self.norms_and_biases());
        rms_norm::record_added(&mut self.r, y, vectors.buffer, x, params);
        Ok(())
    }

    /// Normalizes in place each of the `heads` heads that start at `column` of ws.qkv `[B, T, (H + 2K) D]`.
    ///
    /// # Errors
    /// `model-unsupported` for a layer norm.
    pub(super) fn norm_heads(&mut self, norm: &Norm, heads: u32, column: u32) -> Result<()> {
        let whole = self.rms_norm(norm, self.tokens * heads)?;
        let params = rms_norm::Params { heads, stride: self.spec().qkv_width(), column, ..whole };
        let vectors = self.norms_and_biases();
        rms_norm::record_in_place(&mut self.r, &self.ws.qkv, vectors.buffer, params);
        Ok(())
    }

    /// The parameters of an RMS norm over `rows` whole rows of each branch.
    fn rms_norm(&self, norm: &Norm, rows: u32) -> Result<rms_norm::Params> {
        let NormKind::Rms { eps, plus_one } = norm.kind else {
            bail!(ModelUnsupported, "a layer norm of heads or of a sublayer's output is not implemented");
        };
        Ok(rms_norm::Params {
            rows: self.branches * rows,
            rows_per_branch: rows,
            width: norm.width,
            weight: self.offset(norm.weight)?,
            vector_stride: self.norms_and_biases().stride,
            epsilon: eps,
            weight_offset: if plus_one { 1.0 } else { 0.0 },
            heads: 1,
            stride: norm.width,
            column: 0,
        })
    }
}
