//! The `llama` architecture (Llama, SmolLM2, TinyLlama, Mistral): names, configuration and row order
//! as in Hugging Face's `LlamaForCausalLM`.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Map, Value as Json, json};

use super::Metadata;
use crate::error::{Result, bail};
use crate::format::checkpoint::{Checkpoint, TensorInfo};
use crate::format::config::Config;
use crate::format::source::ByteSource;

/// Translates configuration and tensors.
pub(super) async fn translate(
    source: &Rc<dyn ByteSource>,
    metadata: &Metadata,
    tensors: Vec<TensorInfo>,
) -> Result<(Config, Vec<TensorInfo>)> {
    let file = source.name();
    let heads = metadata.u32("llama.attention.head_count")?;
    let kv_heads = metadata.opt_u32("llama.attention.head_count_kv")?.unwrap_or(heads);
    let mut fields = config(metadata, heads, kv_heads)?;

    let mut translated = Vec::with_capacity(tensors.len());
    let mut rope_freqs = None;
    for mut tensor in tensors {
        if tensor.name == "rope_freqs.weight" {
            rope_freqs = Some(tensor);
            continue;
        }
        let Some((name, interleaved)) = hugging_face(&tensor.name) else {
            bail!(ModelUnsupported, "{file}: expected the tensors of a llama, found `{}`", tensor.name);
        };
        tensor.name = name;
        translated.push(match interleaved {
            None => tensor,
            Some(Rotary::Query) => tensor.with_interleaved_heads(u64::from(heads)).map_err(|e| e.at(file))?,
            Some(Rotary::Key) => {
                tensor.with_interleaved_heads(u64::from(kv_heads)).map_err(|e| e.at(file))?
            }
        });
    }
    let has = |end: &str| translated.iter().any(|tensor| tensor.name.ends_with(end));
    fields.insert("tie_word_embeddings".to_owned(), json!(!has("lm_head.weight")));
    fields.insert("attention_bias".to_owned(), json!(has("self_attn.q_proj.bias")));
    fields.insert("mlp_bias".to_owned(), json!(has("mlp.up_proj.bias")));

    let Some(embedding) = translated.iter().find(|tensor| tensor.name == "model.embed_tokens.weight") else {
        bail!(FileCorrupt, "{file}: expected a tensor `token_embd.weight`, found none");
    };
    let vocabulary = embedding.rows();
    if let Some(said) = metadata.opt_u32("llama.vocab_size")?
        && u64::from(said) != vocabulary
    {
        bail!(
            FileCorrupt,
            "{file}: `llama.vocab_size`: expected the embedding's {vocabulary} rows, found {said}"
        );
    }
    fields.insert("vocab_size".to_owned(), json!(vocabulary));

    if let Some(tensor) = rope_freqs {
        fields.insert("rope_scaling".to_owned(), rope_scaling(source, metadata, tensor, &fields).await?);
    }
    Ok((Config::from_fields(file, fields), translated))
}

/// `config.json`'s fields that the metadata alone decides.
fn config(metadata: &Metadata, heads: u32, kv_heads: u32) -> Result<Map<String, Json>> {
    let file = metadata.name();
    let hidden = metadata.u32("llama.embedding_length")?;
    if heads == 0 || kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
        bail!(
            FileCorrupt,
            "{file}: expected heads in whole groups, found {heads} of {kv_heads} key-value heads"
        );
    }
    let head_dim = match metadata.opt_u32("llama.attention.key_length")? {
        Some(said) => said,
        None if hidden.is_multiple_of(heads) => hidden / heads,
        None => bail!(FileCorrupt, "{file}: expected {hidden} dimensions in {heads} equal heads"),
    };
    for key in ["llama.rope.dimension_count", "llama.attention.value_length"] {
        if let Some(said) = metadata.opt_u32(key)?
            && said != head_dim
        {
            bail!(
                ModelUnsupported,
                "{file}: `{key}`: expected the head's {head_dim} dimensions, found {said}"
            );
        }
    }
    if let Some(experts) = metadata.opt_u32("llama.expert_count")?
        && experts > 0
    {
        bail!(
            ModelUnsupported,
            "{file}: `llama.expert_count`: expected a dense model, found {experts} experts"
        );
    }
    let mut fields = Map::new();
    let mut set = |key: &str, value: Json| fields.insert(key.to_owned(), value);
    set("model_type", json!("llama"));
    set("architectures", json!(["LlamaForCausalLM"]));
    set("hidden_act", json!("silu"));
    set("hidden_size", json!(hidden));
    set("head_dim", json!(head_dim));
    set("num_attention_heads", json!(heads));
    set("num_key_value_heads", json!(kv_heads));
    set("num_hidden_layers", json!(metadata.u32("llama.block_count")?));
    set("intermediate_size", json!(metadata.u32("llama.feed_forward_length")?));
    set("max_position_embeddings", json!(metadata.u32("llama.context_length")?));
    set("rms_norm_eps", json!(metadata.f32("llama.attention.layer_norm_rms_epsilon")?));
    // llama.cpp's default, and Hugging Face's.
    set("rope_theta", json!(metadata.opt_f32("llama.rope.freq_base")?.unwrap_or(10_000.0)));
    for (key, from) in [
        ("bos_token_id", "tokenizer.ggml.bos_token_id"),
        ("eos_token_id", "tokenizer.ggml.eos_token_id"),
        ("pad_token_id", "tokenizer.ggml.padding_token_id"),
    ] {
        if let Some(id) = metadata.opt_u32(from)? {
            set(key, json!(id));
        }
    }
    let factor = match metadata.opt_f32("llama.rope.scaling.factor")? {
        Some(factor) => factor,
        None => metadata.opt_f32("llama.rope.scale_linear")?.unwrap_or(1.0),
    };
    match metadata.opt_str("llama.rope.scaling.type")? {
        None | Some("linear") if factor != 1.0 => {
            set("rope_scaling", json!({ "rope_type": "linear", "factor": factor }));
        }
        None | Some("none" | "linear") => {}
        Some(other) => {
            bail!(
                ModelUnsupported,
                "{file}: `llama.rope.scaling.type`: expected none or linear, found {other}"
            )
        }
    }
    Ok(fields)
}

/// Whose heads a projection's rows are.
#[derive(Debug, PartialEq, Eq)]
enum Rotary {
    Query,
    Key,
}

/// Hugging Face's name of a tensor, and whether its rows are interleaved by rotary halves.
fn hugging_face(name: &str) -> Option<(String, Option<Rotary>)> {
    match name {
        "token_embd.weight" => return Some(("model.embed_tokens.weight".to_owned(), None)),
        "output_norm.weight" => return Some(("model.norm.weight".to_owned(), None)),
        "output.weight" => return Some(("lm_head.weight".to_owned(), None)),
        _ => {}
    }
    let (layer, rest) = name.strip_prefix("blk.")?.split_once('.')?;
    let layer: u32 = layer.parse().ok()?;
    let (module, parameter) = rest.rsplit_once('.')?;
    if !matches!(parameter, "weight" | "bias") {
        return None;
    }
    let (module, rotary) = match module {
        "attn_norm" => ("input_layernorm", None),
        "attn_q" => ("self_attn.q_proj", Some(Rotary::Query)),
        "attn_k" => ("self_attn.k_proj", Some(Rotary::Key)),
        "attn_v" => ("self_attn.v_proj", None),
        "attn_output" => ("self_attn.o_proj", None),
        "ffn_norm" => ("post_attention_layernorm", None),
        "ffn_gate" => ("mlp.gate_proj", None),
        "ffn_up" => ("mlp.up_proj", None),
        "ffn_down" => ("mlp.down_proj", None),
        _ => return None,
    };
    Some((format!("model.layers.{layer}.{module}.{parameter}"), rotary))
}

/// Llama 3.x's rope scaling, which the converter keeps only as the factors it leads to: f32
/// `[head_dim / 2]`. The published models differ in the factor alone (8 or 32), which is what the
/// lowest frequency is divided by; the other parameters are theirs, and are proven by computing all
/// factors from them.
async fn rope_scaling(
    source: &Rc<dyn ByteSource>,
    metadata: &Metadata,
    tensor: TensorInfo,
    fields: &Map<String, Json>,
) -> Result<Json> {
    const LOW: f64 = 1.0;
    const HIGH: f64 = 4.0;
    const ORIGINAL: f64 = 8192.0;
    let file = metadata.name();
    let number = |key: &str| fields.get(key).and_then(Json::as_f64).unwrap_or(0.0);
    let (head_dim, theta) = (number("head_dim"), number("rope_theta"));
    if tensor.elements() as f64 != head_dim / 2.0 {
        bail!(
            FileCorrupt,
            "{file}: `rope_freqs.weight`: expected {} factors, found {}",
            head_dim / 2.0,
            tensor.elements()
        );
    }
    let count = tensor.elements() as usize;
    let alone = Checkpoint::new(BTreeMap::new(), BTreeMap::new(), vec![source.clone()]);
    let factors = alone.read_f32(&tensor, 0, count).await?;
    let factor = factors.last().copied().map_or(0.0, f64::from);
    for (i, &found) in factors.iter().enumerate() {
        let wavelength = std::f64::consts::TAU * theta.powf(2.0 * i as f64 / head_dim);
        let expected = if wavelength < ORIGINAL / HIGH {
            1.0
        } else if wavelength > ORIGINAL / LOW {
            factor
        } else {
            let smooth = (ORIGINAL / wavelength - LOW) / (HIGH - LOW);
            1.0 / ((1.0 - smooth) / factor + smooth)
        };
        let close = (f64::from(found) - expected).abs() <= 1e-4 * expected.abs();
        if !close {
            bail!(
                ModelUnsupported,
                "{file}: `rope_freqs.weight`: expected Llama 3's factors, {expected} at {i}, found {found}"
            );
        }
    }
    Ok(json!({
        "rope_type": "llama3",
        "factor": factor,
        "low_freq_factor": LOW,
        "high_freq_factor": HIGH,
        "original_max_position_embeddings": ORIGINAL as u32,
    }))
}
