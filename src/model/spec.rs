//! The declarative description of a transformer: the content of `config.json` in one vocabulary for all families.
//!
//! A spec is created by a family ([`super::family`]) and read by the transformer, which knows nothing about families.

use super::classifier::ClassifierSpec;
pub use super::mixer::{Attention, Convolution, Mixer, Projection};
use super::pooling::Pooling;
use super::relative::RelativePositions;
use super::tensors::{Linear, Norm, TensorId, TensorList, TensorSpec};
use crate::error::{Error, Result};
pub use crate::kernel::activation::Activation;

/// Learned positions that are added to the embedding: row = position + offset.
#[derive(Clone, Copy, Debug)]
pub struct LearnedPositions {
    /// The table `[positions, hidden]`.
    pub table: TensorId,
    /// Rows before position 0.
    pub offset: u32,
    /// A padding token that takes no position: its row is the one before position 0, and later tokens continue counting without it.
    pub padding: Option<u32>,
}

/// The feed-forward part of a layer.
#[derive(Clone, Copy, Debug)]
pub enum Mlp {
    /// down(act(up(x))).
    Plain {
        /// Projects to the intermediate width.
        up: Linear,
        /// The nonlinearity.
        activation: Activation,
        /// Projects back to the hidden width.
        down: Linear,
    },
    /// down(act(gate(x)) * up(x)), a gated linear unit (Shazeer 2020, arXiv 2002.05202).
    Glu {
        /// Projects to the intermediate width, followed by the nonlinearity.
        gate: Linear,
        /// Projects to the intermediate width.
        up: Linear,
        /// Whether both are computed together, as the rows of one matrix: first those of `gate`, then those of `up`.
        together: bool,
        /// The nonlinearity.
        activation: Activation,
        /// Projects back to the hidden width.
        down: Linear,
    },
}

/// The optional norms around a sublayer f: x = residual(x + scale * output(f(input(x)))).
#[derive(Clone, Copy, Debug)]
pub struct Norms {
    /// Applied to the input of the sublayer.
    pub input: Option<Norm>,
    /// Applied to the output of the sublayer, before it is added to the residual stream.
    pub output: Option<Norm>,
    /// Applied to the residual stream after the sublayer's output has been added.
    pub residual: Option<Norm>,
    /// The factor of the sublayer's output before it is added to the residual stream.
    pub scale: f32,
}

impl Default for Norms {
    /// No norms, and unscaled outputs.
    fn default() -> Norms {
        Norms { input: None, output: None, residual: None, scale: 1.0 }
    }
}

impl Norms {
    /// Pre-norm: x + f(norm(x)).
    pub fn pre(norm: Norm) -> Norms {
        Norms { input: Some(norm), ..Norms::default() }
    }

    /// Post-norm: norm(x + f(x)).
    pub fn post(norm: Norm) -> Norms {
        Norms { residual: Some(norm), ..Norms::default() }
    }
}

/// One layer.
#[derive(Clone, Debug)]
pub struct LayerSpec {
    /// The attention, or what replaces it.
    pub mixer: Mixer,
    /// The norms around the mixer.
    pub mixer_norms: Norms,
    /// The feed-forward part.
    pub mlp: Mlp,
    /// The norms around the feed-forward part.
    pub mlp_norms: Norms,
}

impl LayerSpec {
    /// The linear layers that start within a matrix, not at its first row, with their roles.
    pub fn parts(&self) -> Vec<(&'static str, Linear)> {
        let mut parts = Vec::new();
        if let Some(Attention { projection: Projection::Parts, key, value, .. }) = self.attention() {
            parts.extend([("k", *key), ("v", *value)]);
        }
        if let Mlp::Glu { up, together: false, .. } = self.mlp {
            parts.push(("up", up));
        }
        parts
    }

    /// The attention, if the layer has one.
    pub fn attention(&self) -> Option<&Attention> {
        match &self.mixer {
            Mixer::Attention(attention) => Some(attention),
            Mixer::Convolution(_) => None,
        }
    }

    /// The linear layers with their roles: q, k, v, o, or those of a convolution, then gate, up, down.
    pub fn linears(&self) -> Vec<(&'static str, Linear)> {
        let mut linears = match &self.mixer {
            Mixer::Attention(Attention { query, key, value, output, .. }) => {
                vec![("q", *query), ("k", *key), ("v", *value), ("o", *output)]
            }
            Mixer::Convolution(Convolution { input, output, .. }) => {
                vec![("conv-in", *input), ("conv-out", *output)]
            }
        };
        match self.mlp {
            Mlp::Plain { up, down, .. } => linears.extend([("up", up), ("down", down)]),
            Mlp::Glu { gate, up, down, .. } => linears.extend([("gate", gate), ("up", up), ("down", down)]),
        }
        linears
    }
}

/// The language-modeling task that a model was trained for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadKind {
    /// Predicts the token at a mask.
    MaskedLm,
    /// Predicts the next token.
    CausalLm,
}

impl From<HeadKind> for crate::text::encode::HeadKind {
    fn from(kind: HeadKind) -> Self {
        match kind {
            HeadKind::MaskedLm => Self::MaskedLm,
            HeadKind::CausalLm => Self::CausalLm,
        }
    }
}

/// The transform of a masked-LM head before it scores the vocabulary.
#[derive(Clone, Copy, Debug)]
pub struct HeadTransform {
    /// Projects from the hidden width to the width of the table.
    pub dense: Linear,
    /// The nonlinearity.
    pub activation: Activation,
    /// The norm.
    pub norm: Norm,
}

/// The language-model head, from hidden states to logits.
#[derive(Clone, Copy, Debug)]
pub struct HeadSpec {
    /// The factor applied to the hidden states first.
    pub scale: f32,
    /// Applied before scoring.
    pub transform: Option<HeadTransform>,
    /// Projects from the hidden width to the width of the table.
    pub projection: Option<Linear>,
    /// One row for each token `[vocabulary, width]`; the token embedding if tied.
    pub table: TensorId,
    /// Added to the logits `[vocabulary]`.
    pub bias: Option<TensorId>,
    /// The softcap: logits l become cap * tanh(l / cap).
    pub softcap: Option<f32>,
}

impl HeadSpec {
    /// A head that only multiplies the hidden states by the table.
    pub fn of(table: TensorId) -> HeadSpec {
        HeadSpec { scale: 1.0, transform: None, projection: None, table, bias: None, softcap: None }
    }

    /// The tensors that belong only to the head. A projection is not among them: it belongs to the decoder.
    pub(super) fn own_tensors(&self, embedding: &Embedding) -> Vec<TensorId> {
        let transform = self.transform.iter().flat_map(|transform| {
            let HeadTransform { dense, norm, .. } = transform;
            [Some(dense.weight), dense.bias, norm.weight, norm.bias]
        });
        let table = Some(self.table).filter(|table| *table != embedding.tokens);
        transform.chain([table, self.bias]).flatten().collect()
    }
}

/// The embedding, from token ids to the residual stream.
#[derive(Clone, Copy, Debug)]
pub struct Embedding {
    /// Rows of the tokens `[vocabulary, width]`; the width is the hidden width unless there is a projection.
    pub tokens: TensorId,
    /// The factor of a token's row.
    pub scale: f32,
    /// Projects from the width of a token's row to the hidden width.
    pub projection: Option<Linear>,
    /// Whether the projection is applied last, so that types, positions and the norm have the width of a token's row.
    pub projected_last: bool,
    /// Segment embedding `[types, hidden]`. The second text of a pair may have another type.
    pub types: Option<TensorId>,
    /// A table of task types, of which all tokens have the first.
    pub tasks: Option<TensorId>,
    /// Learned positions.
    pub positions: Option<LearnedPositions>,
    /// Relative positions.
    pub relative: Option<RelativePositions>,
    /// Applied to the sum of the embeddings.
    pub norm: Option<Norm>,
}

impl Embedding {
    /// Token rows without positions, types, or a norm.
    pub fn of(tokens: TensorId) -> Embedding {
        Embedding {
            tokens,
            scale: 1.0,
            projection: None,
            projected_last: false,
            types: None,
            tasks: None,
            positions: None,
            relative: None,
            norm: None,
        }
    }

    /// The tables that rows are looked up in.
    pub fn tables(&self) -> impl Iterator<Item = TensorId> {
        let positions = self.positions.map(|positions| positions.table);
        let relative = self.relative.map(|relative| relative.table());
        [Some(self.tokens), self.types, self.tasks, positions, relative].into_iter().flatten()
    }
}

/// The description of a transformer.
#[derive(Clone, Debug)]
pub struct ModelSpec {
    /// `model_type`.
    pub family: &'static str,
    /// Tokens of the vocabulary.
    pub vocabulary: u32,
    /// Width of the hidden states.
    pub hidden: u32,
    /// Query heads.
    pub heads: u32,
    /// Key and value heads; each serves `heads / kv_heads` query heads.
    pub kv_heads: u32,
    /// Width of a head.
    pub head_dim: u32,
    /// Width of the MLP.
    pub intermediate: u32,
    /// The length of the longest sequence.
    pub max_length: u32,
    /// Whether each token sees only itself and earlier tokens, or all of its sequence.
    pub causal: bool,
    /// The embedding.
    pub embedding: Embedding,
    /// The layers.
    pub layers: Vec<LayerSpec>,
    /// Whether attention and MLP of a layer both read the layer's input: x + attention(norm(x)) + mlp(norm(x)). Otherwise the MLP
    /// reads the residual stream after the attention has been added.
    pub parallel_residual: bool,
    /// Applied to the last layer's output.
    pub final_norm: Option<Norm>,
    /// The language-model head, or why there is none: see [`ModelSpec::head`].
    pub head: Result<HeadSpec>,
    /// The head of transformers' class for text classification; `None` if there is no such class.
    pub classifier: Option<ClassifierSpec>,
    /// All tensors, in canonical order.
    pub tensors: TensorList,
}

impl ModelSpec {
    /// Parameters in all tensors.
    pub fn parameters(&self) -> u64 {
        self.tensors.as_slice().iter().map(TensorSpec::elements).sum()
    }

    /// Whether an earlier layer has the weights of this one, as in ALBERT. Layers share either all or none of their weights.
    pub fn repeats(&self, layer: usize) -> bool {
        let first = |layer: &LayerSpec| layer.linears().first().map(|(_, linear)| linear.weight);
        self.layers[..layer].iter().any(|earlier| first(earlier) == first(&self.layers[layer]))
    }

    /// The linear layers with their roles, layer by layer: see [`LayerSpec::linears`]. Each is listed once.
    pub fn linears(&self) -> Vec<(&'static str, Linear)> {
        let own = self.layers.iter().enumerate().filter(|(index, _)| !self.repeats(*index));
        own.flat_map(|(_, layer)| layer.linears()).collect()
    }

    /// The language-model head.
    ///
    /// # Errors
    /// `model-unsupported` naming a tensor of the head that the checkpoint does not have.
    pub fn head(&self) -> Result<&HeadSpec> {
        self.head.as_ref().map_err(Error::clone)
    }

    /// The tensors that belong only to the language-model head.
    pub fn head_tensors(&self) -> Vec<TensorId> {
        self.head.as_ref().map_or_else(|_| Vec::new(), |head| head.own_tensors(&self.embedding))
    }

    /// The language-modeling task that the model was trained for, even if its head is missing.
    pub fn head_kind(&self) -> HeadKind {
        if self.causal { HeadKind::CausalLm } else { HeadKind::MaskedLm }
    }

    /// Whether rows of a matrix are also looked up, in addition to matmuls: embeddings, and label words in the head.
    pub fn looks_up(&self, matrix: TensorId) -> bool {
        self.head.as_ref().is_ok_and(|head| head.table == matrix)
            || self.embedding.tables().any(|table| table == matrix)
    }

    /// The pooling that suits the model: the last token of a causal model, the mean of a bidirectional one.
    pub fn pooling(&self) -> Pooling {
        if self.causal { Pooling::Last } else { Pooling::Mean }
    }

    /// The number of token types; 0 without a table of them.
    pub fn token_types(&self) -> u32 {
        self.embedding.types.map_or(0, |table| self.tensors.as_slice()[table].rows)
    }

    /// Columns of a token's queries.
    pub fn q_width(&self) -> u32 {
        self.heads * self.head_dim
    }

    /// Columns of a token's keys, and of its values.
    pub fn kv_width(&self) -> u32 {
        self.kv_heads * self.head_dim
    }

    /// Whether any layer has a convolution instead of attention.
    pub fn has_convolutions(&self) -> bool {
        self.layers.iter().any(|layer| layer.attention().is_none())
    }

    /// Columns of a token's fused queries, keys and values, or of a convolution's inputs, whichever is larger.
    pub fn projected_width(&self) -> u32 {
        let convolved = if self.has_convolutions() { 3 * self.hidden } else { 0 };
        self.qkv_width().max(convolved)
    }

    /// Columns of a token's attention output, or of a convolution's output, whichever is larger.
    pub fn mixed_width(&self) -> u32 {
        let convolved = if self.has_convolutions() { self.hidden } else { 0 };
        self.q_width().max(convolved)
    }

    /// Columns of a token's fused queries, keys and values.
    pub fn qkv_width(&self) -> u32 {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }
}
