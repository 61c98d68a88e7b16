//! Layer norm and RMS norm, with the letters of [`super::forward`].

use super::pass::Pass;
use super::tensors::{Norm, NormKind};
use crate::error::Result;
use crate::gpu::Buffer;
use crate::kernel::{layer_norm, rms_norm};

impl Pass<'_> {
    /// y = norm(x) for `rows` rows of each branch, both `[B, rows, width]`.
    pub(super) fn norm(&mut self, norm: &Norm, rows: u32, x: &Buffer, y: &Buffer) -> Result<()> {
        let (weight, bias) = (self.model.weights().vector(norm.weight)?, self.bias(norm.bias)?);
        let (vectors, width) = (self.vectors(), norm.width);
        let (vector_stride, all_rows) = (vectors.stride, self.branches * rows);
        match norm.kind {
            NormKind::Layer { eps: epsilon, .. } => {
                let params = layer_norm::Params {
                    rows: all_rows,
                    rows_per_branch: rows,
                    width,
                    weight,
                    bias,
                    vector_stride,
                    epsilon,
                };
                layer_norm::record(&mut self.r, x, vectors.buffer, y, params);
            }
            NormKind::Rms { eps: epsilon, .. } => {
                let params = rms_norm::Params {
                    rows: all_rows,
                    rows_per_branch: rows,
                    width,
                    weight,
                    vector_stride,
                    epsilon,
                    weight_offset: 0.0,
                    heads: 1,
                    stride: width,
                    column: 0,
                };
                rms_norm::record(&mut self.r, x, vectors.buffer, y, params);
            }
        }
        Ok(())
    }
}
