//! The declarative description of a transformer: what `config.json` says, in one vocabulary for all families.
//!
//! A spec is made by a family ([`super::family`]) and read by the transformer, which knows no family. Tensors are listed in
//! the model's canonical order; a tensor's index there is its *ordinal*, part of the counter its random direction is
//! drawn from ([`crate::zo::random`]), so the order of a family never changes.

pub use crate::kernel::activation::Activation;

/// Index of a tensor in the model's canonical order: its ordinal.
pub type TensorId = usize;

/// How a tensor is stored and used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorKind {
    /// `[rows, width]`: multiplied by, or looked up in. Weight decay applies.
    Matrix,
    /// `[width]`: a bias or a norm's weight. Never decays.
    Vector,
}

/// A tensor of the model.
#[derive(Clone, Debug)]
pub struct TensorSpec {
    /// Its name in today's Hugging Face checkpoints, and in exports.
    pub name: String,
    /// Names that other checkpoints have it under.
    pub aliases: Vec<String>,
    /// Matrix or vector.
    pub kind: TensorKind,
    /// 1 for a vector.
    pub rows: u32,
    /// Elements of a row.
    pub width: u32,
}

impl TensorSpec {
    /// Elements.
    pub fn elements(&self) -> u64 {
        u64::from(self.rows) * u64::from(self.width)
    }

    /// The shape as checkpoints have it.
    pub fn shape(&self) -> Vec<u64> {
        match self.kind {
            TensorKind::Matrix => vec![self.rows.into(), self.width.into()],
            TensorKind::Vector => vec![self.width.into()],
        }
    }
}

/// The tensors of a model, in canonical order. Families add to it as they describe the model.
#[derive(Clone, Debug, Default)]
pub struct TensorList {
    tensors: Vec<TensorSpec>,
    /// Replacements tried on every name: (today's, another checkpoint's).
    spellings: Vec<(&'static str, &'static str)>,
}

impl TensorList {
    /// An empty list; every name is also looked for with each pair's first text replaced by its second.
    pub fn new(spellings: &[(&'static str, &'static str)]) -> Self {
        TensorList { tensors: Vec::new(), spellings: spellings.to_vec() }
    }

    /// The tensors so far.
    pub fn as_slice(&self) -> &[TensorSpec] {
        &self.tensors
    }

    fn add(&mut self, name: String, kind: TensorKind, rows: u32, width: u32) -> TensorId {
        // Old checkpoints may differ in the prefix, in the norms' names, or in both.
        let mut aliases = vec![name.clone()];
        for (today, other) in &self.spellings {
            let replaced: Vec<String> = aliases.iter().map(|a| a.replace(today, other)).collect();
            aliases.extend(replaced);
        }
        aliases.retain(|a| *a != name);
        self.tensors.push(TensorSpec { name, aliases, kind, rows, width });
        self.tensors.len() - 1
    }

    /// Adds a matrix `[rows, width]`.
    pub fn matrix(&mut self, name: impl Into<String>, rows: u32, width: u32) -> TensorId {
        self.add(name.into(), TensorKind::Matrix, rows, width)
    }

    /// Adds a vector `[width]`.
    pub fn vector(&mut self, name: impl Into<String>, width: u32) -> TensorId {
        self.add(name.into(), TensorKind::Vector, 1, width)
    }

    /// Adds `prefix.weight` `[rows, width]` and, where asked for, `prefix.bias` `[rows]`.
    pub fn linear(&mut self, prefix: impl AsRef<str>, rows: u32, width: u32, bias: bool) -> Linear {
        let prefix = prefix.as_ref();
        let weight = self.matrix(format!("{prefix}.weight"), rows, width);
        let bias = bias.then(|| self.vector(format!("{prefix}.bias"), rows));
        Linear { weight, bias, rows, width }
    }

    /// Adds a layer norm's `prefix.weight` and `prefix.bias`, or an RMS norm's `prefix.weight`.
    pub fn norm(&mut self, prefix: impl AsRef<str>, kind: NormKind, width: u32) -> Norm {
        let prefix = prefix.as_ref();
        let weight = self.vector(format!("{prefix}.weight"), width);
        let bias =
            matches!(kind, NormKind::Layer { .. }).then(|| self.vector(format!("{prefix}.bias"), width));
        Norm { kind, weight, bias }
    }
}

/// y = W x + b, W `[rows, width]`.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    /// W.
    pub weight: TensorId,
    /// b.
    pub bias: Option<TensorId>,
    /// Outputs.
    pub rows: u32,
    /// Inputs.
    pub width: u32,
}

/// Which normalisation, with its epsilon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NormKind {
    /// Subtracts the mean, divides by the standard deviation, has weight and bias.
    Layer {
        /// Added to the variance.
        eps: f32,
    },
    /// Divides by the root mean square, has a weight.
    Rms {
        /// Added to the mean square.
        eps: f32,
    },
}

/// A normalisation with its parameters.
#[derive(Clone, Copy, Debug)]
pub struct Norm {
    /// Which.
    pub kind: NormKind,
    /// Scale.
    pub weight: TensorId,
    /// Shift, of a layer norm.
    pub bias: Option<TensorId>,
}

/// How a token's place reaches the model.
#[derive(Clone, Debug)]
pub enum Positions {
    /// A table is added to the embedding: row = position + offset.
    Learned {
        /// The table `[positions, hidden]`.
        table: TensorId,
        /// Rows before position 0.
        offset: u32,
    },
    /// Queries and keys are rotated.
    Rotary {
        /// Base of the frequencies: pair i turns by position * theta^(-2i / head_dim).
        theta: f32,
    },
}

/// The feed-forward part of a layer.
#[derive(Clone, Copy, Debug)]
pub enum Mlp {
    /// down(act(up(x))).
    Plain {
        /// To the intermediate width.
        up: Linear,
        /// The nonlinearity.
        activation: Activation,
        /// Back to the hidden width.
        down: Linear,
    },
    /// down(act(gate(x)) * up(x)).
    Gated {
        /// To the intermediate width, through the nonlinearity.
        gate: Linear,
        /// To the intermediate width.
        up: Linear,
        /// The nonlinearity.
        activation: Activation,
        /// Back to the hidden width.
        down: Linear,
    },
}

/// One layer.
#[derive(Clone, Copy, Debug)]
pub struct LayerSpec {
    /// Queries `[heads * head_dim, hidden]`.
    pub query: Linear,
    /// Keys `[kv_heads * head_dim, hidden]`.
    pub key: Linear,
    /// Values `[kv_heads * head_dim, hidden]`.
    pub value: Linear,
    /// Back to the hidden width.
    pub output: Linear,
    /// Before attention (pre-norm), or after its residual (post-norm).
    pub attention_norm: Norm,
    /// The feed-forward part.
    pub mlp: Mlp,
    /// Before the MLP (pre-norm), or after its residual (post-norm).
    pub mlp_norm: Norm,
}

/// Which language modelling task the head was trained for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeadKind {
    /// Predicts the token at a mask.
    MaskedLm,
    /// Predicts the next token.
    CausalLm,
}

/// What a masked-LM head does before it scores the vocabulary.
#[derive(Clone, Copy, Debug)]
pub struct HeadTransform {
    /// `[hidden, hidden]`.
    pub dense: Linear,
    /// The nonlinearity.
    pub activation: Activation,
    /// The norm.
    pub norm: Norm,
}

/// From hidden states to logits.
#[derive(Clone, Copy, Debug)]
pub struct HeadSpec {
    /// Which task.
    pub kind: HeadKind,
    /// Before scoring.
    pub transform: Option<HeadTransform>,
    /// One row for each token `[vocabulary, hidden]`; the token embedding where tied.
    pub table: TensorId,
    /// Added to the logits `[vocabulary]`.
    pub bias: Option<TensorId>,
}

/// A transformer.
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
    /// The longest sequence.
    pub max_length: u32,
    /// Each token sees itself and those before it, or all of its sequence.
    pub causal: bool,
    /// Norms stand before attention and MLP (and after the last layer), or after their residuals.
    pub pre_norm: bool,
    /// Token embedding `[vocabulary, hidden]`.
    pub token_table: TensorId,
    /// Segment embedding `[types, hidden]`; all tokens are of type 0.
    pub type_table: Option<TensorId>,
    /// Positions.
    pub positions: Positions,
    /// Applied to the embedding.
    pub embedding_norm: Option<Norm>,
    /// The layers.
    pub layers: Vec<LayerSpec>,
    /// Applied to the last layer's output.
    pub final_norm: Option<Norm>,
    /// The head.
    pub head: HeadSpec,
    /// All tensors, in canonical order.
    pub tensors: TensorList,
}

impl ModelSpec {
    /// Parameters in all tensors.
    pub fn parameters(&self) -> u64 {
        self.tensors.as_slice().iter().map(TensorSpec::elements).sum()
    }

    /// The linear layers with their roles, layer by layer: q, k, v, o, then gate, up, down.
    pub fn linears(&self) -> Vec<(&'static str, Linear)> {
        let of = |layer: &LayerSpec| {
            let mut linears =
                vec![("q", layer.query), ("k", layer.key), ("v", layer.value), ("o", layer.output)];
            match layer.mlp {
                Mlp::Plain { up, down, .. } => linears.extend([("up", up), ("down", down)]),
                Mlp::Gated { gate, up, down, .. } => {
                    linears.extend([("gate", gate), ("up", up), ("down", down)]);
                }
            }
            linears
        };
        self.layers.iter().flat_map(of).collect()
    }

    /// Whether rows of a matrix are looked up, beside what it is multiplied by: embeddings, and label words in the head.
    pub fn looks_up(&self, matrix: TensorId) -> bool {
        let positions = match self.positions {
            Positions::Learned { table, .. } => Some(table),
            Positions::Rotary { .. } => None,
        };
        let tables = [Some(self.token_table), self.type_table, positions, Some(self.head.table)];
        tables.contains(&Some(matrix))
    }

    /// Columns of a token's queries.
    pub fn q_width(&self) -> u32 {
        self.heads * self.head_dim
    }

    /// Columns of a token's keys, and of its values.
    pub fn kv_width(&self) -> u32 {
        self.kv_heads * self.head_dim
    }

    /// Columns of a token's fused queries, keys and values.
    pub fn qkv_width(&self) -> u32 {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }
}
