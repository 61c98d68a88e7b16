//! The buffers that a pass works in: activations of branches and tokens, and scratch for materialized weights.

use super::adapter::Adapter;
use super::packed::Packed;
use super::relative::{Relative, RelativePositions};
use super::rotary::Rotary;
use super::spec::{Attention, LayerSpec, Mlp, Projection};
use super::weights::{Matrix, Weights};
use crate::dtype::DType;
use crate::error::Result;
use crate::gemm::Choice;
use crate::gpu::{Backend, Buffer, MemoryClass};
use crate::kernel::panels::{self, PANEL};

/// Maximum bytes of branch weights that are materialized at a time. Larger matrices are processed in blocks of rows.
const SCRATCH_BYTES: u64 = 24 << 20;

/// Bytes of panels for an adapter's factors or label words, which are packed in groups of columns.
const PANEL_BYTES: u64 = 1 << 20;

/// Maximum bytes of logits that are held at a time.
const LOGITS_BYTES: u64 = 8 << 20;

/// The size of a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Number of branches.
    pub branches: u32,
    /// Tokens of each branch.
    pub tokens: u32,
    /// Target rows of each branch.
    pub targets: u32,
    /// Label words.
    pub labels: u32,
}

impl Extent {
    /// The smallest extent: enough to apply updates without a pass.
    pub fn least() -> Extent {
        Extent { branches: 1, tokens: 1, targets: 1, labels: 0 }
    }

    /// The smallest extent that is large enough for both.
    pub fn union(self, other: Extent) -> Extent {
        Extent {
            branches: self.branches.max(other.branches),
            tokens: self.tokens.max(other.tokens),
            targets: self.targets.max(other.targets),
            labels: self.labels.max(other.labels),
        }
    }
}

/// The required size of a workspace in which passes of several extents run one after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    branches: u32,
    tokens: u32,
    targets: u32,
    labels: u32,
    /// Tokens of all branches together. The single branch of an evaluation may have more tokens than one branch of a step, but
    /// fewer than all of them together.
    rows: u64,
    /// Target rows of all branches together.
    scored: u64,
    /// Label words of all branches together.
    labeled: u64,
    /// The number of positions that tokens may have, not counting those of a prefix.
    positions: u32,
}

impl Capacity {
    /// The same capacity, for a text with `positions` tokens, most of which are cached.
    pub fn with_positions(self, positions: u32) -> Capacity {
        Capacity { positions: self.positions.max(positions), ..self }
    }

    /// The smallest capacity that is large enough for both.
    pub fn union(self, other: Capacity) -> Capacity {
        Capacity {
            branches: self.branches.max(other.branches),
            tokens: self.tokens.max(other.tokens),
            targets: self.targets.max(other.targets),
            labels: self.labels.max(other.labels),
            rows: self.rows.max(other.rows),
            scored: self.scored.max(other.scored),
            labeled: self.labeled.max(other.labeled),
            positions: self.positions.max(other.positions),
        }
    }
}

impl From<Extent> for Capacity {
    /// Rounds up, so that batches of about the same size share a workspace.
    fn from(extent: Extent) -> Capacity {
        let round = |n: u32| n.max(1).next_multiple_of(64);
        let (branches, tokens, targets) =
            (extent.branches.max(1), round(extent.tokens), round(extent.targets));
        let labels = extent.labels.max(1).next_multiple_of(4);
        let of_all = |n: u32| u64::from(branches) * u64::from(n);
        let (rows, scored, labeled) = (of_all(tokens), of_all(targets), of_all(labels));
        Capacity { branches, tokens, targets, labels, rows, scored, labeled, positions: tokens }
    }
}

/// Buffers for passes up to a given size.
pub struct Workspace {
    /// The size of the passes that fit.
    pub capacity: Capacity,
    /// Hidden states `[branch, token, hidden]`.
    pub hidden: Buffer,
    /// Normalized hidden states that a sublayer reads, or a sublayer's output `[branch, token, hidden]`.
    pub normed: Buffer,
    /// Queries, keys, values `[branch, token, (heads + 2 kv_heads) head_dim]`, or the inputs of a convolution `[branch, token, 3 hidden]`.
    pub qkv: Buffer,
    /// The output of attention `[branch, token, heads * head_dim]`, or of a convolution `[branch, token, hidden]`.
    pub attended: Buffer,
    /// The MLP's intermediate `[branch, token, intermediate]`, twice as wide for a GLU. During attention, if it is disentangled, the
    /// queries and keys of distances.
    pub wide: Buffer,
    /// The product of a GLU `[branch, token, intermediate]`.
    pub glu: Option<Buffer>,
    /// Norms and biases as each branch sees them `[branch, stride]`, if they are trained.
    pub norms_and_biases: Option<Buffer>,
    /// The adapter's trained tensors as each branch sees them `[branch, stride]`.
    pub adapter: Option<Buffer>,
    /// The product with the first of an adapter's two factors `[branch, row, rank]`.
    pub inner: Buffer,
    /// A block of a matrix's rows, as each branch sees it.
    pub scratch: Buffer,
    /// The packed operands of a matmul, for tiles that read packed operands.
    pub panels: Option<Buffer>,
    /// Target rows `[branch, target, hidden]`, and their transform by the head `[branch, target, width of the table]`.
    pub gathered: Buffer,
    /// Target rows after the head's dense layer or its projection `[branch, target, width of the table]`.
    pub transformed: Buffer,
    /// Logits of a block of the vocabulary `[branch, target, block]`.
    pub logits: Buffer,
    /// The state of a cross-entropy or a sampling over blocks of the vocabulary `[branch, target]` x 4.
    pub state: Buffer,
    /// Cross-entropy `[branch, target]`.
    pub losses: Buffer,
    /// The best label or token `[branch, target]`.
    pub predictions: Buffer,
    /// Mean cross-entropy `[branch]`.
    pub mean: Buffer,
    /// Token ids `[token]`.
    pub ids: Buffer,
    /// Positions `[token]`, with a learned table's offset.
    pub positions: Buffer,
    /// Types of tokens `[token]`: rows of the type table.
    pub types: Buffer,
    /// Task types of tokens `[token]`, all 0, if the model has a table of them.
    pub tasks: Option<Buffer>,
    /// For each window of attention or of a convolution, the range of tokens that each token sees `[token]` x 2: first and end.
    pub spans: Vec<(Option<u32>, Buffer)>,
    /// Target rows `[target]`.
    pub target_rows: Buffer,
    /// Target labels or tokens `[target]`.
    pub target_labels: Buffer,
    /// The token range of each pooled sequence `[target]` x 2: first and end.
    pub ranges: Buffer,
    /// The token of each label word `[label]`.
    pub label_ids: Buffer,
    /// Rows of the head's table for the label words `[branch, label, width of the table]`.
    pub label_rows: Buffer,
    /// The step's parameters ([`crate::kernel::step::Step`]).
    pub step: Buffer,
    /// The step without its pending updates, for layers whose weights an earlier layer of the pass has updated.
    pub step_without_updates: Option<Buffer>,
    /// The buffers of each kind of rotary positions in the model.
    pub rotations: Vec<Rotation>,
    /// The buffers of relative positions, if the model has them.
    pub relative: Option<Relative>,
    /// Token rows before they are projected to the hidden width.
    pub projected: Option<Projected>,
    /// Queries, keys and values before their heads are reordered.
    pub by_head: Option<ByHead>,
}

/// The rotations of one kind of rotary positions.
pub struct Rotation {
    /// The kind.
    pub rotary: Rotary,
    /// Cos and sin of each position and pair `[row, dim / 2]` x 2. If long sequences have other frequencies, their rows follow.
    pub table: Buffer,
    /// Rows of the table for short sequences.
    pub rows: u32,
    /// Row of the table for each token `[token]`, if it differs from the position.
    pub positions: Option<Buffer>,
}

/// Token rows that are narrower or wider than the hidden states.
pub struct Projected {
    /// `[branch, token, width]`.
    pub rows: Buffer,
    /// The rows after normalization, if the norm comes before the projection.
    pub normed: Option<Buffer>,
}

/// The product with a matrix that has queries, keys and values head by head.
pub struct ByHead {
    /// `[branch, token, (heads + 2 kv_heads) head_dim]`.
    pub values: Buffer,
    /// For each head in the order of [`Workspace::qkv`], its index in `values` `[token, heads + 2 kv_heads]`.
    pub picks: Buffer,
}

impl Workspace {
    /// Allocates a workspace for a model and its adapter.
    ///
    /// # Errors
    /// `limit-exceeded` naming the activation that would not fit.
    pub fn new(
        backend: &dyn Backend,
        weights: &Weights,
        adapter: Option<&Adapter>,
        tiles: Choice,
        capacity: Capacity,
    ) -> Result<Workspace> {
        let spec = weights.spec();
        let Capacity { branches, tokens, targets, labels, rows, scored, labeled, positions } = capacity;
        let activation =
            |name: &str, elements: u64| backend.create(name, elements * 4, MemoryClass::Activations);
        let glu = spec.layers.iter().any(|layer| matches!(layer.mlp, Mlp::Glu { .. }));
        let intermediate = u64::from(spec.intermediate);
        let hidden = u64::from(spec.hidden);
        // Without a head, nothing is scored.
        let table_width = spec.head.as_ref().map_or(0, |head| spec.tensors.as_slice()[head.table].width);
        let table_width = u64::from(table_width);
        let prefix = adapter.map_or(0, Adapter::prefix_length);
        let positions = positions.saturating_add(prefix).min(spec.max_length);
        let mut rotations: Vec<Rotation> = Vec::new();
        let mut spans: Vec<(Option<u32>, Buffer)> = Vec::new();
        for layer in &spec.layers {
            if let Some(Attention { rotary: Some(rotary), .. }) = layer.attention()
                && rotations.iter().all(|known| known.rotary != *rotary)
            {
                let own = rotary.long_beyond().is_some_and(|length| positions > length);
                rotations.push(Rotation {
                    rotary: rotary.clone(),
                    table: rotation(backend, positions, rotary)?,
                    rows: positions,
                    positions: own.then(|| activation("rotary positions", u64::from(tokens))).transpose()?,
                });
            }
            let window = layer.mixer.window();
            if spans.iter().all(|(known, _)| *known != window) {
                spans.push((window, activation("spans", u64::from(tokens) * 2)?));
            }
        }
        let embedding = &spec.embedding;
        let projected = match embedding.projection {
            Some(projection) => {
                let rows = |name| activation(name, rows * u64::from(projection.width));
                let normed = embedding.norm.is_some() && embedding.projected_last;
                Some(Projected {
                    rows: rows("token rows")?,
                    normed: normed.then(|| rows("normalized token rows")).transpose()?,
                })
            }
            None => None,
        };
        let buffers_of = |relative: RelativePositions| {
            let width = spec.tensors.as_slice()[relative.table()].width;
            Relative::new(backend, [branches, positions, width])
        };
        let relative = embedding.relative.map(buffers_of).transpose()?;
        let distances = embedding.relative.map_or(0, |relative| relative.projected_rows(branches, positions));
        let is_by_head = |layer: &LayerSpec| {
            layer.attention().is_some_and(|attention| attention.projection == Projection::ByHead)
        };
        let by_head = match spec.layers.iter().any(is_by_head) {
            true => Some(ByHead {
                values: activation("heads", rows * u64::from(spec.qkv_width()))?,
                picks: head_picks(backend, spec.heads, tokens)?,
            }),
            false => None,
        };
        let of_branches = |packed: &Packed, name: &str| {
            let bytes = u64::from(branches) * u64::from(packed.stride()) * 4;
            packed.is_trained().then(|| backend.create(name, bytes, MemoryClass::Scratch)).transpose()
        };
        // Rows that pass through an adapter's factors: tokens, targets, label words or distances.
        let inner =
            rows.max(scored).max(labeled).max(distances) * u64::from(adapter.map_or(0, Adapter::rank));
        let wide =
            (rows * intermediate * if glu { 2 } else { 1 }).max(distances * 2 * u64::from(spec.q_width()));
        let full = scored * u64::from(spec.vocabulary.max(labels)) * 4;
        let logits = full.min(LOGITS_BYTES.max(scored * 16 * u64::from(labels.div_ceil(4))));
        Ok(Workspace {
            capacity,
            hidden: activation("hidden", rows * hidden)?,
            normed: activation("normed", rows * hidden)?,
            qkv: activation("qkv", rows * u64::from(spec.projected_width()))?,
            attended: activation("attended", rows * u64::from(spec.mixed_width()))?,
            wide: activation("wide", wide)?,
            glu: if glu { Some(activation("glu", rows * intermediate)?) } else { None },
            norms_and_biases: of_branches(weights.norms_and_biases(), "norms and biases of branches")?,
            adapter: adapter.map_or(Ok(None), |a| of_branches(&a.trained, "adapter of branches"))?,
            inner: activation("between factors", inner)?,
            scratch: backend.create(
                "branch weights",
                scratch(weights, branches, tiles),
                MemoryClass::Scratch,
            )?,
            panels: if tiles.packs() {
                Some(activation("panels", panel_bytes(weights, capacity, distances) / 4)?)
            } else {
                None
            },
            gathered: activation("targets", scored * hidden.max(table_width))?,
            transformed: activation("transformed targets", scored * hidden.max(table_width))?,
            logits: activation("logits", logits / 4)?,
            state: activation("cross-entropy", scored * 4)?,
            losses: activation("losses", scored)?,
            predictions: activation("predictions", scored)?,
            mean: activation("mean loss", u64::from(branches))?,
            ids: activation("ids", u64::from(tokens))?,
            positions: activation("positions", u64::from(tokens))?,
            types: activation("types", u64::from(tokens))?,
            tasks: embedding.tasks.map(|_| activation("task types", u64::from(tokens))).transpose()?,
            spans,
            target_rows: activation("target rows", u64::from(targets))?,
            target_labels: activation("target labels", u64::from(targets))?,
            ranges: activation("pooled tokens", u64::from(targets) * 2)?,
            label_ids: activation("label ids", u64::from(labels))?,
            label_rows: activation("label rows", labeled * table_width)?,
            step: backend.create("step", crate::kernel::step::MAX_BYTES, MemoryClass::Transfer)?,
            step_without_updates: (0..spec.layers.len())
                .any(|layer| spec.repeats(layer))
                .then(|| {
                    let bytes = crate::kernel::step::BYTES_WITHOUT_UPDATES;
                    backend.create("step without updates", bytes, MemoryClass::Transfer)
                })
                .transpose()?,
            rotations,
            relative,
            projected,
            by_head,
        })
    }

    /// The number of positions that tokens may have, not counting those of a prefix.
    pub(super) fn positions(&self) -> u32 {
        self.capacity.positions
    }

    /// Whether a pass of this extent can run in it.
    pub fn fits(&self, extent: Extent) -> bool {
        self.capacity.union(extent.into()) == self.capacity
    }
}

/// Bytes of panels: for a matmul's whole input, and for some columns of weights that are not materialized. `distances` is the number
/// of rows of distances.
fn panel_bytes(weights: &Weights, capacity: Capacity, distances: u64) -> u64 {
    let widest = weights.matrices().map(|matrix| matrix.width).max().unwrap_or(0);
    // A branch's rows are padded to whole panels, and the capacity is already rounded up to more than that.
    let input = capacity.rows.max(capacity.scored).max(distances) * u64::from(widest) * 4;
    input + 256 + panels::bytes(1, widest, capacity.branches).max(PANEL_BYTES)
}

/// Bytes of the scratch for the copies of a matrix that branches need, whole or in blocks of at least a panel's rows.
fn scratch(weights: &Weights, branches: u32, tiles: Choice) -> u64 {
    let of = |matrix: &Matrix| {
        // An evaluation needs one copy, unless the weights are f32 and are read directly.
        let copied = matrix.dtype != DType::F32 || tiles.packs();
        let copies = u64::from(if matrix.trained { branches } else { copied.into() });
        let row = u64::from(matrix.width) * 4;
        let whole = copies * (u64::from(matrix.rows.next_multiple_of(PANEL)) * row + 16);
        whole.min(SCRATCH_BYTES.max(copies * (u64::from(PANEL) * row + 16)))
    };
    weights.matrices().map(of).max().unwrap_or(16)
}

/// The indices of heads in the order of queries, keys, values, where they are stored as query, key and value of each head in turn.
fn head_picks(backend: &dyn Backend, heads: u32, tokens: u32) -> Result<Buffer> {
    let of_token = |token: u32| {
        (0..3).flat_map(move |part| (0..heads).map(move |head| (token * heads + head) * 3 + part))
    };
    let picks: Vec<u32> = (0..tokens).flat_map(of_token).collect();
    let buffer = backend.create("order of heads", picks.len() as u64 * 4, MemoryClass::Activations)?;
    backend.write(&buffer, 0, bytemuck::cast_slice(&picks))?;
    Ok(buffer)
}

/// Writes the table of rotations to the device.
fn rotation(backend: &dyn Backend, positions: u32, rotary: &Rotary) -> Result<Buffer> {
    let table = rotary.table(positions);
    let buffer = backend.create("rotation", table.len() as u64 * 8, MemoryClass::Activations)?;
    backend.write(&buffer, 0, bytemuck::cast_slice(&table))?;
    Ok(buffer)
}
