//! Pooled hidden states: one row of features for each sequence, which a classifier can be fitted to.

use super::pass::Pass;
use super::pooling::Pooling;
use super::transformer::Transformer;
use super::workspace::Workspace;
use crate::error::{Result, bail};
use crate::kernel::pool;
use crate::kernel::step::Step;
use crate::text::batch::Batch;

impl Transformer {
    /// The hidden states after the last norm, pooled for each sequence of the batch: `[sequence, hidden]`, with the stored weights.
    /// The workspace must have room for one target per sequence.
    ///
    /// # Errors
    /// `invalid-argument` for a batch that the model cannot process, or a sequence without tokens; errors from the backend.
    pub async fn features(&self, ws: &Workspace, batch: &Batch, pooling: Pooling) -> Result<Vec<f32>> {
        self.write_input(ws, batch, &Step::plain(), 0)?;
        self.write_ranges(ws, batch, pooling)?;
        let mut pass = Pass::plain(self, ws, batch);
        let hidden = pass.forward()?; // [1, T, C]
        let tensors = pool::Tensors { x: hidden, ranges: &ws.ranges, y: &ws.gathered };
        let (count, width) = (batch.sequences() as u32, self.spec().hidden);
        let params = pool::Params { branches: 1, x_branch: 0, count, width };
        pool::record(&mut pass.r, tensors, params, batch.tokens() as u32);
        pass.run().await?;
        self.read(&ws.gathered, count * width).await
    }

    /// Writes the token range of each sequence that is averaged.
    ///
    /// # Errors
    /// `invalid-argument` for a sequence without tokens.
    pub(super) fn write_ranges(&self, ws: &Workspace, batch: &Batch, pooling: Pooling) -> Result<()> {
        if let Some(empty) = batch.cu_seqlens.windows(2).position(|bounds| bounds[0] == bounds[1]) {
            bail!(InvalidArgument, "sequence {empty} of the batch has no tokens");
        }
        let ranges = pooling.ranges(batch);
        if ranges.len() != batch.sequences() {
            let (masks, sequences) = (ranges.len(), batch.sequences());
            bail!(InvalidArgument, "expected a mask for each of {sequences} sequences, found {masks}");
        }
        self.backend().write(&ws.ranges, 0, bytemuck::cast_slice(&ranges))
    }
}
