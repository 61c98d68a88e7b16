//! The architectures that can be read from GGUF. Each has a table entry that says what llama.cpp's converter renamed.
//!
//! To support an architecture whose layers have the usual tensors, add an entry to [`ARCHITECTURES`].

use super::modules::{
    GEMMA2, GEMMA3, GLM4, GPT_NEOX, GPT2, GPT2_OUTSIDE, HUNYUAN, LFM2, LFM2_OUTSIDE, LLAMA, OLMO2, OUTSIDE,
    PHI2, PHI3, QWEN3, RMS, SEED_OSS, STARCODER2,
};
use serde_json::{Value as Json, json};

/// The differences between a GGUF architecture and the Hugging Face model that it was converted from.
pub(super) struct Architecture {
    /// `general.architecture`, which is also the prefix of its hyperparameters' keys.
    pub(super) name: &'static str,
    /// `model_type` in `config.json`.
    pub(super) model_type: &'static str,
    /// The model's class in transformers.
    pub(super) class: &'static str,
    /// Hyperparameters in addition to those that all architectures have: the key after the architecture's name, and the field of
    /// `config.json`.
    pub(super) fields: &'static [(&'static str, &'static str)],
    /// Fields that are missing from the metadata because llama.cpp hardcodes them.
    pub(super) known: fn(&Sizes) -> Json,
    /// The metadata key and the `config.json` field of the norms' epsilon.
    pub(super) epsilon: (&'static str, &'static str),
    /// The modules outside of the layers: GGUF's name and Hugging Face's name.
    pub(super) outside: &'static [(&'static str, &'static str)],
    /// The prefix before a layer's number in Hugging Face's names.
    pub(super) layers: &'static str,
    /// The modules of a layer: GGUF's name, and Hugging Face's name after the layer's number.
    pub(super) layer: &'static [(&'static str, &'static str)],
    /// Whether the rows of the query and key projections are stored with a head's rotary halves
    /// interleaved.
    pub(super) interleaved: bool,
    /// The modules whose weights Hugging Face stores as `[inputs, outputs]`. GGUF stores all weights as `[outputs, inputs]`.
    pub(super) transposed: &'static [&'static str],
    /// Whether the 1 that the model adds to norm weights is already included in the stored weights.
    pub(super) norms_plus_one: bool,
    /// The module whose rows Hugging Face stores head by head, with each head's query, key and value together. GGUF stores all
    /// queries, then all keys, then all values.
    pub(super) by_head: Option<&'static str>,
    /// Whether only a part of a head may be rotated: `rope.dimension_count` columns.
    pub(super) partial: bool,
}

/// Sizes that [`Architecture::known`] may depend on.
pub(super) struct Sizes {
    pub(super) hidden: u32,
    pub(super) heads: u32,
    pub(super) head_dim: u32,
    pub(super) layers: u32,
}

fn swiglu(_: &Sizes) -> Json {
    json!({ "hidden_act": "silu" })
}

/// llama.cpp divides scores by the square root of the head's width if there is no `attention.scale`.
fn granite(sizes: &Sizes) -> Json {
    json!({ "hidden_act": "silu", "attention_multiplier": 1.0 / (f64::from(sizes.head_dim)).sqrt() })
}

/// llama.cpp divides scores by the square root of hidden / heads in the model with 62 layers (27B), and by that of the head's width
/// in the others. Every sixth layer sees all tokens.
fn gemma3(sizes: &Sizes) -> Json {
    let width = if sizes.layers == 62 { sizes.hidden / sizes.heads } else { sizes.head_dim };
    json!({
        "hidden_activation": "gelu_pytorch_tanh",
        "query_pre_attn_scalar": width,
        "sliding_window_pattern": 6,
    })
}

/// llama.cpp divides scores by the square root of hidden / heads in the model with 46 layers (27B), and by that of the head's width
/// in the others.
fn gemma2(sizes: &Sizes) -> Json {
    let width = if sizes.layers == 46 { sizes.hidden / sizes.heads } else { sizes.head_dim };
    json!({ "hidden_activation": "gelu_pytorch_tanh", "query_pre_attn_scalar": width })
}

/// GPT-2's name for the width of the MLP, which is not read from `intermediate_size`.
const GPT2_FIELDS: &[(&str, &str)] = &[("feed_forward_length", "n_inner")];

/// The values of most entries: Llama's names and norms.
const BASE: Architecture = Architecture {
    name: "",
    model_type: "",
    class: "",
    fields: &[],
    known: swiglu,
    epsilon: RMS,
    outside: OUTSIDE,
    layers: "model.layers",
    layer: LLAMA,
    interleaved: false,
    transposed: &[],
    norms_plus_one: false,
    by_head: None,
    partial: false,
};

/// Every architecture that can be read.
pub(super) const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        name: "gpt2",
        model_type: "gpt2",
        class: "GPT2LMHeadModel",
        fields: GPT2_FIELDS,
        known: |_| json!({}),
        epsilon: ("attention.layer_norm_epsilon", "layer_norm_epsilon"),
        outside: GPT2_OUTSIDE,
        layers: "transformer.h",
        layer: GPT2,
        transposed: &["attn_qkv", "attn_output", "ffn_up", "ffn_down"],
        ..BASE
    },
    Architecture {
        name: "llama",
        model_type: "llama",
        class: "LlamaForCausalLM",
        fields: &[("attention.sliding_window", "sliding_window")],
        interleaved: true,
        ..BASE
    },
    Architecture { name: "qwen2", model_type: "qwen2", class: "Qwen2ForCausalLM", ..BASE },
    Architecture { name: "qwen3", model_type: "qwen3", class: "Qwen3ForCausalLM", layer: QWEN3, ..BASE },
    Architecture {
        name: "gemma3",
        model_type: "gemma3_text",
        class: "Gemma3ForCausalLM",
        fields: &[
            ("attention.sliding_window", "sliding_window"),
            ("rope.freq_base_swa", "rope_local_base_freq"),
            ("final_logit_softcapping", "final_logit_softcapping"),
        ],
        known: gemma3,
        layer: GEMMA3,
        norms_plus_one: true,
        ..BASE
    },
    Architecture {
        name: "gemma2",
        model_type: "gemma2",
        class: "Gemma2ForCausalLM",
        fields: &[
            ("attention.sliding_window", "sliding_window"),
            ("attn_logit_softcapping", "attn_logit_softcapping"),
            ("final_logit_softcapping", "final_logit_softcapping"),
        ],
        known: gemma2,
        layer: GEMMA2,
        norms_plus_one: true,
        ..BASE
    },
    Architecture {
        name: "smollm3",
        model_type: "smollm3",
        class: "SmolLM3ForCausalLM",
        interleaved: true,
        ..BASE
    },
    Architecture {
        name: "lfm2",
        model_type: "lfm2",
        class: "Lfm2ForCausalLM",
        fields: &[("shortconv.l_cache", "conv_L_cache")],
        // The MLP's width in the file is the actual width.
        known: |_| json!({ "block_auto_adjust_ff_dim": false }),
        epsilon: ("attention.layer_norm_rms_epsilon", "norm_eps"),
        outside: LFM2_OUTSIDE,
        layer: LFM2,
        ..BASE
    },
    Architecture { name: "olmo2", model_type: "olmo2", class: "Olmo2ForCausalLM", layer: OLMO2, ..BASE },
    Architecture { name: "ernie4_5", model_type: "ernie4_5", class: "Ernie4_5ForCausalLM", ..BASE },
    Architecture {
        name: "hunyuan-dense",
        model_type: "hunyuan_v1_dense",
        class: "HunYuanDenseV1ForCausalLM",
        layer: HUNYUAN,
        ..BASE
    },
    Architecture {
        name: "exaone4",
        model_type: "exaone4",
        class: "Exaone4ForCausalLM",
        fields: &[("attention.sliding_window", "sliding_window")],
        // The metadata has no such key if there is no window.
        known: |_| json!({ "hidden_act": "silu", "sliding_window": null }),
        layer: OLMO2,
        ..BASE
    },
    Architecture {
        name: "granite",
        model_type: "granite",
        class: "GraniteForCausalLM",
        fields: &[
            ("attention.scale", "attention_multiplier"),
            ("embedding_scale", "embedding_multiplier"),
            ("residual_scale", "residual_multiplier"),
            ("logit_scale", "logits_scaling"),
        ],
        known: granite,
        interleaved: true,
        ..BASE
    },
    Architecture {
        name: "phi2",
        model_type: "phi",
        class: "PhiForCausalLM",
        known: |_| json!({ "hidden_act": "gelu_new" }),
        epsilon: ("attention.layer_norm_epsilon", "layer_norm_eps"),
        outside: &[
            ("token_embd", "model.embed_tokens"),
            ("output_norm", "model.final_layernorm"),
            ("output", "lm_head"),
        ],
        layer: PHI2,
        partial: true,
        ..BASE
    },
    Architecture {
        name: "phi3",
        model_type: "phi3",
        class: "Phi3ForCausalLM",
        fields: &[
            ("attention.sliding_window", "sliding_window"),
            ("rope.scaling.original_context_length", "original_max_position_embeddings"),
        ],
        layer: PHI3,
        partial: true,
        ..BASE
    },
    Architecture {
        name: "stablelm",
        model_type: "stablelm",
        class: "StableLmForCausalLM",
        epsilon: ("attention.layer_norm_epsilon", "layer_norm_eps"),
        partial: true,
        ..BASE
    },
    Architecture {
        name: "starcoder2",
        model_type: "starcoder2",
        class: "Starcoder2ForCausalLM",
        known: |_| json!({ "hidden_act": "gelu_pytorch_tanh" }),
        epsilon: ("attention.layer_norm_epsilon", "norm_epsilon"),
        layer: STARCODER2,
        ..BASE
    },
    Architecture {
        name: "olmo",
        model_type: "olmo",
        class: "OlmoForCausalLM",
        epsilon: ("attention.layer_norm_epsilon", "layer_norm_eps"),
        interleaved: true,
        ..BASE
    },
    Architecture {
        name: "gptneox",
        model_type: "gpt_neox",
        class: "GPTNeoXForCausalLM",
        known: |_| json!({ "hidden_act": "gelu" }),
        epsilon: ("attention.layer_norm_epsilon", "layer_norm_eps"),
        outside: &[
            ("token_embd", "gpt_neox.embed_in"),
            ("output_norm", "gpt_neox.final_layer_norm"),
            ("output", "embed_out"),
        ],
        layers: "gpt_neox.layers",
        layer: GPT_NEOX,
        by_head: Some("attn_qkv"),
        partial: true,
        ..BASE
    },
    Architecture {
        name: "gemma",
        model_type: "gemma",
        class: "GemmaForCausalLM",
        known: |_| json!({ "hidden_act": "gelu_pytorch_tanh" }),
        norms_plus_one: true,
        ..BASE
    },
    Architecture {
        name: "chatglm",
        model_type: "glm",
        class: "GlmForCausalLM",
        layer: GLM4,
        partial: true,
        ..BASE
    },
    Architecture {
        name: "glm4",
        model_type: "glm4",
        class: "Glm4ForCausalLM",
        layer: GLM4,
        partial: true,
        ..BASE
    },
    Architecture {
        name: "command-r",
        model_type: "cohere",
        class: "CohereForCausalLM",
        fields: &[("logit_scale", "logit_scale")],
        epsilon: ("attention.layer_norm_epsilon", "layer_norm_eps"),
        ..BASE
    },
    Architecture {
        name: "cohere2",
        model_type: "cohere2",
        class: "Cohere2ForCausalLM",
        fields: &[("attention.sliding_window", "sliding_window"), ("logit_scale", "logit_scale")],
        epsilon: ("attention.layer_norm_epsilon", "layer_norm_eps"),
        ..BASE
    },
    Architecture {
        name: "seed_oss",
        model_type: "seed_oss",
        class: "SeedOssForCausalLM",
        layer: SEED_OSS,
        ..BASE
    },
    Architecture {
        name: "arcee",
        model_type: "arcee",
        class: "ArceeForCausalLM",
        known: |_| json!({ "hidden_act": "relu2" }),
        interleaved: true,
        ..BASE
    },
    Architecture {
        name: "starcoder",
        model_type: "gpt_bigcode",
        class: "GPTBigCodeForCausalLM",
        fields: GPT2_FIELDS,
        known: |_| json!({}),
        epsilon: ("attention.layer_norm_epsilon", "layer_norm_epsilon"),
        outside: GPT2_OUTSIDE,
        layers: "transformer.h",
        layer: GPT2,
        ..BASE
    },
];

impl Architecture {
    /// The entry for a `general.architecture`.
    pub(super) fn named(name: &str) -> Option<&'static Architecture> {
        ARCHITECTURES.iter().find(|architecture| architecture.name == name)
    }

    /// The entry for a `model_type` of `config.json`.
    pub(super) fn of_model_type(name: &str) -> Option<&'static Architecture> {
        // llama.cpp converts Mistral models to its `llama` architecture.
        let name = if name == "mistral" { "llama" } else { name };
        ARCHITECTURES.iter().find(|architecture| architecture.model_type == name)
    }

    /// GGUF's name for a layer's module, such as `blk.0.attn_q` for `model.layers.0.self_attn.q_proj`.
    pub(super) fn gguf(&self, path: &str) -> Option<String> {
        let (layer, module) = path.strip_prefix(self.layers)?.strip_prefix('.')?.split_once('.')?;
        let layer: u32 = layer.parse().ok()?;
        let (name, _) = self.layer.iter().find(|(_, ours)| *ours == module)?;
        Some(format!("blk.{layer}.{name}"))
    }

    /// Hugging Face's name for a tensor.
    pub(super) fn hugging_face(&self, name: &str) -> Option<String> {
        let (module, parameter) = name.rsplit_once('.')?;
        if !matches!(parameter, "weight" | "bias") {
            return None;
        }
        let renamed = |names: &[(&str, &'static str)], module: &str| {
            names.iter().find(|(theirs, _)| *theirs == module).map(|(_, ours)| *ours)
        };
        if let Some(outside) = renamed(self.outside, module) {
            return Some(format!("{outside}.{parameter}"));
        }
        let (layer, module) = module.strip_prefix("blk.")?.split_once('.')?;
        let layer: u32 = layer.parse().ok()?;
        Some(format!("{}.{layer}.{}.{parameter}", self.layers, renamed(self.layer, module)?))
    }

    /// Whether a tensor, by its Hugging Face name, is a norm's weight.
    pub(super) fn is_norm(name: &str) -> bool {
        name.ends_with("norm.weight")
    }
}
