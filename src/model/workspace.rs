//! The buffers that a pass works in: activations for so many branches and tokens, and the scratch of branch weights.

use super::spec::{Mlp, ModelSpec, Positions};
use crate::error::Result;
use crate::gpu::{Backend, Buffer, MemoryClass};

/// The most branch weights formed at a time, bytes: larger matrices are gone through in blocks of rows.
const SCRATCH_BYTES: u64 = 24 << 20;

/// The most logits held at a time, bytes.
const LOGITS_BYTES: u64 = 8 << 20;

/// How large a pass may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Branches.
    pub branches: u32,
    /// Tokens of each branch.
    pub tokens: u32,
    /// Target rows of each branch.
    pub targets: u32,
    /// Label words.
    pub labels: u32,
}

impl Extent {
    /// Large enough for both.
    pub fn union(self, other: Extent) -> Extent {
        Extent {
            branches: self.branches.max(other.branches),
            tokens: self.tokens.max(other.tokens),
            targets: self.targets.max(other.targets),
            labels: self.labels.max(other.labels),
        }
    }

    /// Room to spare, so that batches of about the same size share a workspace.
    fn rounded(self) -> Extent {
        let round = |n: u32| n.max(1).next_multiple_of(64);
        Extent {
            branches: self.branches.max(1),
            tokens: round(self.tokens),
            targets: round(self.targets),
            labels: self.labels.max(1).next_multiple_of(4),
        }
    }
}

/// Buffers for passes of up to a certain extent.
pub struct Workspace {
    /// What fits.
    pub extent: Extent,
    /// Hidden states `[branch, token, hidden]`.
    pub hidden: Buffer,
    /// What a sublayer reads or returns `[branch, token, hidden]`.
    pub normed: Buffer,
    /// Queries, keys, values `[branch, token, (heads + 2 kv_heads) head_dim]`.
    pub qkv: Buffer,
    /// Attention's output `[branch, token, heads * head_dim]`.
    pub attended: Buffer,
    /// The MLP's intermediate `[branch, token, intermediate]`, doubled where gated.
    pub wide: Buffer,
    /// The gated product `[branch, token, intermediate]`.
    pub gated: Option<Buffer>,
    /// Vectors as each branch sees them `[branch, vector_stride]`.
    pub vectors: Buffer,
    /// Branch weights of a block of rows.
    pub scratch: Buffer,
    /// Target rows `[branch, target, hidden]`.
    pub gathered: Buffer,
    /// Target rows through the head's transform `[branch, target, hidden]`.
    pub transformed: Buffer,
    /// Logits of a block of the vocabulary `[branch, target, block]`.
    pub logits: Buffer,
    /// Streamed cross-entropy or sampling `[branch, target]` x 4.
    pub state: Buffer,
    /// `[branch, target]`.
    pub losses: Buffer,
    /// `[branch, target]`: a label or token for each target.
    pub predictions: Buffer,
    /// `[branch]`.
    pub mean: Buffer,
    /// Token ids `[token]`.
    pub ids: Buffer,
    /// Positions `[token]`, with a learned table's offset.
    pub positions: Buffer,
    /// Rows of the type table: zeros `[token]`.
    pub types: Buffer,
    /// Keys that each token sees `[token]` x 2.
    pub spans: Buffer,
    /// Target rows `[target]`.
    pub target_rows: Buffer,
    /// Target labels or tokens `[target]`.
    pub target_labels: Buffer,
    /// Token of each label word `[label]`.
    pub label_ids: Buffer,
    /// Rows of the head's table for the label words `[branch, label, hidden]`.
    pub label_rows: Buffer,
    /// The step ([`crate::kernel::step::Step`]).
    pub step: Buffer,
    /// cos and sin of each position and pair, for rotary positions `[position, head_dim / 2]` x 2.
    pub rotation: Option<Buffer>,
}

impl Workspace {
    /// Allocates it.
    ///
    /// # Errors
    /// `limit-exceeded` naming the activation that would not fit.
    pub fn new(
        backend: &dyn Backend,
        spec: &ModelSpec,
        vector_stride: u32,
        extent: Extent,
    ) -> Result<Workspace> {
        let extent = extent.rounded();
        let Extent { branches, tokens, targets, labels } = extent;
        let rows = u64::from(branches) * u64::from(tokens);
        let scored = u64::from(branches) * u64::from(targets);
        let activation =
            |name: &str, elements: u64| backend.create(name, elements * 4, MemoryClass::Activations);
        let gated = spec.layers.iter().any(|layer| matches!(layer.mlp, Mlp::Gated { .. }));
        let intermediate = u64::from(spec.intermediate);
        let hidden = u64::from(spec.hidden);
        let attended = u64::from(spec.heads) * u64::from(spec.head_dim);
        let rotation = match spec.positions {
            Positions::Rotary { theta } => Some(rotation(backend, spec, theta)?),
            Positions::Learned { .. } => None,
        };
        // Enough for four rows of every matrix in every branch, and no more than the largest needs.
        let matrices = || spec.tensors.as_slice().iter().filter(|t| t.rows > 1);
        let least = matrices().map(|t| 16 * u64::from(t.width)).max().unwrap_or(16);
        let largest = matrices().map(|t| t.elements() * 4 + 16).max().unwrap_or(16);
        let scratch = u64::from(branches) * largest.min((SCRATCH_BYTES / u64::from(branches)).max(least));
        let full = scored * u64::from(spec.vocabulary.max(labels)) * 4;
        let logits = full.min(LOGITS_BYTES.max(scored * 16 * u64::from(labels.div_ceil(4))));
        Ok(Workspace {
            extent,
            hidden: activation("hidden", rows * hidden)?,
            normed: activation("normed", rows * hidden)?,
            qkv: activation("qkv", rows * u64::from(spec.qkv_width()))?,
            attended: activation("attended", rows * attended)?,
            wide: activation("wide", rows * intermediate * if gated { 2 } else { 1 })?,
            gated: if gated { Some(activation("gated", rows * intermediate)?) } else { None },
            vectors: activation("vectors of branches", u64::from(branches) * u64::from(vector_stride))?,
            scratch: backend.create("branch weights", scratch, MemoryClass::Scratch)?,
            gathered: activation("targets", scored * hidden)?,
            transformed: activation("transformed targets", scored * hidden)?,
            logits: activation("logits", logits / 4)?,
            state: activation("cross-entropy", scored * 4)?,
            losses: activation("losses", scored)?,
            predictions: activation("predictions", scored)?,
            mean: activation("mean loss", u64::from(branches))?,
            ids: activation("ids", u64::from(tokens))?,
            positions: activation("positions", u64::from(tokens))?,
            types: activation("types", u64::from(tokens))?,
            spans: activation("spans", u64::from(tokens) * 2)?,
            target_rows: activation("target rows", u64::from(targets))?,
            target_labels: activation("target labels", u64::from(targets))?,
            label_ids: activation("label ids", u64::from(labels))?,
            label_rows: activation("label rows", u64::from(branches) * u64::from(labels) * hidden)?,
            step: backend.create(
                "step",
                size_of::<crate::kernel::step::Step>() as u64,
                MemoryClass::Transfer,
            )?,
            rotation,
        })
    }

    /// Whether a pass of this extent can run in it.
    pub fn fits(&self, extent: Extent) -> bool {
        self.extent.union(extent) == self.extent
    }
}

/// cos and sin on the host, in f64: a GPU's own are too coarse for far positions.
fn rotation(backend: &dyn Backend, spec: &ModelSpec, theta: f32) -> Result<Buffer> {
    let half = spec.head_dim / 2;
    let mut table = Vec::with_capacity(spec.max_length as usize * half as usize * 2);
    for position in 0..spec.max_length {
        for pair in 0..half {
            let exponent = -2.0 * f64::from(pair) / f64::from(spec.head_dim);
            // transformers forms frequency and angle in f32.
            let frequency = f64::from(theta).powf(exponent) as f32;
            let angle = f64::from(position as f32 * frequency);
            table.extend([angle.cos() as f32, angle.sin() as f32]);
        }
    }
    let buffer = backend.create("rotation", table.len() as u64 * 4, MemoryClass::Activations)?;
    backend.write(&buffer, 0, bytemuck::cast_slice(&table))?;
    Ok(buffer)
}
