//! The transformer: records a pass, from tokens to the hidden states of the last layer, and applies updates.

use std::rc::Rc;

use super::adapter::{Adapter, Pair};
use super::linear::Target;
use super::spec::{LayerSpec, Mlp, ModelSpec, Norm, NormKind, Positions, TensorId};
use super::weights::{LoadProgress, Weights};
use super::workspace::{Extent, Workspace};
use crate::error::{Result, bail};
use crate::format::checkpoint::Checkpoint;
use crate::gpu::{Backend, Buffer, Recording, Tuning};
use crate::kernel::step::Step;
use crate::kernel::tiles::Choice;
use crate::kernel::{
    NO_VECTOR, append_rows, attention, embedding, gated, layer_norm, lookup, rms_norm, rotary,
};

/// Packed tokens: sequences laid end to end.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Token ids `[token]`.
    pub ids: &'a [u32],
    /// Place of each token in its sequence `[token]`, from 0.
    pub positions: &'a [u32],
    /// Where each sequence begins, and where the last ends `[sequences + 1]`.
    pub cu_seqlens: &'a [u32],
}

/// Keys and values of the tokens so far, for each layer.
pub struct KvCache {
    /// `[capacity, 2 * kv_heads * head_dim]` a layer.
    layers: Vec<Buffer>,
    /// Tokens in it.
    pub(super) length: u32,
    /// Tokens that fit.
    pub(super) capacity: u32,
}

/// What a pass runs over.
pub(super) struct Pass<'a> {
    /// Branches of the step.
    pub branches: u32,
    /// Tokens of each branch.
    pub tokens: u32,
    /// One branch that sees the stored weights as they are: they are bound directly.
    pub plain: bool,
    /// Pairs of a token and a key that it sees.
    pub visible: u64,
    /// Keys and values of earlier tokens, and where this pass's go.
    pub cache: Option<&'a KvCache>,
}

impl Pass<'_> {
    /// Of an input through so many branches; plain where they see the stored weights.
    pub(super) fn new(input: &Input<'_>, branches: u32, plain: bool) -> Self {
        // Of causal attention about half: close enough to budget submits by.
        let visible = input.cu_seqlens.windows(2).map(|s| u64::from(s[1] - s[0]).pow(2)).sum();
        Pass { branches, tokens: input.ids.len() as u32, plain, visible, cache: None }
    }
}

/// A model on a backend, ready to run.
pub struct Transformer {
    backend: Rc<dyn Backend>,
    weights: Weights,
    adapter: Option<Adapter>,
    tiles: Choice,
}

impl Transformer {
    /// Of loaded weights.
    pub fn new(backend: Rc<dyn Backend>, weights: Weights) -> Self {
        let tiles = Choice::untuned(&backend.limits());
        Transformer { backend, weights, adapter: None, tiles }
    }

    /// The model's description.
    pub fn spec(&self) -> &ModelSpec {
        self.weights.spec()
    }

    /// The stored weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Chooses the tensors that branches and updates change. Workspaces made before no longer fit.
    ///
    /// # Errors
    /// Those of [`Weights::train`].
    pub fn train(&mut self, trained: &dyn Fn(TensorId) -> bool) -> Result<()> {
        self.weights.train(self.backend.as_ref(), trained)
    }

    /// Keys and values of a text, as a prefix holds them: for each layer keys `[token, kv_heads * head_dim]`, then values.
    ///
    /// # Errors
    /// `invalid-argument` for tokens that the model does not have; those of the backend.
    pub async fn keys_and_values(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let tokens = ids.len() as u32;
        let positions: Vec<u32> = (0..tokens).collect();
        let input = Input { ids, positions: &positions, cu_seqlens: &[0, tokens] };
        let ws = self.workspace(None, Extent { tokens, ..Extent::least() })?;
        let cache = self.cache(tokens)?;
        self.write_input(&ws, &input, &Step::plain(), 0)?;
        let pass = Pass { cache: Some(&cache), ..Pass::new(&input, 1, true) };
        let mut r = self.recording(&ws);
        self.record_hidden(&mut r, &ws, &pass)?;
        self.backend.run(&r).await?;
        let width = (self.spec().kv_heads * self.spec().head_dim) as usize;
        let mut values = Vec::new();
        for layer in &cache.layers {
            let bytes = self.backend.read(layer, 0, u64::from(tokens) * 2 * width as u64 * 4).await?;
            let rows: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
            for part in 0..2 {
                values.extend(
                    rows.chunks_exact(2 * width).flat_map(|row| &row[part * width..(part + 1) * width]),
                );
            }
        }
        Ok(values)
    }

    /// How matmuls are cut: what sums depend on in their last bits, so that a run is resumed with the choice it began with.
    pub fn tiles(&self) -> Choice {
        self.tiles
    }

    /// Chooses how matmuls are cut. Workspaces made before may lack the scratch for it.
    pub fn set_tiles(&mut self, tiles: Choice) {
        self.tiles = tiles;
    }

    /// An empty recording, cut as chosen.
    pub(super) fn recording(&self, ws: &Workspace) -> Recording {
        Recording::tuned(Tuning {
            tiles: self.tiles.tiles,
            attention_in_registers: self.tiles.attention_in_registers,
            panels: ws.panels.clone(),
        })
    }

    /// What stands beside the weights.
    pub fn adapter(&self) -> Option<&Adapter> {
        self.adapter.as_ref()
    }

    /// Puts an adapter beside the weights, or takes it away. Workspaces made before no longer fit.
    pub fn set_adapter(&mut self, adapter: Option<Adapter>) {
        self.adapter = adapter;
    }

    pub(super) fn pair(&self, matrix: TensorId) -> Option<&Pair> {
        self.adapter.as_ref().and_then(|adapter| adapter.pair(matrix))
    }

    /// Loads the base weights again, over trained ones.
    ///
    /// # Errors
    /// As [`Weights::load`].
    pub async fn reload(
        &mut self,
        checkpoint: &Checkpoint,
        progress: &mut dyn FnMut(LoadProgress) -> Result<()>,
    ) -> Result<()> {
        self.weights.fill(self.backend.as_ref(), checkpoint, progress).await
    }

    /// What it runs on.
    pub fn backend(&self) -> &dyn Backend {
        self.backend.as_ref()
    }

    /// A workspace for passes of this extent, grown from `old` where that is too small.
    ///
    /// # Errors
    /// Those of [`Workspace::new`].
    pub fn workspace(&self, old: Option<Workspace>, extent: Extent) -> Result<Workspace> {
        let room = match old {
            Some(old) if old.fits(extent) => return Ok(old),
            // The old one is given back first: the two need not fit side by side.
            Some(old) => old.room.union(extent.into()),
            None => extent.into(),
        };
        Workspace::new(self.backend(), &self.weights, self.adapter(), self.tiles, room)
    }

    /// An empty key/value cache for `capacity` tokens.
    ///
    /// # Errors
    /// `limit-exceeded`.
    pub fn cache(&self, capacity: u32) -> Result<KvCache> {
        let spec = self.spec();
        let bytes = u64::from(capacity) * u64::from(2 * spec.kv_heads * spec.head_dim) * 4;
        let layers = (0..spec.layers.len())
            .map(|i| {
                let name = format!("keys and values {i}");
                self.backend.create(&name, bytes, crate::gpu::MemoryClass::Activations)
            })
            .collect::<Result<_>>()?;
        Ok(KvCache { layers, length: 0, capacity })
    }

    /// Puts a pass's input and step into the workspace.
    ///
    /// # Errors
    /// `invalid-argument` when a token is not of the vocabulary or a sequence is too long.
    pub fn write_input(
        &self,
        workspace: &Workspace,
        input: &Input<'_>,
        step: &Step,
        cached: u32,
    ) -> Result<()> {
        let spec = self.spec();
        if let Some(id) = input.ids.iter().find(|id| **id >= spec.vocabulary) {
            bail!(InvalidArgument, "token {id} is not of the vocabulary of {}", spec.vocabulary);
        }
        let room = self.room();
        if let Some(position) = input.positions.iter().find(|p| **p >= room) {
            bail!(InvalidArgument, "position {position} is beyond the {room} that the model has");
        }
        let offset = match spec.positions {
            Positions::Learned { offset, .. } => offset,
            Positions::Rotary { .. } => 0,
        };
        let offset = offset + self.adapter().map_or(0, Adapter::prefix_length);
        let positions: Vec<u32> = input.positions.iter().map(|p| p + offset).collect();
        let mut spans = Vec::with_capacity(input.ids.len());
        for bounds in input.cu_seqlens.windows(2) {
            for token in bounds[0]..bounds[1] {
                let end = if spec.causal { cached + token + 1 } else { bounds[1] };
                spans.push([bounds[0], end]);
            }
        }
        let backend = self.backend();
        backend.write(&workspace.ids, 0, bytemuck::cast_slice(input.ids))?;
        backend.write(&workspace.positions, 0, bytemuck::cast_slice(&positions))?;
        backend.write(&workspace.spans, 0, bytemuck::cast_slice(&spans))?;
        backend.write(&workspace.step, 0, &step.to_bytes())
    }

    /// The longest sequence beside the prefix, if there is one.
    pub fn room(&self) -> u32 {
        self.spec().max_length - self.adapter().map_or(0, Adapter::prefix_length)
    }

    /// Records the vectors of the branches, embedding and layers. Returns the buffer that the last hidden states end in.
    pub(super) fn record_hidden<'w>(
        &self,
        r: &mut Recording,
        ws: &'w Workspace,
        pass: &Pass<'_>,
    ) -> Result<&'w Buffer> {
        let spec = self.spec();
        let (mut x, mut other) = (&ws.hidden, &ws.normed);
        if !pass.plain {
            self.record_packed(r, ws, pass.branches);
        }
        self.record_embedding(r, ws, pass, x)?;
        if let Some(norm) = &spec.embedding_norm {
            self.norm(r, ws, pass, pass.tokens, norm, x, other)?;
            std::mem::swap(&mut x, &mut other);
        }
        for (index, layer) in spec.layers.iter().enumerate() {
            for sublayer in [Sublayer::Attention, Sublayer::Mlp] {
                let norm = match sublayer {
                    Sublayer::Attention => &layer.attention_norm,
                    Sublayer::Mlp => &layer.mlp_norm,
                };
                let input = if spec.pre_norm {
                    self.norm(r, ws, pass, pass.tokens, norm, x, other)?;
                    other
                } else {
                    x
                };
                // Onto the residual stream.
                let onto = Target { added: 1.0, ..Target::new(x, spec.hidden) };
                match sublayer {
                    Sublayer::Attention => self.record_attention(r, ws, pass, index, layer, input, onto)?,
                    Sublayer::Mlp => self.record_mlp(r, ws, pass, &layer.mlp, input, onto)?,
                }
                if !spec.pre_norm {
                    self.norm(r, ws, pass, pass.tokens, norm, x, other)?;
                    std::mem::swap(&mut x, &mut other);
                }
            }
        }
        if let Some(norm) = &spec.final_norm {
            self.norm(r, ws, pass, pass.tokens, norm, x, other)?;
            return Ok(other);
        }
        Ok(x)
    }

    /// x = token + position + type, as each branch sees the tables.
    fn record_embedding(&self, r: &mut Recording, ws: &Workspace, pass: &Pass<'_>, x: &Buffer) -> Result<()> {
        let spec = self.spec();
        self.record_rows(r, ws, pass, spec.token_table, &ws.ids, pass.tokens, x, false)?;
        if let Some(table) = spec.type_table {
            self.record_rows(r, ws, pass, table, &ws.types, pass.tokens, x, true)?;
        }
        if let Positions::Learned { table, .. } = spec.positions {
            self.record_rows(r, ws, pass, table, &ws.positions, pass.tokens, x, true)?;
        }
        Ok(())
    }

    /// Rows of a table as each branch sees them: `y[b, i, :] (+)= table_b[ids[i], :]`.
    #[expect(clippy::too_many_arguments, reason = "a table, what to look up, and where it goes")]
    pub(super) fn record_rows(
        &self,
        r: &mut Recording,
        ws: &Workspace,
        pass: &Pass<'_>,
        table: TensorId,
        ids: &Buffer,
        count: u32,
        y: &Buffer,
        accumulate: bool,
    ) -> Result<()> {
        let table = self.weights.matrix(table)?;
        for part in &table.parts {
            if pass.plain || !table.trained {
                let params = lookup::Params {
                    tokens: count,
                    width: table.width,
                    branches: pass.branches,
                    first_row: part.first_row,
                    rows: part.rows,
                    accumulate: accumulate.into(),
                };
                lookup::record(r, table.dtype, &params, &part.buffer, ids, y);
                continue;
            }
            let params = embedding::Params {
                tokens: count,
                width: table.width,
                branches: pass.branches,
                ordinal: table.id as u32,
                decays: 1,
                first_row: part.first_row,
                rows: part.rows,
                accumulate: accumulate.into(),
            };
            embedding::record(r, table.dtype, &params, &ws.step, &part.buffer, ids, y);
        }
        if let Some(pair) = self.pair(table.id) {
            self.record_pair_rows(r, ws, pass, pair, ids, count, y, table.width);
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the pass, the layer, and where it reads and writes")]
    fn record_attention(
        &self,
        r: &mut Recording,
        ws: &Workspace,
        pass: &Pass<'_>,
        index: usize,
        layer: &LayerSpec,
        input: &Buffer,
        output: Target<'_>,
    ) -> Result<()> {
        let spec = self.spec();
        let (q_width, kv_width) = (spec.heads * spec.head_dim, spec.kv_heads * spec.head_dim);
        let stride = spec.qkv_width();
        let qkv = |column| Target { column, ..Target::new(&ws.qkv, stride) };
        self.record_linear(r, ws, pass, pass.tokens, &layer.query, input, qkv(0))?;
        self.record_linear(r, ws, pass, pass.tokens, &layer.key, input, qkv(q_width))?;
        self.record_linear(r, ws, pass, pass.tokens, &layer.value, input, qkv(q_width + kv_width))?;
        if let Some(rotation) = &ws.rotation {
            let params = rotary::Params {
                rows: pass.branches * pass.tokens,
                tokens: pass.tokens,
                stride,
                heads: spec.heads + spec.kv_heads,
                head_dim: spec.head_dim,
            };
            rotary::record(r, &ws.qkv, rotation, &ws.positions, params);
        }
        let mut params = attention::Params {
            tokens: pass.tokens,
            heads: spec.heads,
            kv_heads: spec.kv_heads,
            q_stride: stride,
            kv_rows: pass.tokens,
            kv_stride: stride,
            k_column: q_width,
            v_column: q_width + kv_width,
            scale: 1.0 / (spec.head_dim as f32).sqrt(),
            ..Default::default()
        };
        // Where there is no prefix, any buffer does.
        let mut prefix = &ws.qkv;
        if let Some((rows, key, value)) = self.adapter().and_then(|adapter| adapter.prefix(index))
            && let Some(stored) = self.factor(ws, pass, key)
        {
            prefix = stored.buffer;
            params.prefix_rows = rows;
            params.prefix_stride = stored.branch;
            params.prefix_key = key.first;
            params.prefix_value = value.first;
        }
        let mut key_value = &ws.qkv;
        if let Some(cache) = pass.cache {
            let appended = append_rows::Params {
                rows: pass.tokens,
                width: 2 * kv_width,
                stride,
                column: q_width,
                first_row: cache.length,
            };
            key_value = &cache.layers[index];
            append_rows::record(r, &ws.qkv, key_value, appended);
            params.kv_rows = cache.capacity;
            params.kv_stride = 2 * kv_width;
            params.k_column = 0;
            params.v_column = kv_width;
        }
        let shape =
            attention::Shape { branches: pass.branches, head_dim: spec.head_dim, visible: pass.visible };
        let tensors =
            attention::Tensors { query: &ws.qkv, key_value, spans: &ws.spans, prefix, output: &ws.attended };
        attention::record(r, tensors, shape, params)?;
        self.record_linear(r, ws, pass, pass.tokens, &layer.output, &ws.attended, output)
    }

    fn record_mlp(
        &self,
        r: &mut Recording,
        ws: &Workspace,
        pass: &Pass<'_>,
        mlp: &Mlp,
        input: &Buffer,
        output: Target<'_>,
    ) -> Result<()> {
        let spec = self.spec();
        let width = spec.intermediate;
        let rows = pass.branches * pass.tokens;
        match mlp {
            Mlp::Plain { up, activation, down } => {
                let wide = Target { activation: Some(*activation), ..Target::new(&ws.wide, width) };
                self.record_linear(r, ws, pass, pass.tokens, up, input, wide)?;
                self.record_linear(r, ws, pass, pass.tokens, down, &ws.wide, output)
            }
            Mlp::Gated { gate, up, activation, down } => {
                let Some(product) = &ws.gated else {
                    bail!(InvalidArgument, "the workspace has no room for a gated MLP");
                };
                let wide = |column| Target { column, ..Target::new(&ws.wide, 2 * width) };
                self.record_linear(r, ws, pass, pass.tokens, gate, input, wide(0))?;
                self.record_linear(r, ws, pass, pass.tokens, up, input, wide(width))?;
                gated::record(r, *activation, &ws.wide, product, gated::Params { rows, width });
                self.record_linear(r, ws, pass, pass.tokens, down, product, output)
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a norm, the rows, and where they are")]
    pub(super) fn norm(
        &self,
        r: &mut Recording,
        ws: &Workspace,
        pass: &Pass<'_>,
        rows: u32,
        norm: &Norm,
        x: &Buffer,
        y: &Buffer,
    ) -> Result<()> {
        let weight = self.weights.vector(norm.weight)?;
        let bias = self.bias(norm.bias)?;
        let vectors = self.vectors_of(ws, pass);
        let (width, vector_stride) = (self.spec().hidden, vectors.stride);
        match norm.kind {
            NormKind::Layer { eps } => {
                let params = layer_norm::Params {
                    rows: pass.branches * rows,
                    rows_per_branch: rows,
                    width,
                    weight,
                    bias,
                    vector_stride,
                    epsilon: eps,
                };
                layer_norm::record(r, x, vectors.buffer, y, params);
            }
            NormKind::Rms { eps } => {
                let params = rms_norm::Params {
                    rows: pass.branches * rows,
                    rows_per_branch: rows,
                    width,
                    weight,
                    vector_stride,
                    epsilon: eps,
                };
                rms_norm::record(r, x, vectors.buffer, y, params);
            }
        }
        Ok(())
    }

    pub(super) fn bias(&self, id: Option<TensorId>) -> Result<u32> {
        id.map_or(Ok(NO_VECTOR), |id| self.weights.vector(id))
    }
}

enum Sublayer {
    Attention,
    Mlp,
}
