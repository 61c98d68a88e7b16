//! Heads: from hidden states at the targets to losses, predictions and logits.

use super::linear::{Block, Target, blocks, stored};
use super::spec::{Positions, TensorId};
use super::transformer::{Input, Pass, Transformer};
use super::workspace::Workspace;
use crate::error::{Result, bail};
use crate::gpu::{Buffer, Recording};
use crate::kernel::layout::Layout;
use crate::kernel::step::Step;
use crate::kernel::{NO_VECTOR, cross_entropy_block, cross_entropy_labels, gather_rows, matmul, mean_loss};
use crate::text::encode;

/// What a target is scored against.
#[derive(Clone, Copy, Debug)]
pub enum Score<'a> {
    /// These tokens only; a target's label is an index into them.
    Labels(&'a [u32]),
    /// The whole vocabulary; a target's label is a token.
    Vocabulary,
}

/// What the branches of a step make of a batch.
#[derive(Clone, Debug)]
pub struct BranchScores {
    /// Mean cross-entropy over the targets `[branch]`.
    pub means: Vec<f32>,
    /// The best label or token `[branch, target]`, where asked for.
    pub predictions: Vec<u32>,
}

/// Losses and predictions of each target, of a pass over the weights as they are.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// Cross-entropy `[target]`, natural logarithm.
    pub losses: Vec<f32>,
    /// The best label or token `[target]`.
    pub predictions: Vec<u32>,
    /// Logits of the labels `[target, label]`; empty for the whole vocabulary.
    pub label_logits: Vec<f32>,
}

impl Transformer {
    /// Mean cross-entropy over the targets for each of the step's `branches`, with the pending updates applied on the way; and what
    /// each branch predicts, where that is asked for.
    ///
    /// # Errors
    /// `invalid-argument` for an input that the model cannot take; those of the backend.
    #[expect(clippy::too_many_arguments, reason = "a batch, what is scored, and the step")]
    pub async fn branch_scores(
        &self,
        ws: &Workspace,
        input: &Input<'_>,
        targets: &[encode::Target],
        score: Score<'_>,
        step: &Step,
        branches: u32,
        predictions: bool,
    ) -> Result<BranchScores> {
        let pass = Pass::new(input, branches, false);
        self.write_input(ws, input, step, 0)?;
        self.write_targets(ws, targets, score)?;
        let mut r = self.recording(ws);
        self.record_loss(&mut r, ws, &pass, targets.len() as u32, score)?;
        if step.header.count > 0 {
            for table in self.tables_left(score) {
                self.record_update_matrix(&mut r, ws, table)?;
            }
        }
        self.backend().run(&r).await?;
        let means = self.read_f32(&ws.mean, branches).await?;
        let predictions = match predictions {
            true => {
                let bytes = u64::from(branches) * targets.len() as u64 * 4;
                bytemuck::pod_collect_to_vec(&self.backend().read(&ws.predictions, 0, bytes).await?)
            }
            false => Vec::new(),
        };
        Ok(BranchScores { means, predictions })
    }

    /// Losses and predictions with the weights as they are; no update may be pending.
    ///
    /// # Errors
    /// As [`Transformer::branch_scores`].
    pub async fn evaluate(
        &self,
        ws: &Workspace,
        input: &Input<'_>,
        targets: &[encode::Target],
        score: Score<'_>,
    ) -> Result<Evaluation> {
        let count = targets.len() as u32;
        let pass = Pass::new(input, 1, true);
        self.write_input(ws, input, &Step::plain(), 0)?;
        self.write_targets(ws, targets, score)?;
        let mut r = self.recording(ws);
        self.record_loss(&mut r, ws, &pass, count, score)?;
        self.backend().run(&r).await?;
        let predictions = self.backend().read(&ws.predictions, 0, u64::from(count) * 4).await?;
        let label_logits = match score {
            Score::Labels(labels) => self.read_f32(&ws.logits, count * labels.len() as u32).await?,
            Score::Vocabulary => Vec::new(),
        };
        Ok(Evaluation {
            losses: self.read_f32(&ws.losses, count).await?,
            predictions: bytemuck::pod_collect_to_vec(&predictions),
            label_logits,
        })
    }

    /// Logits of every token over the whole vocabulary `[token, vocabulary]`, with the weights as they are.
    ///
    /// # Errors
    /// As [`Transformer::branch_scores`].
    pub async fn logits(&self, ws: &Workspace, input: &Input<'_>) -> Result<Vec<f32>> {
        let tokens = input.ids.len() as u32;
        let pass = Pass::new(input, 1, true);
        self.write_input(ws, input, &Step::plain(), 0)?;
        let rows: Vec<u32> = (0..tokens).collect();
        self.backend().write(&ws.target_rows, 0, bytemuck::cast_slice(&rows))?;
        let mut r = self.recording(ws);
        let scored = self.record_scored(&mut r, ws, &pass, tokens)?;
        let bias = self.bias(self.spec().head.bias)?;
        let vocabulary = self.spec().vocabulary as usize;
        let mut logits = vec![0.0; tokens as usize * vocabulary];
        let table = self.weights().matrix(self.spec().head.table)?;
        for block in blocks(table, self.vocabulary_at_once(&r, ws, &pass, tokens)?) {
            self.record_block(&mut r, ws, &pass, tokens, scored, &block, bias)?;
            self.backend().run(&r).await?;
            let part = self.read_f32(&ws.logits, tokens * block.rows).await?;
            for (row, part) in part.chunks_exact(block.rows as usize).enumerate() {
                let first = row * vocabulary + block.first_row as usize;
                logits[first..first + part.len()].copy_from_slice(part);
            }
            r = self.recording(ws);
        }
        Ok(logits)
    }

    /// Applies the pending updates of `step` to all weights, without a pass.
    ///
    /// # Errors
    /// Those of the backend.
    pub async fn apply_update(&self, ws: &Workspace, step: &Step) -> Result<()> {
        self.backend().write(&ws.step, 0, &step.to_bytes())?;
        let mut r = self.recording(ws);
        self.record_update(&mut r, ws)?;
        self.backend().run(&r).await
    }

    fn write_targets(&self, ws: &Workspace, targets: &[encode::Target], score: Score<'_>) -> Result<()> {
        if targets.is_empty() {
            bail!(InvalidArgument, "no targets to score");
        }
        // A tokenizer may know tokens that the model's table has no row for.
        let vocabulary = self.spec().vocabulary;
        let scored = match score {
            Score::Labels(ids) => ids.iter().copied().max(),
            Score::Vocabulary => targets.iter().map(|t| t.label).max(),
        };
        if let Some(token) = scored.filter(|token| *token >= vocabulary) {
            bail!(
                InvalidArgument,
                "token {token} is to be predicted, the model's vocabulary has {vocabulary}"
            );
        }
        let rows: Vec<u32> = targets.iter().map(|t| t.position).collect();
        let labels: Vec<u32> = targets.iter().map(|t| t.label).collect();
        self.backend().write(&ws.target_rows, 0, bytemuck::cast_slice(&rows))?;
        self.backend().write(&ws.target_labels, 0, bytemuck::cast_slice(&labels))?;
        if let Score::Labels(ids) = score {
            self.backend().write(&ws.label_ids, 0, bytemuck::cast_slice(ids))?;
        }
        Ok(())
    }

    /// Records a pass and the loss of its targets: `ws.losses`, `ws.predictions` and `ws.mean`.
    fn record_loss(
        &self,
        r: &mut Recording,
        ws: &Workspace,
        pass: &Pass<'_>,
        count: u32,
        score: Score<'_>,
    ) -> Result<()> {
        let scored = self.record_scored(r, ws, pass, count)?;
        let bias = self.bias(self.spec().head.bias)?;
        let vectors = self.vectors_of(ws, pass);
        match score {
            Score::Labels(labels) => {
                let labels = labels.len() as u32;
                self.record_label_logits(r, ws, pass, count, scored, labels)?;
                let params = cross_entropy_labels::Params {
                    rows: pass.branches * count,
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
                cross_entropy_labels::record(r, tensors, params);
            }
            Score::Vocabulary => {
                let table = self.weights().matrix(self.spec().head.table)?;
                for block in blocks(table, self.vocabulary_at_once(r, ws, pass, count)?) {
                    self.record_block(r, ws, pass, count, scored, &block, NO_VECTOR)?;
                    let params = cross_entropy_block::Params {
                        rows: pass.branches * count,
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
                    cross_entropy_block::record(r, tensors, params);
                }
            }
        }
        mean_loss::record(r, &ws.losses, &ws.mean, pass.branches, count);
        Ok(())
    }

    /// Records a pass and the head's transform of its target rows; returns the buffer `[branch, count, hidden]`.
    pub(super) fn record_scored<'w>(
        &self,
        r: &mut Recording,
        ws: &'w Workspace,
        pass: &Pass<'_>,
        count: u32,
    ) -> Result<&'w Buffer> {
        let spec = self.spec();
        let hidden = self.record_hidden(r, ws, pass)?;
        let params = gather_rows::Params {
            branches: pass.branches,
            x_start: 0,
            x_branch: pass.tokens * spec.hidden,
            count,
            width: spec.hidden,
        };
        gather_rows::record(r, hidden, &ws.target_rows, &ws.gathered, params);
        let Some(transform) = &spec.head.transform else {
            return Ok(&ws.gathered);
        };
        let activation = Some(transform.activation);
        let output = Target { activation, ..Target::new(&ws.transformed, spec.hidden) };
        self.record_linear(r, ws, pass, count, &transform.dense, &ws.gathered, output)?;
        self.norm(r, ws, pass, count, &transform.norm, &ws.transformed, &ws.gathered)?;
        Ok(&ws.gathered)
    }

    /// `ws.logits[b, t, l]` without bias, from the label words' rows of the table.
    fn record_label_logits(
        &self,
        r: &mut Recording,
        ws: &Workspace,
        pass: &Pass<'_>,
        count: u32,
        scored: &Buffer,
        labels: u32,
    ) -> Result<()> {
        let hidden = self.spec().hidden;
        let table = self.spec().head.table;
        self.record_rows(r, ws, pass, table, &ws.label_ids, labels, &ws.label_rows, false)?;
        let params = matmul::Params {
            rows: count,
            columns: labels,
            depth: hidden,
            a_stride: hidden,
            a_branch: count * hidden,
            w_start: 0,
            w_branch: labels * hidden,
            c_stride: labels,
            c_column: 0,
            bias: NO_VECTOR,
            vector_stride: 0,
            added: 0.0,
        };
        let tensors = matmul::Tensors {
            a: scored,
            w: (&ws.label_rows).into(),
            layout: Layout::Rows,
            vectors: self.vectors_of(ws, pass).buffer,
            c: &ws.logits,
            activation: None,
        };
        matmul::record(r, &params, pass.branches, tensors);
        Ok(())
    }

    /// `ws.logits[b, t, :]` for a block of the vocabulary, with the bias at `biased`, or without where what reads them adds it.
    #[expect(clippy::too_many_arguments, reason = "the pass, what is scored, and against what")]
    pub(super) fn record_block(
        &self,
        r: &mut Recording,
        ws: &Workspace,
        pass: &Pass<'_>,
        count: u32,
        scored: &Buffer,
        block: &Block<'_>,
        biased: u32,
    ) -> Result<()> {
        let table = self.weights().matrix(self.spec().head.table)?;
        let (whole, layout) = self.vocabulary_matmul(r, pass, count)?;
        let w = self.record_branch_weights(r, ws, pass, table, block, layout);
        let vectors = self.vectors_of(ws, pass);
        let params = matmul::Params {
            columns: block.rows,
            w_start: w.start,
            w_branch: w.branch,
            c_stride: block.rows,
            bias: if biased == NO_VECTOR { biased } else { biased + block.first_row },
            vector_stride: vectors.stride,
            ..whole
        };
        let (w, c) = (w.buffer.into(), &ws.logits);
        let tensors = matmul::Tensors { a: scored, w, layout, vectors: vectors.buffer, c, activation: None };
        matmul::record(r, &params, pass.branches, tensors);
        if let Some(pair) = self.pair(table.id) {
            let y = Target::new(&ws.logits, block.rows);
            let rows = block.first_row..block.first_row + block.rows;
            self.record_pair(r, ws, pass, count, pair, (scored, table.width), y, rows);
        }
        Ok(())
    }

    /// The matmul over the whole vocabulary, of which each block is a part, and how its weights are formed.
    fn vocabulary_matmul(
        &self,
        r: &Recording,
        pass: &Pass<'_>,
        count: u32,
    ) -> Result<(matmul::Params, Layout)> {
        let table = self.weights().matrix(self.spec().head.table)?;
        let params = matmul::Params {
            rows: count,
            columns: table.rows,
            depth: table.width,
            a_stride: table.width,
            a_branch: count * table.width,
            ..Default::default()
        };
        Ok((params, matmul::layout(r, &params, pass.branches, stored(pass, table))))
    }

    /// How many rows of the vocabulary are scored at a time: what scratch and logits hold.
    pub(super) fn vocabulary_at_once(
        &self,
        r: &Recording,
        ws: &Workspace,
        pass: &Pass<'_>,
        count: u32,
    ) -> Result<u32> {
        let table = self.weights().matrix(self.spec().head.table)?;
        let (_, layout) = self.vocabulary_matmul(r, pass, count)?;
        let logits = ws.logits.bytes() / 4 / (u64::from(pass.branches) * u64::from(count.max(1)));
        let most = (logits.min(u64::from(u32::MAX)) as u32).min(self.rows_at_once(ws, pass, table, layout));
        Ok(if most >= table.rows { table.rows } else { (most & !3).max(4) })
    }

    /// Matrices that a scored pass looks rows up in, but does not materialise: their update is applied after it.
    fn tables_left(&self, score: Score<'_>) -> Vec<TensorId> {
        let spec = self.spec();
        let mut tables = vec![spec.token_table];
        tables.extend(spec.type_table);
        if let Positions::Learned { table, .. } = spec.positions {
            tables.push(table);
        }
        match score {
            Score::Vocabulary => tables.retain(|table| *table != spec.head.table),
            Score::Labels(_) if spec.head.table != spec.token_table => tables.push(spec.head.table),
            Score::Labels(_) => {}
        }
        tables
    }

    pub(super) async fn read_f32(&self, buffer: &Buffer, count: u32) -> Result<Vec<f32>> {
        Ok(bytemuck::pod_collect_to_vec(&self.backend().read(buffer, 0, u64::from(count) * 4).await?))
    }
}
