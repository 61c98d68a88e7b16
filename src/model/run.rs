//! Runs a batch: writes its tokens to the device, records and runs a pass, and reads back losses, predictions or logits.

use super::adapter::Adapter;
use super::heads::Score;
use super::kv_cache::KvCache;
use super::linear::blocks;
use super::pass::Pass;
use super::transformer::Transformer;
use super::workspace::{Extent, Rotation, Workspace};
use crate::error::{Result, bail};
use crate::gpu::Buffer;
use crate::kernel::step::Step;
use crate::text::batch::Batch;

/// The results of the branches of a step on a batch.
#[derive(Clone, Debug)]
pub struct BranchScores {
    /// Mean cross-entropy over the targets `[branch]`, natural logarithm.
    pub means: Vec<f32>,
    /// The best label or token `[branch, target]`, if requested.
    pub predictions: Vec<u32>,
}

/// Losses and predictions at each target, from a pass with the stored weights.
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
    /// Mean cross-entropy over the targets for each of the step's `branches` and, if `predictions` is set, what each branch
    /// predicts. The pass also applies the step's pending updates.
    ///
    /// # Errors
    /// `invalid-argument` for a batch that the model cannot process; errors from the backend.
    pub async fn branch_scores(
        &self,
        ws: &Workspace,
        batch: &Batch,
        score: Score<'_>,
        (step, branches): (&Step, u32),
        predictions: bool,
    ) -> Result<BranchScores> {
        let mut pass = Pass::perturbed(self, ws, batch, branches);
        self.record_scored_batch(&mut pass, batch, score, step)?;
        if step.header.count > 0 {
            pass.update_tables(score)?;
        }
        pass.run().await?;
        let means = self.read(&ws.mean, branches).await?;
        let predictions = match predictions {
            true => self.read(&ws.predictions, branches * batch.targets.len() as u32).await?,
            false => Vec::new(),
        };
        Ok(BranchScores { means, predictions })
    }

    /// Losses and predictions with the stored weights. No update may be pending.
    ///
    /// # Errors
    /// The errors of [`Transformer::branch_scores`].
    pub async fn evaluate(&self, ws: &Workspace, batch: &Batch, score: Score<'_>) -> Result<Evaluation> {
        let mut pass = Pass::plain(self, ws, batch);
        self.record_scored_batch(&mut pass, batch, score, &Step::plain())?;
        pass.run().await?;
        let count = batch.targets.len() as u32;
        let predictions = self.read(&ws.predictions, count).await?;
        let label_logits = match score {
            Score::Labels(labels) => self.read(&ws.logits, count * labels.len() as u32).await?,
            Score::Readout(labels) => self.read(&ws.logits, count * labels).await?,
            Score::Vocabulary => Vec::new(),
        };
        Ok(Evaluation { losses: self.read(&ws.losses, count).await?, predictions, label_logits })
    }

    /// Logits of every token over the whole vocabulary `[token, vocabulary]`, with the stored weights.
    ///
    /// # Errors
    /// The errors of [`Transformer::branch_scores`].
    pub async fn logits(&self, ws: &Workspace, batch: &Batch) -> Result<Vec<f32>> {
        let tokens = batch.ids.len() as u32;
        self.write_input(ws, batch, &Step::plain(), 0)?;
        let rows: Vec<u32> = (0..tokens).collect();
        self.backend().write(&ws.target_rows, 0, bytemuck::cast_slice(&rows))?;
        let mut pass = Pass::plain(self, ws, batch);
        let scored = pass.head_rows(tokens)?;
        let head = self.spec().head()?;
        let bias = pass.offset(head.bias)?;
        let vocabulary = self.spec().vocabulary as usize;
        let mut logits = vec![0.0; tokens as usize * vocabulary];
        let table = self.weights().matrix(head.table)?;
        for block in blocks(table, 0..table.rows, pass.vocabulary_at_once(tokens)?) {
            pass.block_logits(tokens, scored, &block, bias)?;
            pass.run().await?;
            let part: Vec<f32> = self.read(&ws.logits, tokens * block.rows).await?;
            for (row, part) in part.chunks_exact(block.rows as usize).enumerate() {
                let first = row * vocabulary + block.first_row as usize;
                logits[first..first + part.len()].copy_from_slice(part);
            }
        }
        Ok(logits)
    }

    /// Keys and values of a text, in the layout of a prefix: for each layer, keys `[token, kv_heads * head_dim]`, then values.
    ///
    /// # Errors
    /// `invalid-argument` for tokens that the model does not have; errors from the backend.
    pub async fn keys_and_values(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let batch = Batch::sequence(ids);
        let tokens = ids.len() as u32;
        let ws = self.workspace(None, Extent { tokens, ..Extent::least() })?;
        let cache = KvCache::new(self, tokens)?;
        self.write_input(&ws, &batch, &Step::plain(), 0)?;
        let mut pass = Pass::cached(self, &ws, &batch, &cache);
        pass.forward()?;
        pass.run().await?;
        let width = self.spec().kv_width() as usize;
        let mut values = Vec::new();
        for layer in &cache.layers {
            let rows: Vec<f32> = self.read(layer, tokens * 2 * width as u32).await?;
            for part in 0..2 {
                values.extend(
                    rows.chunks_exact(2 * width).flat_map(|row| &row[part * width..(part + 1) * width]),
                );
            }
        }
        Ok(values)
    }

    /// Writes a batch's tokens and the step to the workspace. `cached` tokens of its only sequence are already in the cache.
    ///
    /// # Errors
    /// `invalid-argument` if a token is not in the vocabulary, or a sequence is longer than the model or the workspace allows.
    pub(super) fn write_input(&self, ws: &Workspace, batch: &Batch, step: &Step, cached: u32) -> Result<()> {
        let spec = self.spec();
        if let Some(id) = batch.ids.iter().find(|id| **id >= spec.vocabulary) {
            bail!(InvalidArgument, "token {id} is not in the vocabulary of {} tokens", spec.vocabulary);
        }
        if let Some(last) = batch.positions.iter().max() {
            let (tokens, model, workspace) = (last.saturating_add(1), self.max_length(), ws.positions());
            if tokens > model {
                bail!(
                    InvalidArgument,
                    "a text has {tokens} tokens, but the model allows {model} (`max_position_embeddings` or `n_positions` in its \
                     configuration, without the adapter's prefix); shorten the text"
                );
            }
            if tokens > workspace {
                bail!(
                    InvalidArgument,
                    "a text has {tokens} tokens, but the workspace has {workspace} positions"
                );
            }
        }
        let learned = spec.embedding.positions;
        let offset = learned.map_or(0, |learned| learned.offset);
        let offset = offset + self.adapter().map_or(0, Adapter::prefix_length);
        let positions = match learned.and_then(|learned| learned.padding.zip(learned.offset.checked_sub(1))) {
            Some((padding, row)) => positions_without(padding, row, batch, offset),
            None => batch.positions.iter().map(|p| p + offset).collect(),
        };
        let backend = self.backend();
        backend.write(&ws.ids, 0, bytemuck::cast_slice(&batch.ids))?;
        self.write_types(ws, batch)?;
        backend.write(&ws.positions, 0, bytemuck::cast_slice(&positions))?;
        for Rotation { rotary, rows, positions: own, .. } in &ws.rotations {
            if let (Some(buffer), Some(short)) = (own, rotary.long_beyond()) {
                let mut chosen = positions.clone();
                let is_long = |bounds: &&[u32]| cached + offset + (bounds[1] - bounds[0]) > short;
                for bounds in batch.cu_seqlens.windows(2).filter(is_long) {
                    chosen[bounds[0] as usize..bounds[1] as usize].iter_mut().for_each(|row| *row += rows);
                }
                backend.write(buffer, 0, bytemuck::cast_slice(&chosen))?;
            }
        }
        if let Some((relative, positions)) = ws.relative.as_ref().zip(spec.embedding.relative.as_ref()) {
            relative.write(backend, positions, batch.longest())?;
        }
        for (window, buffer) in &ws.spans {
            let spans = spans(&batch.cu_seqlens, cached, spec.causal, *window);
            backend.write(buffer, 0, bytemuck::cast_slice(&spans))?;
        }
        if let Some(buffer) = &ws.step_without_updates {
            backend.write(buffer, 0, &step.without_updates().to_bytes())?;
        }
        backend.write(&ws.step, 0, &step.to_bytes())
    }

    /// Writes the types of a batch's tokens. A model without several types reads the zeros of a new buffer.
    fn write_types(&self, ws: &Workspace, batch: &Batch) -> Result<()> {
        let types = self.spec().token_types();
        if let Some(kind) = batch.types.iter().find(|kind| **kind >= types.max(1)) {
            bail!(InvalidArgument, "token type {kind}: the model has {types} types");
        }
        if types < 2 {
            return Ok(());
        }
        let mut rows = batch.types.clone();
        rows.resize(batch.ids.len(), 0);
        self.backend().write(&ws.types, 0, bytemuck::cast_slice(&rows))
    }

    /// Reads the first `count` elements of a buffer.
    ///
    /// # Errors
    /// Errors from the backend.
    pub(super) async fn read<T: bytemuck::Pod>(&self, buffer: &Buffer, count: u32) -> Result<Vec<T>> {
        let bytes = self.backend().read(buffer, 0, u64::from(count) * 4).await?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }

    /// Writes the token ranges that a readout pools, and the labels of a batch.
    fn write_readout_targets(&self, ws: &Workspace, batch: &Batch, labels: u32) -> Result<()> {
        let Some(head) = self.readout().filter(|head| head.labels == labels) else {
            bail!(InvalidArgument, "the model has no readout of {labels} labels");
        };
        if batch.targets.len() != batch.sequences() {
            let (targets, sequences) = (batch.targets.len(), batch.sequences());
            bail!(InvalidArgument, "expected a label for each of {sequences} sequences, found {targets}");
        }
        let numbers: Vec<u32> = (0..labels).collect();
        self.backend().write(&ws.label_ids, 0, bytemuck::cast_slice(&numbers))?;
        self.write_ranges(ws, batch, head.pooling)
    }

    /// Writes a batch, its targets and the step to the workspace, and records the pass and its losses.
    fn record_scored_batch(
        &self,
        pass: &mut Pass<'_>,
        batch: &Batch,
        score: Score<'_>,
        step: &Step,
    ) -> Result<()> {
        self.write_input(pass.ws, batch, step, 0)?;
        self.write_targets(pass.ws, batch, score)?;
        pass.loss(batch.targets.len() as u32, score)
    }

    fn write_targets(&self, ws: &Workspace, batch: &Batch, score: Score<'_>) -> Result<()> {
        let targets = &batch.targets;
        if targets.is_empty() {
            bail!(InvalidArgument, "the batch has no targets to score");
        }
        // A tokenizer may have tokens that the model's table has no row for.
        let vocabulary = self.spec().vocabulary;
        let scored = match score {
            Score::Labels(ids) => ids.iter().copied().max(),
            Score::Vocabulary => targets.iter().map(|t| t.label).max(),
            Score::Readout(_) => None,
        };
        if let Some(token) = scored.filter(|token| *token >= vocabulary) {
            bail!(
                InvalidArgument,
                "token {token} is to be predicted, but the model's vocabulary has {vocabulary} tokens"
            );
        }
        let rows: Vec<u32> = targets.iter().map(|t| t.position).collect();
        let labels: Vec<u32> = targets.iter().map(|t| t.label).collect();
        self.backend().write(&ws.target_rows, 0, bytemuck::cast_slice(&rows))?;
        self.backend().write(&ws.target_labels, 0, bytemuck::cast_slice(&labels))?;
        match score {
            Score::Labels(ids) => self.backend().write(&ws.label_ids, 0, bytemuck::cast_slice(ids)),
            Score::Readout(labels) => self.write_readout_targets(ws, batch, labels),
            Score::Vocabulary => Ok(()),
        }
    }
}

/// Why scores are not finite, and what helps.
pub(crate) const OVERGROWN: &str = "the weights have grown beyond what this format can compute with. Use dtype f32, or train with a \
     smaller learning rate";

/// The rows of tokens in a position table: `row` for the token `padding`, and consecutive rows from `offset` for the others,
/// skipping padding tokens.
fn positions_without(padding: u32, row: u32, batch: &Batch, offset: u32) -> Vec<u32> {
    let mut rows = Vec::with_capacity(batch.ids.len());
    for bounds in batch.cu_seqlens.windows(2) {
        let mut next = offset;
        for id in &batch.ids[bounds[0] as usize..bounds[1] as usize] {
            let is_padding = *id == padding;
            rows.push(if is_padding { row } else { next });
            next += u32::from(!is_padding);
        }
    }
    rows
}

/// The range of keys that each token sees, as first and end: keys of its own sequence, up to itself if attention is causal, and
/// fewer than `window` positions away. With `cached` keys there is only one sequence, and they precede the keys of its tokens.
fn spans(cu_seqlens: &[u32], cached: u32, causal: bool, window: Option<u32>) -> Vec<[u32; 2]> {
    let window = window.unwrap_or(u32::MAX);
    let mut spans = Vec::new();
    for bounds in cu_seqlens.windows(2) {
        let (first, end) = (bounds[0], cached + bounds[1]);
        for key in cached + first..end {
            let last = if causal { key } else { key.saturating_add(window - 1).min(end - 1) };
            spans.push([first.max((key + 1).saturating_sub(window)), last + 1]);
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What transformers' `create_position_ids_from_input_ids` gives for each of these texts, where token 1 is the padding.
    #[test]
    fn padding_takes_no_position() {
        let mut batch = Batch::sequence(&[0, 1, 5, 1, 6, 0, 7, 1]);
        batch.cu_seqlens = vec![0, 5, 8];
        assert_eq!(positions_without(1, 1, &batch, 2), [2, 1, 3, 1, 4, 2, 3, 1]);
    }

    #[test]
    fn spans_stay_in_their_sequence_and_window() {
        let both = [0, 3, 5];
        assert_eq!(spans(&both, 0, true, None), [[0, 1], [0, 2], [0, 3], [3, 4], [3, 5]]);
        assert_eq!(spans(&both, 0, false, None), [[0, 3], [0, 3], [0, 3], [3, 5], [3, 5]]);
        assert_eq!(spans(&both, 0, true, Some(2)), [[0, 1], [0, 2], [1, 3], [3, 4], [3, 5]]);
        assert_eq!(spans(&both, 0, false, Some(2)), [[0, 2], [0, 3], [1, 3], [3, 5], [3, 5]]);
        // Four keys are cached, two tokens are new.
        assert_eq!(spans(&[0, 2], 4, true, None), [[0, 5], [0, 6]]);
        assert_eq!(spans(&[0, 2], 4, true, Some(3)), [[2, 5], [3, 6]]);
    }
}
