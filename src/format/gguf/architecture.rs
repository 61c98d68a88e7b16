//! The architectures that are read from GGUF: one table entry each, which says what llama.cpp's
//! converter renamed.
//!
//! An architecture whose layers have the usual tensors is one more entry of [`ARCHITECTURES`].

use serde_json::{Value as Json, json};

/// What differs between an architecture of GGUF and the model of Hugging Face that it was converted
/// from.
pub(super) struct Architecture {
    /// `general.architecture`, which its hyperparameters' keys begin with.
    pub(super) name: &'static str,
    /// `model_type` in `config.json`.
    pub(super) model_type: &'static str,
    /// The model's class in transformers.
    pub(super) class: &'static str,
    /// Hyperparameters beside those that all architectures have: the key behind the architecture's
    /// name, and the field of `config.json`.
    pub(super) fields: &'static [(&'static str, &'static str)],
    /// Fields that the metadata does not hold because llama.cpp knows them.
    pub(super) known: fn(&Sizes) -> Json,
    /// The key and the field of the norms' epsilon.
    pub(super) epsilon: (&'static str, &'static str),
    /// The modules outside of the layers: GGUF's name, and Hugging Face's.
    pub(super) outside: &'static [(&'static str, &'static str)],
    /// What the layer's number follows in Hugging Face's names.
    pub(super) layers: &'static str,
    /// The modules of a layer: GGUF's name, and Hugging Face's behind the layer's number.
    pub(super) layer: &'static [(&'static str, &'static str)],
    /// Whether the rows of the query and key projections are stored with a head's rotary halves
    /// interleaved.
    pub(super) interleaved: bool,
    /// The modules whose weights Hugging Face has as `[inputs, outputs]`; GGUF has all as
    /// `[outputs, inputs]`.
    pub(super) transposed: &'static [&'static str],
    /// Whether norm weights are stored with the 1 added that the model adds.
    pub(super) norms_plus_one: bool,
}

/// Sizes that [`Architecture::known`] may depend on.
pub(super) struct Sizes {
    pub(super) hidden: u32,
    pub(super) heads: u32,
    pub(super) head_dim: u32,
    pub(super) layers: u32,
}

/// The key and the field of the epsilon of RMS norms.
const RMS: (&str, &str) = ("attention.layer_norm_rms_epsilon", "rms_norm_eps");

/// The modules outside of Llama's layers.
const OUTSIDE: &[(&str, &str)] =
    &[("token_embd", "model.embed_tokens"), ("output_norm", "model.norm"), ("output", "lm_head")];

/// The modules of Llama's layers.
const LLAMA: &[(&str, &str)] = &[
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// The modules of Qwen3's layers.
const QWEN3: &[(&str, &str)] = &[
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
];

/// The modules of Gemma 3's layers.
const GEMMA3: &[(&str, &str)] = &[
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_output", "self_attn.o_proj"),
    ("post_attention_norm", "post_attention_layernorm"),
    ("ffn_norm", "pre_feedforward_layernorm"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
    ("post_ffw_norm", "post_feedforward_layernorm"),
];

/// The modules of GPT-2's layers.
const GPT2: &[(&str, &str)] = &[
    ("attn_norm", "ln_1"),
    ("attn_qkv", "attn.c_attn"),
    ("attn_output", "attn.c_proj"),
    ("ffn_norm", "ln_2"),
    ("ffn_up", "mlp.c_fc"),
    ("ffn_down", "mlp.c_proj"),
];

fn swiglu(_: &Sizes) -> Json {
    json!({ "hidden_act": "silu" })
}

/// llama.cpp divides scores by the root of hidden / heads in the model of 62 layers (27B), and by
/// that of the head's width in others. Every sixth layer sees all tokens.
fn gemma3(sizes: &Sizes) -> Json {
    let width = if sizes.layers == 62 { sizes.hidden / sizes.heads } else { sizes.head_dim };
    json!({
        "hidden_activation": "gelu_pytorch_tanh",
        "query_pre_attn_scalar": width,
        "sliding_window_pattern": 6,
    })
}

/// Every architecture that is read.
pub(super) const ARCHITECTURES: &[Architecture] = &[
    Architecture {
        name: "gpt2",
        model_type: "gpt2",
        class: "GPT2LMHeadModel",
        fields: &[],
        known: |_| json!({}),
        epsilon: ("attention.layer_norm_epsilon", "layer_norm_epsilon"),
        outside: &[
            ("token_embd", "transformer.wte"),
            ("position_embd", "transformer.wpe"),
            ("output_norm", "transformer.ln_f"),
            ("output", "lm_head"),
        ],
        layers: "transformer.h",
        layer: GPT2,
        interleaved: false,
        transposed: &["attn_qkv", "attn_output", "ffn_up", "ffn_down"],
        norms_plus_one: false,
    },
    Architecture {
        name: "llama",
        model_type: "llama",
        class: "LlamaForCausalLM",
        fields: &[("attention.sliding_window", "sliding_window")],
        known: swiglu,
        epsilon: RMS,
        outside: OUTSIDE,
        layers: "model.layers",
        layer: LLAMA,
        interleaved: true,
        transposed: &[],
        norms_plus_one: false,
    },
    Architecture {
        name: "qwen2",
        model_type: "qwen2",
        class: "Qwen2ForCausalLM",
        fields: &[],
        known: swiglu,
        epsilon: RMS,
        outside: OUTSIDE,
        layers: "model.layers",
        layer: LLAMA,
        interleaved: false,
        transposed: &[],
        norms_plus_one: false,
    },
    Architecture {
        name: "qwen3",
        model_type: "qwen3",
        class: "Qwen3ForCausalLM",
        fields: &[],
        known: swiglu,
        epsilon: RMS,
        outside: OUTSIDE,
        layers: "model.layers",
        layer: QWEN3,
        interleaved: false,
        transposed: &[],
        norms_plus_one: false,
    },
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
        epsilon: RMS,
        outside: OUTSIDE,
        layers: "model.layers",
        layer: GEMMA3,
        interleaved: false,
        transposed: &[],
        norms_plus_one: true,
    },
];

impl Architecture {
    /// The entry of `general.architecture`.
    pub(super) fn named(name: &str) -> Option<&'static Architecture> {
        ARCHITECTURES.iter().find(|architecture| architecture.name == name)
    }

    /// The entry of a `model_type` of `config.json`.
    pub(super) fn of_model_type(name: &str) -> Option<&'static Architecture> {
        // llama.cpp converts Mistral models to its llama.
        let name = if name == "mistral" { "llama" } else { name };
        ARCHITECTURES.iter().find(|architecture| architecture.model_type == name)
    }

    /// GGUF's name of a layer's module, such as `blk.0.attn_q` for `model.layers.0.self_attn.q_proj`.
    pub(super) fn gguf(&self, path: &str) -> Option<String> {
        let (layer, module) = path.strip_prefix(self.layers)?.strip_prefix('.')?.split_once('.')?;
        let layer: u32 = layer.parse().ok()?;
        let (name, _) = self.layer.iter().find(|(_, ours)| *ours == module)?;
        Some(format!("blk.{layer}.{name}"))
    }

    /// Hugging Face's name of a tensor.
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

    /// Whether a tensor of Hugging Face's name is a norm's weight.
    pub(super) fn is_norm(name: &str) -> bool {
        name.ends_with("norm.weight")
    }
}
