//! The features of examples: the pooled hidden states that a readout is fitted to and evaluated on.

use super::encoder::Examples;
use super::evaluation::fitting;
use super::session::Session;
use crate::error::Result;
use crate::model::Pooling;
use crate::text::batch::Batch;

/// Examples, and the features of the first `done` of them.
pub(super) struct Cache {
    pub(super) examples: Examples,
    pub(super) pooling: Pooling,
    /// `[done, hidden]`.
    pub(super) features: Vec<f32>,
    pub(super) done: usize,
}

impl Cache {
    /// The examples in this order, without features.
    pub(super) fn new(examples: Examples, order: &[usize], pooling: Pooling) -> Cache {
        let ordered = order.iter().filter_map(|row| examples.examples.get(*row).cloned()).collect();
        Cache { examples: Examples { examples: ordered, ..examples }, pooling, features: Vec::new(), done: 0 }
    }

    /// Number of examples.
    pub(super) fn len(&self) -> usize {
        self.examples.examples.len()
    }

    /// Computes features until those of the first `rows` examples are known.
    ///
    /// # Errors
    /// The errors of [`Session::features`]; errors from `progress`.
    pub(super) async fn grow(
        &mut self,
        session: &mut Session,
        rows: usize,
        progress: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        while self.done < rows {
            let left = &self.examples.examples[self.done..rows];
            let now = &left[..fitting(left.iter().map(|example| example.ids.len()))];
            let batch = Batch::pack(&now.iter().collect::<Vec<_>>());
            self.features.extend(session.features(&batch, self.pooling).await?);
            self.done += now.len();
            progress(self.done)?;
        }
        Ok(())
    }
}
