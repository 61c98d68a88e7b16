//! One short file a family: from `config.json` to a [`ModelSpec`].

mod bert;
mod decoder;
mod distilbert;
mod electra;
mod encoder;
mod fields;
mod gemma2;
mod gemma3;
mod gpt2;
mod gpt_neox;
mod granite;
mod llama;
mod mistral;
mod modernbert;
mod olmo2;
mod opt;
mod parts;
mod phi;
mod phi3;
mod qwen;
mod roberta;
mod smollm3;

use std::collections::BTreeMap;

use fields::{activation, head_dim, layer_count, positive, require, window};

use super::{LayerSpec, ModelSpec, Norm, NormKind};
use crate::error::{Result, bail};
use crate::format::config::Config;

type Family = fn(&Config) -> Result<ModelSpec>;

/// What makes a spec, for each `model_type`.
const FAMILIES: &[(&str, Family)] = &[
    ("bert", bert::bert),
    ("camembert", roberta::camembert),
    ("distilbert", distilbert::distilbert),
    ("electra", electra::electra),
    ("gemma2", gemma2::gemma2),
    ("gemma3_text", gemma3::gemma3),
    ("gpt2", gpt2::gpt2),
    ("gpt_neox", gpt_neox::gpt_neox),
    ("granite", granite::granite),
    ("llama", llama::llama),
    ("mistral", mistral::mistral),
    ("modernbert", modernbert::modernbert),
    ("olmo2", olmo2::olmo2),
    ("opt", opt::opt),
    ("phi", phi::phi),
    ("phi3", phi3::phi3),
    ("qwen2", qwen::qwen2),
    ("qwen3", qwen::qwen3),
    ("roberta", roberta::roberta),
    ("smollm3", smollm3::smollm3),
    ("xlm-roberta", roberta::xlm_roberta),
];

/// The spec of a model by its `model_type`.
///
/// # Errors
/// `model-unsupported` naming the field of `config.json` that is missing or has a value that is not implemented.
pub fn spec(config: &Config) -> Result<ModelSpec> {
    let found = config.str("model_type")?;
    let Some((_, family)) = FAMILIES.iter().find(|(name, _)| *name == found) else {
        let names: Vec<&str> = FAMILIES.iter().map(|(name, _)| *name).collect();
        let name = config.name();
        bail!(ModelUnsupported, "{name}: model_type {found:?}; supported are {}", names.join(", "));
    };
    let mut spec = family(config)?;
    name_tied_table(&mut spec);
    check_sizes(config, &spec)?;
    check_fused(config, &spec)?;
    check_implemented(config, &spec)?;
    Ok(spec)
}

/// The names of the table of a head. A conversion to safetensors keeps one of two tensors that share their storage, and
/// this may be the head's.
const HEAD_TABLES: [&str; 6] = [
    "lm_head.weight",
    "lm_head.decoder.weight",
    "cls.predictions.decoder.weight",
    "vocab_projector.weight",
    "decoder.weight",
    "embed_out.weight",
];

/// Where a model has one table for embeddings and head, its checkpoint may have it under the head's name.
fn name_tied_table(spec: &mut ModelSpec) {
    if let Ok(head) = &spec.head
        && head.table == spec.embedding.tokens
    {
        spec.tensors.add_aliases(head.table, &HEAD_TABLES);
    }
}

/// Sizes that the kernels can index with 32 bits, and that fit together.
fn check_sizes(config: &Config, spec: &ModelSpec) -> Result<()> {
    let name = config.name();
    let positive = [
        ("vocab_size", spec.vocabulary),
        ("hidden_size", spec.hidden),
        ("num_attention_heads", spec.heads),
        ("num_key_value_heads", spec.kv_heads),
        ("head_dim", spec.head_dim),
        ("intermediate_size", spec.intermediate),
        ("max_position_embeddings", spec.max_length),
    ];
    for (field, value) in positive {
        if value == 0 || value > 1 << 24 {
            bail!(ModelUnsupported, "{name}: {field} is {value}, expected 1 to 16777216");
        }
    }
    if !spec.heads.is_multiple_of(spec.kv_heads) {
        let (heads, kv) = (spec.heads, spec.kv_heads);
        bail!(
            ModelUnsupported,
            "{name}: num_attention_heads {heads} is not a multiple of num_key_value_heads {kv}"
        );
    }
    if spec.head_dim > 256 {
        bail!(ModelUnsupported, "{name}: head size {}, at most 256 is supported", spec.head_dim);
    }
    for tensor in spec.tensors.as_slice() {
        if tensor.elements() >= 1 << 32 {
            bail!(
                ModelUnsupported,
                "{name}: {} has {} elements, at most 2^32 - 1",
                tensor.name,
                tensor.elements()
            );
        }
    }
    Ok(())
}

/// The layers of a fused tensor begin with whole vec4s, in which kernels read weights, and have all of its rows together.
fn check_fused(config: &Config, spec: &ModelSpec) -> Result<()> {
    for (role, linear) in spec.layers.iter().flat_map(LayerSpec::parts) {
        let elements = u64::from(linear.first_row) * u64::from(linear.width);
        if linear.first_row % 4 != 0 || elements % 4 != 0 {
            let tensor = &spec.tensors.as_slice()[linear.weight].name;
            bail!(
                ModelUnsupported,
                "{}: {role} begins at row {} of {tensor}, expected a multiple of 4",
                config.name(),
                linear.first_row
            );
        }
    }
    // A pass updates the rows that it materializes: a row that no layer has would never be updated.
    let mut rows = BTreeMap::new();
    for (_, linear) in spec.linears() {
        *rows.entry(linear.weight).or_insert(0) += u64::from(linear.rows);
    }
    for (id, rows) in rows {
        let tensor = &spec.tensors.as_slice()[id];
        if rows != u64::from(tensor.rows) {
            let (name, all) = (config.name(), tensor.rows);
            bail!(ModelUnsupported, "{name}: layers have {rows} of the {all} rows of {}", tensor.name);
        }
    }
    Ok(())
}

/// What a spec can say and the transformer does not compute.
fn check_implemented(config: &Config, spec: &ModelSpec) -> Result<()> {
    let is_layer = |norm: Option<Norm>| norm.is_some_and(|norm| matches!(norm.kind, NormKind::Layer { .. }));
    // A kernel that reads the logits adds the bias, after the cap.
    let capped = spec.head.as_ref().is_ok_and(|head| head.softcap.is_some() && head.bias.is_some());
    let mut missing = vec![(capped, "a soft cap of biased logits")];
    for LayerSpec { attention, attention_norms, mlp_norms, .. } in &spec.layers {
        let around = [attention_norms, mlp_norms];
        let heads = [attention.query_norm, attention.key_norm];
        let later = around.iter().any(|norms| norms.output.is_some() || norms.residual.is_some());
        missing.extend([
            (heads.into_iter().any(is_layer), "a layer norm of query or key heads"),
            (around.iter().any(|norms| is_layer(norms.output)), "a layer norm of a sublayer's output"),
            (
                around.iter().any(|norms| norms.output.is_some() && norms.scale != 1.0),
                "a multiplier of residuals with norms of what is added",
            ),
            (spec.parallel_residual && later, "a parallel residual with norms after its sublayers"),
        ]);
    }
    match missing.iter().find(|(found, _)| *found) {
        Some((_, what)) => bail!(ModelUnsupported, "{}: {what} is not implemented", config.name()),
        None => Ok(()),
    }
}
