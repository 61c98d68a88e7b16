//! Heads: from hidden states at the targets to logits, losses and predictions.

use super::linear::{Block, blocks};
use super::pass::{Pass, Target};
use super::spec::HeadSpec;
use super::tables::Rows;
use super::tensors::TensorId;
use crate::error::{Result, bail};
use crate::gemm::{self, Layout};
use crate::gpu::Buffer;
use crate::kernel::{NO_BIAS, cross_entropy_block, cross_entropy_labels, matmul, mean_loss, pool, softcap};

/// What a target is scored against.
#[derive(Clone, Copy, Debug)]
pub enum Score<'a> {
    /// These tokens only. A target's label is an index into them.
    Labels(&'a [u32]),
    /// The whole vocabulary. A target's label is a token.
    Vocabulary,
    /// The given number of labels, by the model's readout ([`ReadoutHead`](super::ReadoutHead)). Each sequence has one target,
    /// whose position does not matter.
    Readout(u32),
}

impl<'a> Pass<'a> {
    /// Records the pass and the losses of its `count` targets: ws.losses and ws.predictions `[B, count]`, ws.mean `[B]`.
    ///
    /// # Errors
    /// The errors of [`Pass::forward`].
    pub(super) fn loss(&mut self, count: u32, score: Score<'_>) -> Result<()> {
        match score {
            Score::Readout(_) => self.readout_losses(count)?,
            Score::Labels(labels) => self.token_losses(count, Some(labels))?,
            Score::Vocabulary => self.token_losses(count, None)?,
        }
        mean_loss::record(&mut self.r, &self.ws.losses, &self.ws.mean, self.branches, count);
        Ok(())
    }

    /// Records the pass and the losses of its `count` targets over the tokens `labels`, or over the whole vocabulary.
    fn token_losses(&mut self, count: u32, labels: Option<&[u32]>) -> Result<()> {
        let (head, ws) = (self.spec().head()?, self.ws);
        let scored = self.head_rows(count)?;
        let bias = self.offset(head.bias)?;
        let vectors = self.norms_and_biases();
        match labels {
            Some(labels) => {
                let labels = labels.len() as u32;
                self.label_logits(count, scored, labels)?;
                let params = cross_entropy_labels::Params {
                    rows: self.branches * count,
                    rows_per_branch: count,
                    labels,
                    bias,
                    vector_stride: vectors.stride,
                };
                let tensors = cross_entropy_labels::Tensors {
                    logits: &ws.logits,
                    vectors: vectors.buffer,
                    label_ids: &ws.label_ids,
                    targets: &ws.target_labels,
                    loss: &ws.losses,
                    prediction: &ws.predictions,
                };
                cross_entropy_labels::record(&mut self.r, tensors, params);
            }
            None => {
                let table = self.model.weights().matrix(head.table)?;
                for block in blocks(table, 0..table.rows, self.vocabulary_at_once(count)?) {
                    self.block_logits(count, scored, &block, NO_BIAS)?;
                    let params = cross_entropy_block::Params {
                        rows: self.branches * count,
                        rows_per_branch: count,
                        width: block.rows,
                        first: block.first_row,
                        bias,
                        vector_stride: vectors.stride,
                        start: (block.first_row == 0).into(),
                    };
                    let tensors = cross_entropy_block::Tensors {
                        logits: &ws.logits,
                        vectors: vectors.buffer,
                        targets: &ws.target_labels,
                        state: &ws.state,
                        loss: &ws.losses,
                        prediction: &ws.predictions,
                    };
                    cross_entropy_block::record(&mut self.r, tensors, params);
                }
            }
        }
        Ok(())
    }

    /// Records the pass and the cross-entropy of the readout for its `count` sequences: ws.losses and ws.predictions `[B, count]`.
    ///
    /// # Errors
    /// `invalid-argument` without a readout; the errors of [`Pass::forward`].
    fn readout_losses(&mut self, count: u32) -> Result<()> {
        let (ws, width, tokens) = (self.ws, self.spec().hidden, self.tokens);
        let Some(head) = self.model.readout() else {
            bail!(InvalidArgument, "the model has no readout to score texts with");
        };
        let hidden = self.forward()?; // [B, T, C]
        let pooled = pool::Tensors { x: hidden, ranges: &ws.ranges, y: &ws.gathered }; // y [B, count, C]
        let params = pool::Params { branches: self.branches, x_branch: tokens * width, count, width };
        pool::record(&mut self.r, pooled, params, tokens);
        let params = matmul::Params {
            rows: count,
            columns: head.labels,
            depth: width,
            a_stride: width,
            a_branch: count * width,
            w_start: 0,
            w_branch: 0,
            c_stride: head.labels,
            c_column: 0,
            bias: NO_BIAS,
            vector_stride: 0,
            added: 0.0,
        };
        let tensors = gemm::Tensors {
            a: &ws.gathered,
            w: (&head.weight).into(),
            layout: Layout::Rows,
            vectors: &head.bias,
            c: &ws.logits,
            activation: None,
        };
        self.plan.matmul(&mut self.r, &params, self.branches, &tensors); // ws.logits [B, count, labels]
        let params = cross_entropy_labels::Params {
            rows: self.branches * count,
            rows_per_branch: count,
            labels: head.labels,
            bias: 0,
            vector_stride: 0,
        };
        let tensors = cross_entropy_labels::Tensors {
            logits: &ws.logits,
            vectors: &head.bias,
            label_ids: &ws.label_ids,
            targets: &ws.target_labels,
            loss: &ws.losses,
            prediction: &ws.predictions,
        };
        cross_entropy_labels::record(&mut self.r, tensors, params);
        Ok(())
    }

    /// ws.logits `[B, count, labels]` without bias, computed with the rows of the head's table that belong to the label words;
    /// scored `[B, count, C]`.
    fn label_logits(&mut self, count: u32, scored: &Buffer, labels: u32) -> Result<()> {
        let (head, ws) = (self.spec().head()?, self.ws);
        let table = head.table;
        let width = self.model.weights().matrix(table)?.width;
        self.table_rows(table, &ws.label_ids, labels, &ws.label_rows, Rows::Scaled(1.0))?;
        let params = matmul::Params {
            rows: count,
            columns: labels,
            depth: width,
            a_stride: width,
            a_branch: count * width,
            w_start: 0,
            w_branch: labels * width,
            c_stride: labels,
            c_column: 0,
            bias: NO_BIAS,
            vector_stride: 0,
            added: 0.0,
        };
        let tensors = gemm::Tensors {
            a: scored,
            w: (&ws.label_rows).into(),
            layout: Layout::Rows,
            vectors: self.norms_and_biases().buffer,
            c: &ws.logits,
            activation: None,
        };
        self.plan.matmul(&mut self.r, &params, self.branches, &tensors);
        self.cap_logits(head, count * labels);
        Ok(())
    }

    /// Applies the softcap to the first `count` logits of each branch, if the head has one.
    fn cap_logits(&mut self, head: &HeadSpec, count: u32) {
        if let Some(cap) = head.softcap {
            let params = softcap::Params { count: self.branches * count, cap };
            softcap::record(&mut self.r, &self.ws.logits, params);
        }
    }

    /// ws.logits `[B, count, block]` for a block of the vocabulary; scored `[B, count, C]`. `bias` is the start of the head's bias,
    /// or [`NO_BIAS`] if the kernel that reads the logits adds the bias.
    ///
    /// # Errors
    /// `invalid-argument` only if a family's spec is wrong.
    pub(super) fn block_logits(
        &mut self,
        count: u32,
        scored: &Buffer,
        block: &Block<'a>,
        bias: u32,
    ) -> Result<()> {
        let (head, ws) = (self.spec().head()?, self.ws);
        let table = self.model.weights().matrix(head.table)?;
        let (whole, layout) = self.vocabulary_matmul(count)?;
        let w = self.branch_weights(table, block, layout);
        let vectors = self.norms_and_biases();
        let params = matmul::Params {
            columns: block.rows,
            w_start: w.start,
            w_branch: w.branch,
            c_stride: block.rows,
            bias: if bias == NO_BIAS { bias } else { bias + block.first_row },
            vector_stride: vectors.stride,
            ..whole
        };
        let (w, c) = (w.buffer.into(), &ws.logits);
        let tensors = gemm::Tensors { a: scored, w, layout, vectors: vectors.buffer, c, activation: None };
        self.plan.matmul(&mut self.r, &params, self.branches, &tensors);
        if let Some(pair) = self.pair(table.id) {
            let y = Target::new(&ws.logits, block.rows);
            let rows = block.first_row..block.first_row + block.rows;
            self.factor_product(pair, count, (scored, table.width), y, rows);
        }
        self.cap_logits(head, count * block.rows);
        Ok(())
    }

    /// The matmul over the whole vocabulary, which is computed in blocks, and the layout of its weights.
    fn vocabulary_matmul(&self, count: u32) -> Result<(matmul::Params, Layout)> {
        let table = self.model.weights().matrix(self.spec().head()?.table)?;
        let params = matmul::Params {
            rows: count,
            columns: table.rows,
            depth: table.width,
            a_stride: table.width,
            a_branch: count * table.width,
            ..Default::default()
        };
        Ok((params, self.plan.layout(&params, self.branches, self.stored(table))))
    }

    /// The number of vocabulary rows that are scored at a time: as many as fit in the scratch and the logits buffer.
    ///
    /// # Errors
    /// `invalid-argument` only if a family's spec is wrong.
    pub(super) fn vocabulary_at_once(&self, count: u32) -> Result<u32> {
        let table = self.model.weights().matrix(self.spec().head()?.table)?;
        let (_, layout) = self.vocabulary_matmul(count)?;
        let logits = self.ws.logits.bytes() / 4 / (u64::from(self.branches) * u64::from(count.max(1)));
        let most = (logits.min(u64::from(u32::MAX)) as u32).min(self.rows_at_once(table, layout));
        Ok(if most >= table.rows { table.rows } else { (most & !3).max(4) })
    }

    /// Applies the pending updates to tables in which a scored pass only looks up rows, without materializing them.
    ///
    /// # Errors
    /// `invalid-argument` only if a family's spec is wrong.
    pub(super) fn update_tables(&mut self, score: Score<'_>) -> Result<()> {
        let embedding = &self.spec().embedding;
        let mut tables: Vec<TensorId> = embedding.tables().collect();
        match score {
            Score::Readout(_) => {}
            Score::Vocabulary => {
                let head = self.spec().head()?.table;
                tables.retain(|table| *table != head);
            }
            Score::Labels(_) => {
                let head = self.spec().head()?.table;
                tables.extend(Some(head).filter(|head| *head != embedding.tokens));
            }
        }
        tables.into_iter().try_for_each(|table| self.update_matrix(table))
    }
}
