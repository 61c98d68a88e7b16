//! Translates GGUF's metadata and tensors to the equivalent of Hugging Face's files for the same model.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value as Json, json};

use super::Metadata;
use super::architecture::{Architecture, Sizes};
use super::hyperparameters::Hyperparameters;
use super::rope;
use crate::error::{Result, bail};
use crate::format::checkpoint::TensorInfo;
use crate::format::config::Config;
use crate::format::source::ByteSource;

/// Translates the configuration and the tensors.
///
/// # Errors
/// `model-unsupported` if the file has a tensor or a hyperparameter that the architecture's model
/// does not have; `file-corrupt` if a hyperparameter is missing or contradicts another.
pub(super) async fn translate(
    parts: &[Rc<dyn ByteSource>],
    metadata: &Metadata,
    architecture: &'static Architecture,
    tensors: Vec<TensorInfo>,
) -> Result<(Config, Vec<TensorInfo>)> {
    let file = metadata.name();
    let parameters = Hyperparameters { metadata, architecture: architecture.name };
    let heads = parameters.u32("attention.head_count")?;
    let kv_heads_of_layers = kv_heads_of_layers(&parameters)?;
    let kv_heads = match kv_heads_of_layers.iter().copied().max() {
        Some(most) => most,
        None => parameters.opt_u32("attention.head_count_kv")?.unwrap_or(heads),
    };
    let sizes = sizes(&parameters, architecture, heads, kv_heads)?;
    let mut fields = config(&parameters, architecture, &sizes, kv_heads)?;
    if let Some(kinds) = kinds_of_layers(&parameters, &kv_heads_of_layers)? {
        fields.insert("layer_types".to_owned(), kinds);
    }

    let mut translated = Vec::with_capacity(tensors.len());
    let mut divisors = None;
    let mut factors = BTreeMap::new();
    for mut tensor in tensors {
        match tensor.name.as_str() {
            "rope_freqs.weight" => {
                divisors = Some(tensor);
                continue;
            }
            "rope_factors_short.weight" | "rope_factors_long.weight" => {
                factors.insert(tensor.name.clone(), rope::factors(parts, tensor).await?);
                continue;
            }
            _ => {}
        }
        let Some(name) = architecture.hugging_face(&tensor.name) else {
            bail!(
                ModelUnsupported,
                "{file}: expected the tensors of a {}, found `{}`",
                architecture.name,
                tensor.name
            );
        };
        let module = tensor.name.rsplit('.').nth(1).unwrap_or_default();
        let heads = match module {
            "attn_q" if architecture.interleaved => Some(heads),
            "attn_k" if architecture.interleaved => Some(kv_heads),
            _ => None,
        };
        let parts_together = architecture.by_head == Some(module);
        let transposed = architecture.transposed.contains(&module) && name.ends_with(".weight");
        tensor.name = name;
        if transposed {
            tensor = tensor.with_transpose_stored();
        }
        if let Some(heads) = heads {
            tensor = tensor.with_interleaved_heads(u64::from(heads)).map_err(|e| e.at(file))?;
        }
        if parts_together {
            tensor = tensor.with_parts_together(u64::from(sizes.heads)).map_err(|e| e.at(file))?;
        }
        if tensor.name.ends_with(".conv.conv.weight") && tensor.shape.len() == 2 {
            tensor.shape.insert(1, 1);
        }
        if architecture.norms_plus_one && Architecture::is_norm(&tensor.name) {
            tensor = tensor.with_one_added();
        }
        translated.push(tensor);
    }
    let has = |end: &str| translated.iter().any(|tensor| tensor.name.ends_with(end));
    let mut set = |key: &str, value: Json| fields.insert(key.to_owned(), value);
    set("tie_word_embeddings", json!(!has("lm_head.weight") && !has("embed_out.weight")));
    let biased = ["self_attn.q_proj.bias", "attention.query_key_value.bias"];
    // Each family has one of these fields.
    for field in ["attention_bias", "use_bias", "use_qkv_bias"] {
        set(field, json!(biased.into_iter().any(has)));
    }
    set("mlp_bias", json!(has("mlp.up_proj.bias")));
    if architecture.name == "stablelm" {
        // llama.cpp looks for this norm regardless of the metadata.
        set("use_parallel_residual", json!(!has("post_attention_layernorm.weight")));
    }

    let embedding = architecture.hugging_face("token_embd.weight").unwrap_or_default();
    let Some(embedding) = translated.iter().find(|tensor| tensor.name == embedding) else {
        bail!(FileCorrupt, "{file}: expected a tensor `token_embd.weight`, found none");
    };
    let vocabulary = embedding.rows();
    if let Some(said) = parameters.opt_u32("vocab_size")?
        && u64::from(said) != vocabulary
    {
        bail!(
            FileCorrupt,
            "{file}: `{}`: expected the number of rows of the embedding, {vocabulary}, found {said}",
            parameters.key("vocab_size")
        );
    }
    set("vocab_size", json!(vocabulary));

    let theta = theta(&parameters)?;
    let scaling = match divisors {
        Some(tensor) => rope::from_divisors(&parameters, parts, tensor, sizes.head_dim, theta).await?,
        None if !factors.is_empty() => Some(rope::from_factors(&parameters, factors)?),
        None => rope::from_metadata(&parameters)?,
    };
    set("rope_theta", json!(theta));
    if let Some(scaling) = scaling {
        set("rope_scaling", scaling);
    }
    Ok((Config::from_fields(file, fields), translated))
}

/// The hyperparameter with the number of tokens that a token sees in layers with a window.
const WINDOW: &str = "attention.sliding_window";

/// Hyperparameters that change what a model computes, each with the value at which it changes nothing.
const NEUTRAL: [(&str, f32); 8] = [
    ("attention.clamp_kqv", 0.0),
    ("attention.max_alibi_bias", 0.0),
    ("attention.scale", 0.0),
    ("attn_logit_softcapping", 0.0),
    ("embedding_scale", 1.0),
    ("final_logit_softcapping", 0.0),
    ("logit_scale", 1.0),
    ("residual_scale", 1.0),
];

/// Rejects a hyperparameter that changes what the model computes but is not implemented for this architecture.
fn refuse_unread(parameters: &Hyperparameters<'_>, architecture: &Architecture) -> Result<()> {
    let file = parameters.file();
    let is_read = |key: &str| architecture.fields.iter().any(|(read, _)| *read == key);
    for (key, neutral) in NEUTRAL {
        if !is_read(key)
            && let Some(found) = parameters.opt_f32(key)?
            && found != neutral
        {
            let (key, name) = (parameters.key(key), architecture.name);
            bail!(ModelUnsupported, "{file}: `{key}` is {found}, which is not implemented for {name}");
        }
    }
    if !is_read(WINDOW)
        && let Some(found) = parameters.opt_u32(WINDOW)?
        && (1..parameters.u32("context_length")?).contains(&found)
    {
        let (key, name) = (parameters.key(WINDOW), architecture.name);
        bail!(ModelUnsupported, "{file}: `{key}` is {found}, which is not implemented for {name}");
    }
    if parameters.opt_bool("attention.causal")? == Some(false) {
        bail!(
            ModelUnsupported,
            "{file}: `{}` is false, but only true is implemented",
            parameters.key("attention.causal")
        );
    }
    Ok(())
}

/// The field that says which layers use a window, if the metadata has it: the period of the layers that do not, or a list.
fn window_pattern(parameters: &Hyperparameters<'_>) -> Result<Option<(&'static str, Json)>> {
    let key = parameters.key("attention.sliding_window_pattern");
    Ok(match parameters.metadata.value(&key) {
        None => None,
        Some(super::Value::Bools(layers)) => {
            let kind = |windowed: &bool| if *windowed { "sliding_attention" } else { "full_attention" };
            Some(("layer_types", json!(layers.iter().map(kind).collect::<Vec<_>>())))
        }
        Some(_) => Some(("sliding_window_pattern", json!(parameters.metadata.u32(&key)?))),
    })
}

/// The number of key and value heads of each layer, if the metadata has a list of them; empty otherwise.
fn kv_heads_of_layers(parameters: &Hyperparameters<'_>) -> Result<Vec<u32>> {
    let key = parameters.key("attention.head_count_kv");
    let Some(super::Value::Ints(counts)) = parameters.metadata.value(&key) else { return Ok(Vec::new()) };
    let (file, layers) = (parameters.file(), parameters.u32("block_count")?);
    let heads: Vec<u32> = counts.iter().filter_map(|count| u32::try_from(*count).ok()).collect();
    if heads.len() != counts.len() || heads.len() != layers as usize {
        bail!(FileCorrupt, "{file}: `{key}`: expected {layers} counts, found {}", counts.len());
    }
    Ok(heads)
}

/// The types of layers, derived from their number of key and value heads: LFM2's layers without such heads are convolutions.
fn kinds_of_layers(parameters: &Hyperparameters<'_>, kv_heads: &[u32]) -> Result<Option<Json>> {
    let Some(most) = kv_heads.iter().copied().max() else { return Ok(None) };
    if kv_heads.iter().all(|heads| *heads == most) {
        return Ok(None);
    }
    let (file, key) = (parameters.file(), parameters.key("attention.head_count_kv"));
    if parameters.architecture != "lfm2" || !kv_heads.iter().all(|heads| *heads == 0 || *heads == most) {
        bail!(
            ModelUnsupported,
            "{file}: `{key}`: layers with different numbers of heads are not implemented"
        );
    }
    let kind = |heads: &u32| if *heads == 0 { "conv" } else { "full_attention" };
    Ok(Some(json!(kv_heads.iter().map(kind).collect::<Vec<_>>())))
}

/// The base of the rotary frequencies; llama.cpp has the same default.
fn theta(parameters: &Hyperparameters<'_>) -> Result<f32> {
    Ok(parameters.opt_f32("rope.freq_base")?.unwrap_or(10_000.0))
}

/// The sizes of the model, checked for consistency where necessary.
fn sizes(
    parameters: &Hyperparameters<'_>,
    architecture: &Architecture,
    heads: u32,
    kv_heads: u32,
) -> Result<Sizes> {
    let file = parameters.file();
    let hidden = parameters.u32("embedding_length")?;
    if heads == 0 || kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
        bail!(
            FileCorrupt,
            "{file}: expected a number of heads that is a multiple of the {kv_heads} key-value heads, found {heads}"
        );
    }
    let head_dim = match parameters.opt_u32("attention.key_length")? {
        Some(said) => said,
        None if hidden.is_multiple_of(heads) => hidden / heads,
        None => bail!(
            FileCorrupt,
            "{file}: expected an embedding length that is a multiple of the {heads} heads, found {hidden}"
        ),
    };
    for key in ["rope.dimension_count", "attention.value_length"] {
        if let Some(said) = parameters.opt_u32(key)?
            && said != head_dim
            && !(architecture.partial && key == "rope.dimension_count" && (1..head_dim).contains(&said))
        {
            bail!(
                ModelUnsupported,
                "{file}: `{}`: expected the head size {head_dim}, found {said}",
                parameters.key(key)
            );
        }
    }
    if let Some(experts) = parameters.opt_u32("expert_count")?
        && experts > 0
    {
        bail!(
            ModelUnsupported,
            "{file}: `{}`: expected a dense model, found {experts} experts",
            parameters.key("expert_count")
        );
    }
    Ok(Sizes { hidden, heads, head_dim, layers: parameters.u32("block_count")? })
}

/// The fields of `config.json` that follow from the metadata alone.
fn config(
    parameters: &Hyperparameters<'_>,
    architecture: &Architecture,
    sizes: &Sizes,
    kv_heads: u32,
) -> Result<Map<String, Json>> {
    let mut fields = match (architecture.known)(sizes) {
        Json::Object(known) => known,
        _ => Map::new(),
    };
    let mut set = |key: &str, value: Json| fields.insert(key.to_owned(), value);
    set("model_type", json!(architecture.model_type));
    set("architectures", json!([architecture.class]));
    set("hidden_size", json!(sizes.hidden));
    set("head_dim", json!(sizes.head_dim));
    set("num_attention_heads", json!(sizes.heads));
    set("num_key_value_heads", json!(kv_heads));
    set("num_hidden_layers", json!(sizes.layers));
    set("intermediate_size", json!(parameters.u32("feed_forward_length")?));
    set("max_position_embeddings", json!(parameters.u32("context_length")?));
    set(architecture.epsilon.1, json!(parameters.f32(architecture.epsilon.0)?));
    if architecture.partial
        && let Some(columns) = parameters.opt_u32("rope.dimension_count")?
    {
        set("partial_rotary_factor", json!(f64::from(columns) / f64::from(sizes.head_dim)));
    }
    if let Some(parallel) = parameters.opt_bool("use_parallel_residual")? {
        set("use_parallel_residual", json!(parallel));
    }
    refuse_unread(parameters, architecture)?;
    for (key, field) in architecture.fields {
        // Integers, such as a window, remain integers.
        let number = match parameters.metadata.value(&parameters.key(key)) {
            Some(super::Value::Unsigned(_) | super::Value::Signed(_)) => {
                // The converter writes 0 for a model without a window, whose configuration has null.
                let absent = |n: u32| n == 0 && key == &WINDOW;
                parameters.opt_u32(key)?.map(|n| if absent(n) { Json::Null } else { json!(n) })
            }
            _ => parameters.opt_f32(key)?.map(|x| json!(x)),
        };
        if let Some(number) = number {
            set(field, number);
        }
    }
    if let Some((field, value)) = window_pattern(parameters)? {
        set(field, value);
    }
    // A llama with a window is a Mistral, which llama.cpp's converter names llama.
    if architecture.name == "llama" && parameters.opt_u32(WINDOW)?.is_some_and(|n| n > 0) {
        set("model_type", json!("mistral"));
        set("architectures", json!(["MistralForCausalLM"]));
    }
    for (key, field) in [
        ("tokenizer.ggml.bos_token_id", "bos_token_id"),
        ("tokenizer.ggml.eos_token_id", "eos_token_id"),
        ("tokenizer.ggml.padding_token_id", "pad_token_id"),
    ] {
        if let Some(id) = parameters.metadata.opt_u32(key)? {
            set(field, json!(id));
        }
    }
    Ok(fields)
}
