//! GPT-Neo (Black et al. 2021): a pre-norm decoder with learned positions and unscaled attention scores. Half of its layers use a
//! sliding window.

use serde_json::Value;

use super::{activation, head_dim, layer_count};
use crate::error::{Result, bail};
use crate::format::config::{Aliases, Config};
use crate::model::{
    Attention, ClassifierSpec, Embedding, HeadSpec, LayerSpec, LearnedPositions, Mixer, Mlp, ModelSpec,
    NormKind, Norms, TensorList,
};

/// GPT-Neo's own names for fields that other families also have.
const ALIASES: Aliases = &[("num_attention_heads", "num_heads"), ("num_hidden_layers", "num_layers")];

pub(super) fn gpt_neo(config: &Config) -> Result<ModelSpec> {
    let config = &config.with_aliases(ALIASES);
    let hidden = config.u32("hidden_size")?;
    let heads = config.u32("num_attention_heads")?;
    let head_dim = head_dim(config, hidden, heads)?;
    let intermediate = config.u32_or("intermediate_size", hidden.saturating_mul(4))?;
    let vocabulary = config.u32("vocab_size")?;
    let max_length = config.u32_or("max_position_embeddings", 2048)?;
    let norm = NormKind::layer(config.f32_or("layer_norm_epsilon", 1e-5)?);
    let activation = activation(config, "activation_function", "gelu_new")?;
    let windows = windows(config, layer_count(config, "num_hidden_layers")?)?;

    // Checkpoints saved from the base model without a head lack the prefix.
    let mut tensors = TensorList::new(&[("transformer.", "")]);
    let token_table = tensors.matrix("transformer.wte.weight", vocabulary, hidden);
    let table = tensors.matrix("transformer.wpe.weight", max_length, hidden);
    let layers = windows.into_iter().enumerate().map(|(i, window)| {
        let layer = format!("transformer.h.{i}");
        let attention_norm = tensors.norm(format!("{layer}.ln_1"), norm, hidden);
        let square = |tensors: &mut TensorList, name, bias| {
            tensors.linear(format!("{layer}.attn.attention.{name}"), hidden, hidden, bias)
        };
        let key = square(&mut tensors, "k_proj", false);
        let value = square(&mut tensors, "v_proj", false);
        let query = square(&mut tensors, "q_proj", false);
        let output = square(&mut tensors, "out_proj", true);
        let mlp_norm = tensors.norm(format!("{layer}.ln_2"), norm, hidden);
        let up = tensors.linear(format!("{layer}.mlp.c_fc"), intermediate, hidden, true);
        let down = tensors.linear(format!("{layer}.mlp.c_proj"), hidden, intermediate, true);
        let attention = Attention::new(head_dim, query, key, value, output);
        LayerSpec {
            mixer: Mixer::Attention(Attention { window, scale: 1.0, ..attention }),
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
        family: "gpt_neo",
        vocabulary,
        hidden,
        heads,
        kv_heads: heads,
        head_dim,
        intermediate,
        max_length,
        causal: true,
        embedding: Embedding { positions: Some(positions), ..Embedding::of(token_table) },
        layers,
        parallel_residual: false,
        final_norm: Some(final_norm),
        head: Ok(HeadSpec::of(head_table)),
        classifier: Some(ClassifierSpec::last_token("GPTNeoForSequenceClassification")),
        tensors,
    })
}

/// The window of each layer: `window_size` if `attention_layers`, or the shorter form `attention_types`, says "local".
fn windows(config: &Config, layers: u32) -> Result<Vec<Option<u32>>> {
    let (name, size) = (config.name(), config.u32_or("window_size", 256)?);
    if size == 0 {
        bail!(ModelUnsupported, "{name}: window_size is 0, expected 1 or more");
    }
    let listed = config.str_list("attention_layers")?;
    let (field, kinds) = match listed.is_empty() {
        true => ("attention_types", expanded(config, layers)?),
        false => ("attention_layers", listed),
    };
    if kinds.len() != layers as usize {
        let found = kinds.len();
        bail!(ModelUnsupported, "{name}: {field} has {found} entries for {layers} layers");
    }
    let window = |kind: &str| match kind {
        "global" => Ok(None),
        "local" => Ok(Some(size)),
        other => bail!(ModelUnsupported, "{name}: a layer of type {other:?} is not implemented"),
    };
    kinds.into_iter().map(window).collect()
}

/// Expands `attention_types`, such as the default `[[["global", "local"], 12]]`, to a list of at most one more than `layers` entries.
fn expanded(config: &Config, layers: u32) -> Result<Vec<&str>> {
    let Some(value) = config.value("attention_types") else {
        return Ok(["global", "local"].repeat(12));
    };
    let parts: Option<Vec<(Vec<&str>, u64)>> =
        value.as_array().and_then(|parts| parts.iter().map(part).collect());
    let Some(parts) = parts else {
        bail!(
            ModelUnsupported,
            "{}: attention_types: expected a list such as [[[\"global\", \"local\"], 12]]",
            config.name()
        );
    };
    // Repeating an empty list would never end.
    let parts = parts.iter().filter(|(kinds, _)| !kinds.is_empty());
    let all = parts.flat_map(|(kinds, times)| (0..*times).flat_map(move |_| kinds.iter().copied()));
    Ok(all.take(layers as usize + 1).collect())
}

/// One entry of `attention_types`: types of layers, and how many times they are repeated.
fn part(part: &Value) -> Option<(Vec<&str>, u64)> {
    let kinds = part.get(0)?.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
    Some((kinds, part.get(1)?.as_u64()?))
}
