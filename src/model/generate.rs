//! Generation: one token after another, with a cache of the keys and values of earlier tokens.

use super::adapter::Adapter;
use super::kv_cache::KvCache;
use super::linear::blocks;
use super::pass::Pass;
use super::rotary::Rotary;
use super::run::OVERGROWN;
use super::transformer::Transformer;
use super::workspace::{Capacity, Extent, Workspace};
use crate::error::{Result, bail};
use crate::kernel::step::Step;
use crate::kernel::{NO_BIAS, sample};
use crate::text::batch::Batch;

/// The score that the sampling starts with, below all finite scores (`shaders/lib/workgroup_best.wgsl`).
const NO_SCORE: f32 = -3.0e38;

/// How the next token is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sampling {
    /// The sampling temperature: logits are divided by it before a token is drawn from their softmax. 0 takes the likeliest token.
    pub temperature: f32,
}

/// A text that is being generated. Only the model that started it can continue it.
pub struct Generation {
    workspace: Workspace,
    cache: KvCache,
    sampling: Sampling,
    /// The tokens that the model has not read yet.
    unseen: Vec<u32>,
    /// The length at which the frequencies of rotary positions change, if they do.
    change: Option<Change>,
}

/// A length beyond which a sequence uses other rotary frequencies, so that the keys of all its tokens change.
struct Change {
    /// The longest sequence with the first frequencies, in tokens.
    length: u32,
    /// All tokens that the model has read. It reads them again when the text exceeds `length`.
    read: Vec<u32>,
}

impl Transformer {
    /// Starts generating a continuation of a prompt by at most `max_tokens` tokens.
    ///
    /// # Errors
    /// `model-unsupported` if the model has no language-model head; `invalid-argument` if it is not a causal language model, the
    /// prompt is empty or fills the model's context, or the temperature is negative or not finite.
    pub fn generate(&self, prompt: &[u32], max_tokens: u32, sampling: Sampling) -> Result<Generation> {
        let spec = self.spec();
        spec.head()?;
        if !spec.causal {
            bail!(
                InvalidArgument,
                "a {} model fills masks; only causal language models generate",
                spec.family
            );
        }
        if prompt.is_empty() {
            bail!(InvalidArgument, "the prompt has no tokens");
        }
        if prompt.len() >= self.max_length() as usize {
            let (have, most) = (prompt.len(), self.max_length());
            bail!(InvalidArgument, "the prompt has {have} tokens, but the model takes fewer than {most}");
        }
        if !sampling.temperature.is_finite() || sampling.temperature < 0.0 {
            bail!(InvalidArgument, "temperature is {}, expected 0 or more", sampling.temperature);
        }
        let tokens = prompt.len() as u32;
        let length = tokens.saturating_add(max_tokens).min(self.max_length());
        let rotary = spec.layers.iter().filter_map(|layer| layer.attention()?.rotary.as_ref());
        let change = rotary.filter_map(Rotary::long_beyond).min();
        let prefix = self.adapter().map_or(0, Adapter::prefix_length);
        let change = change.map(|change| change.saturating_sub(prefix));
        let change = change.filter(|change| (tokens..length).contains(change));
        let tokens = change.map_or(tokens, |change| change + 1);
        let extent = Extent { branches: 1, tokens, targets: 1, labels: 0 };
        let capacity = Capacity::from(extent).with_positions(length);
        let (backend, weights) = (self.backend(), self.weights());
        Ok(Generation {
            workspace: Workspace::new(backend, weights, self.adapter(), self.tiles(), capacity)?,
            cache: KvCache::new(self, length)?,
            sampling,
            unseen: prompt.to_vec(),
            change: change.map(|length| Change { length, read: Vec::new() }),
        })
    }
}

impl Generation {
    /// The next token; `None` when the cache is full. If the temperature is not 0, `key` seeds the random bits.
    ///
    /// # Errors
    /// `non-finite-loss` if no token has a finite score; errors from the backend.
    pub async fn next(&mut self, model: &Transformer, key: [u32; 2]) -> Result<Option<u32>> {
        let ws = &self.workspace;
        if let Some(Change { length, read }) = &mut self.change {
            read.extend_from_slice(&self.unseen);
            if self.cache.length <= *length && read.len() as u32 > *length {
                self.cache.length = 0;
                self.unseen.clone_from(read);
            }
        }
        let tokens = self.unseen.len() as u32;
        let length = self.cache.length;
        if length + tokens > self.cache.capacity {
            return Ok(None);
        }
        let batch = Batch::continuing(&self.unseen, length);
        model.write_input(ws, &batch, &Step::plain(), length)?;
        model.backend().write(&ws.target_rows, 0, &(tokens - 1).to_le_bytes())?;
        let mut pass = Pass::cached(model, ws, &batch, &self.cache);
        let scored = pass.head_rows(1)?;
        let head = model.spec().head()?;
        let bias = pass.offset(head.bias)?;
        let vectors = pass.norms_and_biases();
        let table = model.weights().matrix(head.table)?;
        for block in blocks(table, 0..table.rows, pass.vocabulary_at_once(1)?) {
            pass.block_logits(1, scored, &block, NO_BIAS)?;
            let params = sample::Params {
                width: block.rows,
                first: block.first_row,
                bias,
                vector_stride: vectors.stride,
                start: (block.first_row == 0).into(),
                temperature: self.sampling.temperature,
                key_low: key[0],
                key_high: key[1],
            };
            sample::record(&mut pass.r, &ws.logits, vectors.buffer, &ws.state, params);
        }
        pass.run().await?;
        let bytes = model.backend().read(&ws.state, 0, 8).await?;
        let [token, score] = bytemuck::pod_read_unaligned::<[u32; 2]>(&bytes);
        // No comparison is true for NaN, so the sampling then keeps the score that it starts with.
        let score = f32::from_bits(score);
        if !(score.is_finite() && score > NO_SCORE) {
            bail!(
                NonFiniteLoss,
                "after {} tokens, the scores of the next one are not finite: {OVERGROWN}",
                length + tokens
            );
        }
        self.cache.length += tokens;
        self.unseen = vec![token];
        Ok(Some(token))
    }
}
