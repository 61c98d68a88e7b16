//! GPT-2 (Radford et al. 2019): a pre-norm decoder with learned positions, whose linear layers are stored transposed, with queries,
//! keys and values fused into one. StarCoder's GPT-BigCode (Li et al. 2023, arXiv 2305.06161) does not store them transposed, and
//! has a single key and value head.

use super::{activation, head_dim, layer_count, require};
use crate::error::Result;
use crate::format::config::{Aliases, Config};
use crate::model::{
    Attention, ClassifierSpec, Embedding, HeadSpec, LayerSpec, LearnedPositions, Mixer, Mlp, ModelSpec,
    NormKind, Norms, Projection, TensorList,
};

/// GPT-2's own names for fields that other families also have.
const ALIASES: Aliases = &[
    ("hidden_size", "n_embd"),
    ("max_position_embeddings", "n_positions"),
    ("max_position_embeddings", "n_ctx"),
    ("num_attention_heads", "n_head"),
    ("num_hidden_layers", "n_layer"),
];

/// The differences between the families.
struct Version {
    /// `model_type`.
    family: &'static str,
    /// The class for text classification.
    class: &'static str,
    /// The default of `activation_function`.
    activation: &'static str,
    /// Whether linear layers are stored transposed.
    transposed: bool,
    /// Whether there is a single key and value head.
    multi_query: bool,
    /// Whether the rows of each head's query, key and value are consecutive.
    by_head: bool,
    /// Whether scores are divided by the layer's number, counted from 1.
    scaled_by_layer: bool,
}

pub(super) fn gpt2(config: &Config) -> Result<ModelSpec> {
    let version = Version {
        family: "gpt2",
        class: "GPT2ForSequenceClassification",
        activation: "gelu_new",
        transposed: true,
        multi_query: false,
        by_head: false,
        scaled_by_layer: config.bool_or("scale_attn_by_inverse_layer_idx", false)?,
    };
    decoder(config, &version)
}

pub(super) fn gpt_bigcode(config: &Config) -> Result<ModelSpec> {
    let multi_query = config.bool_or("multi_query", true)?;
    let version = Version {
        family: "gpt_bigcode",
        class: "GPTBigCodeForSequenceClassification",
        activation: "gelu_pytorch_tanh",
        transposed: false,
        multi_query,
        by_head: !multi_query,
        scaled_by_layer: false,
    };
    decoder(config, &version)
}

fn decoder(config: &Config, version: &Version) -> Result<ModelSpec> {
    let config = &config.with_aliases(ALIASES);
    require(config, "add_cross_attention", false, false)?;
    let hidden = config.u32("hidden_size")?;
    let heads = config.u32("num_attention_heads")?;
    let head_dim = head_dim(config, hidden, heads)?;
    let intermediate = config.u32_or("n_inner", hidden.saturating_mul(4))?;
    let vocabulary = config.u32("vocab_size")?;
    let max_length = config.u32_or("max_position_embeddings", 1024)?;
    let norm = NormKind::layer(config.f32_or("layer_norm_epsilon", 1e-5)?);
    let activation = activation(config, "activation_function", version.activation)?;
    let scaled = config.bool_or("scale_attn_weights", true)?;
    let kv_heads = if version.multi_query { 1 } else { heads };
    let kv_width = kv_heads.saturating_mul(head_dim);

    // The first checkpoints were saved from the base model without a head.
    let mut tensors = TensorList::new(&[("transformer.", "")]);
    let token_table = tensors.matrix("transformer.wte.weight", vocabulary, hidden);
    let table = tensors.matrix("transformer.wpe.weight", max_length, hidden);
    let layers = (0..layer_count(config, "num_hidden_layers")?).map(|i| {
        let layer = format!("transformer.h.{i}");
        let attention_norm = tensors.norm(format!("{layer}.ln_1"), norm, hidden);
        let linear = |tensors: &mut TensorList, name, rows, width| {
            let name = format!("{layer}.{name}");
            match version.transposed {
                true => tensors.conv1d(name, rows, width, true),
                false => tensors.linear(name, rows, width, true),
            }
        };
        let rows = hidden.saturating_add(kv_width).saturating_add(kv_width);
        let fused = linear(&mut tensors, "attn.c_attn", rows, hidden);
        let [query, key, value] = fused.split([hidden, kv_width, kv_width]);
        let output = linear(&mut tensors, "attn.c_proj", hidden, hidden);
        let mlp_norm = tensors.norm(format!("{layer}.ln_2"), norm, hidden);
        let up = linear(&mut tensors, "mlp.c_fc", intermediate, hidden);
        let down = linear(&mut tensors, "mlp.c_proj", hidden, intermediate);
        let mut attention = Attention::new(head_dim, query, key, value, output);
        // Each part begins with a whole vec4.
        let whole = hidden.is_multiple_of(4) && kv_width.is_multiple_of(4);
        attention.projection = match whole {
            _ if version.by_head => Projection::ByHead,
            true => Projection::Parts,
            false => Projection::Together,
        };
        if !scaled {
            attention.scale = 1.0;
        }
        if version.scaled_by_layer {
            attention.scale /= (i + 1) as f32;
        }
        LayerSpec {
            mixer: Mixer::Attention(attention),
            mixer_norms: Norms::pre(attention_norm),
            mlp: Mlp::Plain { up, activation, down },
            mlp_norms: Norms::pre(mlp_norm),
        }
    });
    let layers = layers.collect();
    let final_norm = tensors.norm("transformer.ln_f", norm, hidden);
    let tied = config.bool_or("tie_word_embeddings", true)?;
    let head_table = if tied { token_table } else { tensors.matrix("lm_head.weight", vocabulary, hidden) };
    let positions = LearnedPositions { table, offset: 0, padding: None };
    Ok(ModelSpec {
        family: version.family,
        vocabulary,
        hidden,
        heads,
        kv_heads,
        head_dim,
        intermediate,
        max_length,
        causal: true,
        embedding: Embedding { positions: Some(positions), ..Embedding::of(token_table) },
        layers,
        parallel_residual: false,
        final_norm: Some(final_norm),
        head: Ok(HeadSpec::of(head_table)),
        classifier: Some(ClassifierSpec::last_token(version.class)),
        tensors,
    })
}
