//! Pooled hidden states: one row of features for each sequence, which a classifier can be fitted on.

use super::pass::Pass;
use super::spec::ModelSpec;
use super::transformer::Transformer;
use super::workspace::Workspace;
use crate::error::{Result, bail};
use crate::kernel::pool;
use crate::kernel::step::Step;
use crate::names::names;
use crate::text::batch::Batch;

/// The tokens of a sequence whose hidden states are its features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over all tokens, special tokens included.
    Mean,
    /// The first token: BERT's `[CLS]`.
    First,
    /// The last token: the only one that a causal model computes from the whole sequence.
    Last,
}

names!(Pooling: Mean = "mean", First = "first", Last = "last");

impl Pooling {
    /// The pooling that suits a model: the last token of a causal model, the mean of a bidirectional one.
    pub fn of(spec: &ModelSpec) -> Pooling {
        if spec.causal { Pooling::Last } else { Pooling::Mean }
    }

    /// For a sequence of the tokens `first` to `end`, the tokens that are averaged.
    fn range(self, first: u32, end: u32) -> [u32; 2] {
        match self {
            Pooling::Mean => [first, end],
            Pooling::First => [first, first + 1],
            Pooling::Last => [end - 1, end],
        }
    }
}

impl Transformer {
    /// The hidden states after the last norm, pooled for each sequence of the batch: `[sequence, hidden]`, with the weights as they are.
    /// The workspace must have a target for each sequence.
    ///
    /// # Errors
    /// `invalid-argument` for a batch that the model cannot take, or a sequence without tokens; those of the backend.
    pub async fn features(&self, ws: &Workspace, batch: &Batch, pooling: Pooling) -> Result<Vec<f32>> {
        if let Some(empty) = batch.cu_seqlens.windows(2).position(|bounds| bounds[0] == bounds[1]) {
            bail!(InvalidArgument, "sequence {empty} of the batch has no tokens");
        }
        self.write_input(ws, batch, &Step::plain(), 0)?;
        let bounds = batch.cu_seqlens.windows(2);
        let ranges: Vec<[u32; 2]> = bounds.map(|bounds| pooling.range(bounds[0], bounds[1])).collect();
        for (buffer, end) in [(&ws.target_rows, 0), (&ws.target_labels, 1)] {
            let of_ranges: Vec<u32> = ranges.iter().map(|range| range[end]).collect();
            self.backend().write(buffer, 0, bytemuck::cast_slice(&of_ranges))?;
        }
        let mut pass = Pass::plain(self, ws, batch);
        let hidden = pass.forward()?; // [1, T, C]
        let tensors =
            pool::Tensors { x: hidden, firsts: &ws.target_rows, ends: &ws.target_labels, y: &ws.gathered };
        let params = pool::Params { count: ranges.len() as u32, width: self.spec().hidden };
        pool::record(&mut pass.r, tensors, params, ranges.iter().map(|[first, end]| end - first).sum());
        pass.run().await?;
        self.read(&ws.gathered, params.count * params.width).await
    }
}
