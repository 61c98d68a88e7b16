//! Model families, with a short file for each: from `config.json` to a [`ModelSpec`].

mod albert;
mod arcee;
mod bert;
mod cohere;
mod deberta;
mod decoder;
mod distilbert;
mod electra;
mod encoder;
mod ernie4_5;
mod eurobert;
mod exaone4;
mod fields;
mod gemma;
mod gemma2;
mod gemma3;
mod glm;
mod gpt2;
mod gpt_neo;
mod gpt_neox;
mod gptj;
mod granite;
mod helium;
mod hunyuan;
mod lfm2;
mod llama;
mod mistral;
mod modernbert;
mod mpnet;
mod olmo;
mod olmo2;
mod opt;
mod parts;
mod phi;
mod phi3;
mod qwen;
mod roberta;
mod seed_oss;
mod smollm3;
mod stablelm;
mod starcoder2;

use std::collections::BTreeMap;

use fields::{activation, at_least_one, head_dim, layer_count, positive, require, window};

use super::{LayerSpec, ModelSpec, Norm, NormKind};
use crate::error::{Result, bail};
use crate::format::config::Config;

/// A family of models.
pub struct Family {
    /// `model_type` in `config.json`.
    pub model_type: &'static str,
    /// A model of the family on Hugging Face.
    pub example: &'static str,
    /// The function that translates a configuration to a spec.
    spec: fn(&Config) -> Result<ModelSpec>,
}

/// All families, by their `model_type`.
pub const FAMILIES: &[Family] = &[
    Family { model_type: "albert", spec: albert::albert, example: "albert/albert-base-v2" },
    Family { model_type: "arcee", spec: arcee::arcee, example: "arcee-ai/AFM-4.5B-Base" },
    Family { model_type: "bert", spec: bert::bert, example: "google-bert/bert-base-uncased" },
    Family { model_type: "camembert", spec: roberta::camembert, example: "almanach/camembert-base" },
    Family { model_type: "cohere", spec: cohere::cohere, example: "CohereLabs/aya-23-8B" },
    Family { model_type: "cohere2", spec: cohere::cohere2, example: "CohereLabs/c4ai-command-r7b-12-2024" },
    Family {
        model_type: "data2vec-text",
        spec: roberta::data2vec_text,
        example: "facebook/data2vec-text-base",
    },
    Family { model_type: "deberta-v2", spec: deberta::deberta_v2, example: "microsoft/deberta-v3-small" },
    Family {
        model_type: "distilbert",
        spec: distilbert::distilbert,
        example: "distilbert/distilbert-base-uncased",
    },
    Family { model_type: "electra", spec: electra::electra, example: "google/electra-small-generator" },
    Family { model_type: "ernie", spec: bert::ernie, example: "nghuyong/ernie-2.0-base-en" },
    Family { model_type: "ernie4_5", spec: ernie4_5::ernie4_5, example: "baidu/ERNIE-4.5-0.3B-PT" },
    Family { model_type: "eurobert", spec: eurobert::eurobert, example: "EuroBERT/EuroBERT-210m" },
    Family { model_type: "exaone4", spec: exaone4::exaone4, example: "LGAI-EXAONE/EXAONE-4.0-1.2B" },
    Family { model_type: "gemma", spec: gemma::gemma, example: "google/gemma-2b" },
    Family { model_type: "gemma2", spec: gemma2::gemma2, example: "google/gemma-2-2b" },
    Family { model_type: "gemma3_text", spec: gemma3::gemma3, example: "google/gemma-3-270m" },
    Family { model_type: "glm", spec: glm::glm, example: "zai-org/glm-edge-1.5b-chat" },
    Family { model_type: "glm4", spec: glm::glm4, example: "zai-org/GLM-4-9B-0414" },
    Family { model_type: "gpt2", spec: gpt2::gpt2, example: "openai-community/gpt2" },
    Family { model_type: "gpt_bigcode", spec: gpt2::gpt_bigcode, example: "bigcode/tiny_starcoder_py" },
    Family { model_type: "gpt_neo", spec: gpt_neo::gpt_neo, example: "EleutherAI/gpt-neo-125m" },
    Family { model_type: "gpt_neox", spec: gpt_neox::gpt_neox, example: "EleutherAI/pythia-160m" },
    Family { model_type: "gptj", spec: gptj::gptj, example: "EleutherAI/gpt-j-6b" },
    Family { model_type: "granite", spec: granite::granite, example: "ibm-granite/granite-3.1-2b-base" },
    Family {
        model_type: "granitemoehybrid",
        spec: granite::granitemoehybrid,
        example: "ibm-granite/granite-4.0-350m",
    },
    Family { model_type: "helium", spec: helium::helium, example: "kyutai/helium-1-2b" },
    Family {
        model_type: "hunyuan_v1_dense",
        spec: hunyuan::hunyuan_v1_dense,
        example: "tencent/Hunyuan-0.5B-Instruct",
    },
    Family { model_type: "lfm2", spec: lfm2::lfm2, example: "LiquidAI/LFM2-350M" },
    Family { model_type: "llama", spec: llama::llama, example: "HuggingFaceTB/SmolLM2-135M" },
    Family { model_type: "megatron-bert", spec: bert::megatron_bert, example: "UFNLP/gatortron-base" },
    Family {
        model_type: "ministral",
        spec: mistral::ministral,
        example: "mistralai/Ministral-8B-Instruct-2410",
    },
    Family { model_type: "ministral3", spec: mistral::ministral3, example: "tiny-random/devstral-2" },
    Family { model_type: "mistral", spec: mistral::mistral, example: "mistralai/Mistral-7B-v0.1" },
    Family { model_type: "modernbert", spec: modernbert::modernbert, example: "answerdotai/ModernBERT-base" },
    Family {
        model_type: "modernbert-decoder",
        spec: modernbert::modernbert_decoder,
        example: "jhu-clsp/ettin-decoder-150m",
    },
    Family { model_type: "mpnet", spec: mpnet::mpnet, example: "sentence-transformers/all-mpnet-base-v2" },
    Family { model_type: "olmo", spec: olmo::olmo, example: "allenai/OLMo-1B-hf" },
    Family { model_type: "olmo2", spec: olmo2::olmo2, example: "allenai/OLMo-2-0425-1B" },
    Family { model_type: "olmo3", spec: olmo2::olmo3, example: "allenai/Olmo-3-7B-Instruct" },
    Family { model_type: "opt", spec: opt::opt, example: "facebook/opt-1.3b" },
    Family { model_type: "phi", spec: phi::phi, example: "microsoft/phi-1_5" },
    Family { model_type: "phi3", spec: phi3::phi3, example: "microsoft/Phi-3.5-mini-instruct" },
    Family { model_type: "qwen2", spec: qwen::qwen2, example: "Qwen/Qwen2.5-0.5B" },
    Family { model_type: "qwen3", spec: qwen::qwen3, example: "Qwen/Qwen3-0.6B" },
    Family { model_type: "roberta", spec: roberta::roberta, example: "FacebookAI/roberta-large" },
    Family {
        model_type: "roberta-prelayernorm",
        spec: roberta::roberta_prelayernorm,
        example: "andreasmadsen/efficient_mlm_m0.40",
    },
    Family { model_type: "seed_oss", spec: seed_oss::seed_oss, example: "ByteDance-Seed/Seed-OSS-36B-Base" },
    Family { model_type: "smollm3", spec: smollm3::smollm3, example: "HuggingFaceTB/SmolLM3-3B" },
    Family { model_type: "stablelm", spec: stablelm::stablelm, example: "stabilityai/stablelm-2-1_6b" },
    Family { model_type: "starcoder2", spec: starcoder2::starcoder2, example: "bigcode/starcoder2-3b" },
    Family { model_type: "vaultgemma", spec: gemma2::vaultgemma, example: "google/vaultgemma-1b" },
    Family { model_type: "xlm-roberta", spec: roberta::xlm_roberta, example: "FacebookAI/xlm-roberta-base" },
];

/// The spec of a model, according to its `model_type`.
///
/// # Errors
/// `model-unsupported` naming the field of `config.json` that is missing or has an unimplemented value.
pub fn spec(config: &Config) -> Result<ModelSpec> {
    let found = config.str("model_type")?;
    let Some(family) = FAMILIES.iter().find(|family| family.model_type == found) else {
        let names: Vec<&str> = FAMILIES.iter().map(|family| family.model_type).collect();
        let name = config.name();
        bail!(
            ModelUnsupported,
            "{name}: model_type {found:?} is not supported; supported are {}",
            names.join(", ")
        );
    };
    check_epsilons(config)?;
    let mut spec = (family.spec)(config)?;
    if spec.causal {
        // With `is_causal: false`, as in embedding models, transformers lets every token see all tokens.
        require(config, "is_causal", true, true)?;
    }
    name_tied_table(&mut spec);
    check_sizes(config, &spec)?;
    check_fused(config, &spec)?;
    check_implemented(config, &spec)?;
    Ok(spec)
}

/// The fields that families have for the epsilon of their norms.
const EPSILONS: [&str; 5] =
    ["rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "norm_eps", "norm_epsilon"];

/// Rejects a negative epsilon, with which a norm may take the root of a negative number.
fn check_epsilons(config: &Config) -> Result<()> {
    for field in EPSILONS {
        let epsilon = config.f32_or(field, 0.0)?;
        if epsilon < 0.0 {
            bail!(ModelUnsupported, "{}: {field} is {epsilon}, expected 0 or more", config.name());
        }
    }
    Ok(())
}

/// The names of a head's table. A conversion to safetensors keeps only one of two tensors that share their storage, and the one it
/// keeps may be the head's.
const HEAD_TABLES: [&str; 8] = [
    "lm_head.weight",
    "lm_head.decoder.weight",
    "cls.predictions.decoder.weight",
    "predictions.decoder.weight",
    "vocab_projector.weight",
    "decoder.weight",
    "embed_out.weight",
    "generator_lm_head.weight",
];

/// If a model has one table for embeddings and head, its checkpoint may store it under the head's name.
fn name_tied_table(spec: &mut ModelSpec) {
    if let Ok(head) = &spec.head
        && head.table == spec.embedding.tokens
    {
        spec.tensors.add_aliases(head.table, &HEAD_TABLES);
    }
}

/// Checks that the sizes fit together, and that kernels can index them with 32 bits.
fn check_sizes(config: &Config, spec: &ModelSpec) -> Result<()> {
    let name = config.name();
    // The families with embeddings of another width than the hidden states have a field for it.
    let width_field = ["word_embed_proj_dim", "embedding_size"].into_iter().find(|field| config.has(field));
    let positive = [
        ("vocab_size", spec.vocabulary),
        ("hidden_size", spec.hidden),
        (width_field.unwrap_or("hidden_size"), spec.tensors.as_slice()[spec.embedding.tokens].width),
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
        bail!(ModelUnsupported, "{name}: head size {}, but at most 256 is supported", spec.head_dim);
    }
    for tensor in spec.tensors.as_slice() {
        if tensor.elements() >= 1 << 32 {
            bail!(
                ModelUnsupported,
                "{name}: {} has {} elements, expected at most 2^32 - 1",
                tensor.name,
                tensor.elements()
            );
        }
    }
    Ok(())
}

/// Checks that each layer of a fused tensor begins at a whole vec4, the unit in which kernels read weights, and that the layers
/// cover all rows.
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
    // A pass updates only the rows that it materializes, so a row that belongs to no layer would never be updated.
    let mut rows = BTreeMap::new();
    for (_, linear) in spec.linears() {
        *rows.entry(linear.weight).or_insert(0) += u64::from(linear.rows);
    }
    for (id, rows) in rows {
        let tensor = &spec.tensors.as_slice()[id];
        if rows != u64::from(tensor.rows) {
            let (name, all) = (config.name(), tensor.rows);
            bail!(ModelUnsupported, "{name}: layers use {rows} of the {all} rows of {}", tensor.name);
        }
    }
    Ok(())
}

/// Rejects what a spec can express but the transformer does not implement.
fn check_implemented(config: &Config, spec: &ModelSpec) -> Result<()> {
    let is_layer = |norm: Option<Norm>| norm.is_some_and(|norm| !matches!(norm.kind, NormKind::Rms { .. }));
    // A kernel that reads the logits adds the bias after the cap.
    let capped = spec.head.as_ref().is_ok_and(|head| head.softcap.is_some() && head.bias.is_some());
    let mut missing = vec![(capped, "a soft cap of biased logits")];
    for layer in &spec.layers {
        let around = [&layer.mixer_norms, &layer.mlp_norms];
        let heads =
            layer.attention().map_or([None; 2], |attention| [attention.query_norm, attention.key_norm]);
        let later = around.iter().any(|norms| norms.output.is_some() || norms.residual.is_some());
        missing.extend([
            (heads.into_iter().any(is_layer), "a layer norm of query or key heads"),
            (around.iter().any(|norms| is_layer(norms.output)), "a layer norm of a sublayer's output"),
            (
                around.iter().any(|norms| norms.output.is_some() && norms.scale != 1.0),
                "a residual multiplier with a norm of a sublayer's output",
            ),
            (spec.parallel_residual && later, "a parallel residual with norms after its sublayers"),
        ]);
    }
    match missing.iter().find(|(found, _)| *found) {
        Some((_, what)) => bail!(ModelUnsupported, "{}: {what} is not implemented", config.name()),
        None => Ok(()),
    }
}
