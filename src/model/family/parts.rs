//! Parts that decoders with rotary positions share: their sizes, and their sublayers under Llama's names.

use super::{head_dim, layer_count};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::{Activation, Attention, Mlp, NormKind, Projection, TensorList};

/// What a norm of queries and keys normalizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadNorms {
    /// Each head.
    Each,
    /// All heads together.
    Together,
}

/// Module names of an attention that differ between families.
#[derive(Clone, Copy)]
pub(super) struct AttentionNames {
    /// The output projection, back to the hidden width.
    pub output: &'static str,
    pub query_norm: &'static str,
    pub key_norm: &'static str,
}

impl AttentionNames {
    /// The names of Llama and Qwen3, with another name for the output.
    pub(super) const fn with_output(output: &'static str) -> AttentionNames {
        AttentionNames { output, query_norm: "q_norm", key_norm: "k_norm" }
    }
}

/// The layers of an MLP.
#[derive(Clone, Copy)]
pub(super) enum MlpLayers {
    /// A gated linear unit: `mlp.gate_proj`, `mlp.up_proj` and `mlp.down_proj`.
    Gated,
    /// A gated linear unit with gate and up projection fused into one matrix.
    Fused { input: &'static str, output: &'static str },
    /// An MLP without a gate.
    Plain { input: &'static str, output: &'static str },
}

/// The sizes of a decoder.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub vocabulary: u32,
    pub hidden: u32,
    pub heads: u32,
    pub kv_heads: u32,
    pub head_dim: u32,
    pub intermediate: u32,
    pub layers: u32,
    /// Total columns of all query heads.
    q_width: u32,
    /// Total columns of all key heads, and of all value heads.
    kv_width: u32,
}

impl Sizes {
    /// Reads the sizes from a configuration. Without `head_dim`, the hidden width is divided among the heads, or they have
    /// `default_head_dim` columns.
    pub(super) fn read(config: &Config, default_head_dim: Option<u32>) -> Result<Sizes> {
        let hidden = config.u32("hidden_size")?;
        let heads = config.u32("num_attention_heads")?;
        let kv_heads = config.u32_or("num_key_value_heads", heads)?;
        let head_dim = match config.opt_u32("head_dim")?.or(default_head_dim) {
            Some(columns) => columns,
            None => head_dim(config, hidden, heads)?,
        };
        let Some((q_width, kv_width)) = heads.checked_mul(head_dim).zip(kv_heads.checked_mul(head_dim))
        else {
            bail!(ModelUnsupported, "{}: {heads} heads of size {head_dim} are too many", config.name());
        };
        Ok(Sizes {
            vocabulary: config.u32("vocab_size")?,
            hidden,
            heads,
            kv_heads,
            head_dim,
            intermediate: config.u32("intermediate_size")?,
            layers: layer_count(config, "num_hidden_layers")?,
            q_width,
            kv_width,
        })
    }

    /// `layer.self_attn`: projections with or without a bias and, if `head_norms` is given, norms of queries and keys.
    pub(super) fn attention(
        &self,
        tensors: &mut TensorList,
        layer: &str,
        names: AttentionNames,
        (bias, output_bias): (bool, bool),
        head_norms: Option<(HeadNorms, NormKind)>,
    ) -> Attention {
        let query = tensors.linear(format!("{layer}.self_attn.q_proj"), self.q_width, self.hidden, bias);
        let key = tensors.linear(format!("{layer}.self_attn.k_proj"), self.kv_width, self.hidden, bias);
        let value = tensors.linear(format!("{layer}.self_attn.v_proj"), self.kv_width, self.hidden, bias);
        let output = format!("{layer}.self_attn.{}", names.output);
        let output = tensors.linear(output, self.hidden, self.q_width, output_bias);
        let mut norm = |name, whole| {
            let (norms, kind) = head_norms?;
            let width = if norms == HeadNorms::Each { self.head_dim } else { whole };
            Some(tensors.norm(format!("{layer}.self_attn.{name}"), kind, width))
        };
        let (query_norm, key_norm) =
            (norm(names.query_norm, self.q_width), norm(names.key_norm, self.kv_width));
        Attention { query_norm, key_norm, ..Attention::new(self.head_dim, query, key, value, output) }
    }

    /// `layer.self_attn` without biases, with queries, keys and values fused in `qkv_proj`.
    pub(super) fn fused_attention(&self, tensors: &mut TensorList, layer: &str) -> Attention {
        let (q, kv) = (self.q_width, self.kv_width);
        let rows = q.saturating_add(kv).saturating_add(kv);
        let fused = tensors.linear(format!("{layer}.self_attn.qkv_proj"), rows, self.hidden, false);
        let [query, key, value] = fused.split([q, kv, kv]);
        let output = tensors.linear(format!("{layer}.self_attn.o_proj"), self.hidden, q, false);
        let attention = Attention::new(self.head_dim, query, key, value, output);
        Attention { projection: Projection::Together, ..attention }
    }

    /// The MLP of a layer.
    pub(super) fn mlp(
        &self,
        tensors: &mut TensorList,
        layer: &str,
        layers: MlpLayers,
        activation: Activation,
        bias: bool,
    ) -> Mlp {
        let (hidden, wide) = (self.hidden, self.intermediate);
        let mut linear = |name, rows, width| tensors.linear(format!("{layer}.{name}"), rows, width, bias);
        match layers {
            MlpLayers::Gated => {
                let (gate, up) = (linear("mlp.gate_proj", wide, hidden), linear("mlp.up_proj", wide, hidden));
                let down = linear("mlp.down_proj", hidden, wide);
                Mlp::Glu { gate, up, together: false, activation, down }
            }
            MlpLayers::Fused { input, output } => {
                let [gate, up] = linear(input, wide.saturating_mul(2), hidden).split([wide; 2]);
                Mlp::Glu { gate, up, together: true, activation, down: linear(output, hidden, wide) }
            }
            MlpLayers::Plain { input, output } => {
                let (up, down) = (linear(input, wide, hidden), linear(output, hidden, wide));
                Mlp::Plain { up, activation, down }
            }
        }
    }
}

/// For each layer, whether its attention is limited to a window: according to `layer_types`, or to `default` if that field is absent.
pub(super) fn windowed(config: &Config, layers: u32, default: impl Fn(u32) -> bool) -> Result<Vec<bool>> {
    let (types, name) = (config.str_list("layer_types")?, config.name());
    if types.is_empty() {
        return Ok((0..layers).map(default).collect());
    }
    if types.len() != layers as usize {
        bail!(ModelUnsupported, "{name}: layer_types has {} entries for {layers} layers", types.len());
    }
    let windowed = |kind: &&str| match *kind {
        // The shorter name is the older one.
        "full_attention" | "attention" => Ok(false),
        "sliding_attention" => Ok(true),
        other => bail!(ModelUnsupported, "{name}: a layer of type {other:?} is not implemented"),
    };
    types.iter().map(windowed).collect()
}
