//! The part of a layer that mixes tokens: attention, or a short convolution.

use super::rotary::Rotary;
use super::tensors::{Linear, Norm, Taps};

/// How a pass computes queries, keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projection {
    /// Separately: they are separate matrices, or rows of one matrix that begin at multiples of 4.
    Parts,
    /// Together: they are the rows of one matrix, in this order.
    Together,
    /// Together: they are the rows of one matrix, in which the rows of each head's query, key and value are consecutive, head by
    /// head. The individual layers then only give the number of rows.
    ByHead,
}

/// The attention of a layer.
#[derive(Clone, Debug)]
pub struct Attention {
    /// How queries, keys and values are computed.
    pub projection: Projection,
    /// Queries `[heads * head_dim, hidden]`.
    pub query: Linear,
    /// Keys `[kv_heads * head_dim, hidden]`.
    pub key: Linear,
    /// Values `[kv_heads * head_dim, hidden]`.
    pub value: Linear,
    /// The output projection, back to the hidden width, `[hidden, heads * head_dim]`.
    pub output: Linear,
    /// Applied to each query head or to all of them together, depending on its width; before rotary positions unless `rotated_first`.
    pub query_norm: Option<Norm>,
    /// Applied to each key head or to all of them together, depending on its width, at the same point as `query_norm`.
    pub key_norm: Option<Norm>,
    /// Rotary positions.
    pub rotary: Option<Rotary>,
    /// Whether the norms of queries and keys are applied after rotary positions.
    pub rotated_first: bool,
    /// A token sees only keys that are fewer than this many positions away; `None`: all keys.
    pub window: Option<u32>,
    /// The factor of the scores, usually 1 / sqrt(head_dim).
    pub scale: f32,
    /// The softcap: scores s become cap * tanh(s / cap).
    pub softcap: Option<f32>,
}

impl Attention {
    /// Attention with these linear layers and heads of `head_dim` columns: over all keys, scaled by 1 / sqrt(head_dim), without
    /// rotary positions and without norms of queries and keys.
    pub fn new(head_dim: u32, query: Linear, key: Linear, value: Linear, output: Linear) -> Attention {
        Attention {
            projection: Projection::Parts,
            query,
            key,
            value,
            output,
            query_norm: None,
            key_norm: None,
            rotary: None,
            rotated_first: false,
            window: None,
            scale: 1.0 / (head_dim as f32).sqrt(),
            softcap: None,
        }
    }

    /// The one fused layer of queries, keys and values, if they are rows of one matrix.
    pub fn fused(&self) -> Linear {
        Linear { rows: self.query.rows + self.key.rows + self.value.rows, ..self.query }
    }
}

/// A gated short convolution, which replaces attention in some layers: out(c * conv(b * v)), where (b, c, v) = in(x) and conv is a
/// causal depthwise convolution.
#[derive(Clone, Copy, Debug)]
pub struct Convolution {
    /// Projects to b, c and v, `[3 * hidden, hidden]`.
    pub input: Linear,
    /// The convolution over `hidden` columns.
    pub kernel: Taps,
    /// Projects back to the residual stream, `[hidden, hidden]`.
    pub output: Linear,
}

/// The part of a layer that mixes tokens.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "a model has one for each layer, most often the larger one")]
pub enum Mixer {
    /// Attention.
    Attention(Attention),
    /// A gated short convolution.
    Convolution(Convolution),
}

impl Mixer {
    /// A token sees only tokens that are fewer than this many positions away; `None`: all tokens.
    pub fn window(&self) -> Option<u32> {
        match self {
            Mixer::Attention(attention) => attention.window,
            Mixer::Convolution(convolution) => Some(convolution.kernel.taps),
        }
    }
}
