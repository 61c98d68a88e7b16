//! The table of families in `ARCHITECTURE.md` matches what the program reads. `POCKETLLM_WRITE=1 cargo test --test it families`
//! writes it.

use crate::common::golden;
use pocketllm::error::Code;
use pocketllm::format::config::Config;
use pocketllm::format::gguf::architecture_of;
use pocketllm::model::{Activation, HeadKind, LayerSpec, Mlp, ModelSpec, RotaryScaling, family};

const BEGIN: &str = "<!-- families: written by tests/it/families.rs -->\n";
const END: &str = "<!-- end of families -->\n";

/// The spec of a golden model of the family.
fn spec(model_type: &str) -> ModelSpec {
    let config = golden::configs().find(|config| config["model_type"] == model_type);
    let config = config.unwrap_or_else(|| panic!("no golden model of {model_type}"));
    family::spec(&Config::from_fields("config.json", config.as_object().unwrap().clone())).unwrap()
}

fn table() -> String {
    let mut table = String::from(
        "| `model_type` | for example | language model | classifier of transformers | GGUF |\n|---|---|---|---|---|\n",
    );
    for family in family::FAMILIES {
        let spec = spec(family.model_type);
        let kind = match spec.head_kind() {
            HeadKind::MaskedLm => "masked",
            HeadKind::CausalLm => "causal",
        };
        let class = spec.classifier.map_or(String::new(), |classifier| format!("`{}`", classifier.class));
        let gguf = architecture_of(family.model_type).map_or(String::new(), |name| format!("`{name}`"));
        table += &format!("| `{}` | {} | {kind} | {class} | {gguf} |\n", family.model_type, family.example);
    }
    table
}

#[test]
fn the_table_of_families_is_what_is_read() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/ARCHITECTURE.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("the table's beginning");
    let (found, after) = rest.split_once(END).expect("the table's end");
    if std::env::var_os("POCKETLLM_WRITE").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
    } else {
        assert_eq!(found, table(), "POCKETLLM_WRITE=1 cargo test --test it families writes the table");
    }
}

#[test]
fn families_are_in_order() {
    assert!(family::FAMILIES.is_sorted_by_key(|family| family.model_type));
}

/// The spec of a tiny model of a family, with some additional fields.
fn tiny(model_type: &str, fields: &str) -> pocketllm::error::Result<ModelSpec> {
    let shared = format!(
        r#"{{"model_type":"{model_type}","vocab_size":61,"hidden_size":24,"num_attention_heads":4,"num_key_value_heads":2,
        "num_hidden_layers":2,"intermediate_size":36{fields}}}"#
    );
    family::spec(&Config::parse("config.json", shared.as_bytes())?)
}

/// The defaults of transformers 5. `tests/reference/families.py` compares models without these fields.
#[test]
fn fields_that_are_left_out_have_the_defaults_of_transformers() {
    let theta = |spec: &ModelSpec| spec.layers[0].attention().unwrap().rotary.as_ref().unwrap().theta;
    assert_eq!(theta(&tiny("smollm3", "").unwrap()), 2e6);
    assert_eq!(theta(&tiny("llama", "").unwrap()), 1e4);
    assert_eq!(tiny("qwen3", "").unwrap().head_dim, 128);
    assert_eq!(tiny("qwen2", "").unwrap().head_dim, 6);
    let caps = |fields| {
        let spec = tiny("gemma2", fields).unwrap();
        (spec.layers[0].attention().unwrap().softcap, spec.head.as_ref().unwrap().softcap)
    };
    assert_eq!(caps(""), (Some(50.0), Some(30.0)));
    assert_eq!(caps(r#","attn_logit_softcapping":null,"final_logit_softcapping":null"#), (None, None));
    assert_eq!(caps(r#","final_logit_softcapping":5"#), (Some(50.0), Some(5.0)));
}

/// The configuration of transformers 5 has the width of one side of the window in `sliding_window`, and a file may do the same.
#[test]
fn a_window_of_modernbert_is_on_both_sides() {
    let window = |fields| tiny("modernbert", fields).unwrap().layers[1].attention().unwrap().window;
    assert_eq!(window(""), Some(65));
    assert_eq!(window(r#","local_attention":7"#), Some(4));
    assert_eq!(window(r#","local_attention":7,"sliding_window":5"#), Some(6));
}

/// In transformers 5, the layers listed in `layer_types` have window masks whether or not `use_sliding_window` is set.
#[test]
fn layers_of_smollm3_have_the_windows_that_are_listed() {
    let windows = |fields| {
        let spec = tiny("smollm3", fields).unwrap();
        spec.layers.iter().map(|layer| layer.attention().unwrap().window).collect::<Vec<_>>()
    };
    let listed = r#","sliding_window":3,"layer_types":["full_attention","sliding_attention"]"#;
    assert_eq!(windows(listed), [None, Some(3)]);
    assert_eq!(windows(r#","sliding_window":3"#), [None, None]);
    let default = r#","sliding_window":3,"use_sliding_window":true,"no_rope_layers":[0,1]"#;
    assert_eq!(windows(default), [Some(3), None]);
}

#[test]
fn a_part_of_a_head_is_rotated_only_in_families_where_transformers_does() {
    let dim = |model_type, fields| {
        tiny(model_type, fields).unwrap().layers[0].attention().unwrap().rotary.clone().unwrap().dim
    };
    for whole in ["llama", "mistral", "qwen2", "smollm3", "granite", "olmo2"] {
        assert_eq!(dim(whole, r#","head_dim":8,"partial_rotary_factor":0.5"#), 8, "{whole}");
        let scaled =
            r#","head_dim":8,"partial_rotary_factor":0.5,"rope_scaling":{"type":"linear","factor":2}"#;
        let error = tiny(whole, scaled).map(|_| ()).unwrap_err();
        assert!(error.message().contains("`partial_rotary_factor`: expected 1"), "{error}");
    }
    assert_eq!(dim("phi3", r#","head_dim":8,"partial_rotary_factor":0.5"#), 4);
    assert_eq!(dim("phi", r#","head_dim":8"#), 4);
}

/// Half of the layers have a window and rotary positions, and the others have neither. Without a window, all layers are alike.
#[test]
fn layers_of_exaone_without_a_window_have_no_positions_where_others_have_one() {
    let layers = |fields| {
        let spec = tiny("exaone4", fields).unwrap();
        let of = |layer: &LayerSpec| {
            let attention = layer.attention().unwrap();
            (attention.window, attention.rotary.is_some())
        };
        spec.layers.iter().map(of).collect::<Vec<_>>()
    };
    let (local, global) = ((Some(7), true), (None, false));
    assert_eq!(layers(r#","sliding_window":7,"sliding_window_pattern":2"#), [local, global]);
    assert_eq!(layers(r#","sliding_window":7"#), [local, local]);
    assert_eq!(layers(""), [(Some(4096), true); 2]);
    let listed = r#","sliding_window":7,"sliding_window_pattern":"LLLG","layer_types":["full_attention","sliding_attention"]"#;
    assert_eq!(layers(listed), [global, local]);
    let published = r#","sliding_window":null,"sliding_window_pattern":null,"layer_types":["full_attention","full_attention"]"#;
    assert_eq!(layers(published), [(None, true); 2]);
    assert_eq!(layers(r#","sliding_window":null"#), [(None, true); 2]);
}

/// transformers prefers the longer form.
#[test]
fn windows_of_gpt_neo_are_those_of_either_form() {
    let windows = |fields: &str| {
        let spec = tiny("gpt_neo", &format!(r#","window_size":5{fields}"#)).unwrap();
        spec.layers.iter().map(|layer| layer.attention().unwrap().window).collect::<Vec<_>>()
    };
    assert_eq!(windows(r#","attention_types":[[["local"],1],[["global"],1]]"#), [Some(5), None]);
    assert_eq!(windows(r#","attention_types":[[["global","local"],1]]"#), [None, Some(5)]);
    let both = r#","attention_types":[[["global","local"],1]],"attention_layers":["local","local"]"#;
    assert_eq!(windows(both), [Some(5); 2]);
}

/// Tencent's models of up to 7 billion parameters have this scaling, with alpha 1000 or 50.
#[test]
fn alpha_raises_the_base_of_hunyuans_rotary_positions() {
    let theta = |fields| {
        let spec = tiny("hunyuan_v1_dense", fields).unwrap();
        spec.layers[0].attention().unwrap().rotary.clone().unwrap().theta
    };
    let published = r#","head_dim":128,"rope_theta":10000.0,
        "rope_scaling":{"alpha":1000.0,"beta_fast":32,"beta_slow":1,"factor":1.0,"mscale":1.0,"mscale_all_dim":1.0,"type":"dynamic"}"#;
    assert_eq!(theta(published), 11_158_840.0);
    assert_eq!(theta(r#","rope_scaling":{"alpha":0,"type":"dynamic"}"#), 1e4);
    assert_eq!(theta(r#","rope_scaling":{"alpha":1000,"type":"linear","factor":2}"#), 1e4);
}

/// A file may say "gelu" for the tanh approximation, and transformers reads it that way.
#[test]
fn the_gelu_of_gemma_is_an_approximation() {
    let activation = |fields: &str| match tiny("gemma", fields).unwrap().layers[0].mlp {
        Mlp::Glu { activation, .. } | Mlp::Plain { activation, .. } => activation,
    };
    assert_eq!(activation(""), Activation::GeluTanh);
    assert_eq!(activation(r#","hidden_act":"gelu""#), Activation::GeluTanh);
    assert_eq!(activation(r#","hidden_act":"silu""#), Activation::Silu);
}

/// Beyond the pretraining length, Ministral 3 would multiply queries by a factor that is not implemented.
#[test]
fn texts_of_ministral_3_end_where_its_queries_would_grow() {
    let longest = |fields: &str| tiny("ministral3", fields).unwrap().max_length;
    assert_eq!(longest(""), 16_384);
    let rope = |beta| {
        format!(
            r#","rope_parameters":{{"rope_type":"yarn","rope_theta":1e6,"factor":4.0,"original_max_position_embeddings":64,
            "llama_4_scaling_beta":{beta}}},"max_position_embeddings":256"#
        )
    };
    assert_eq!(longest(&rope("0.1")), 64);
    assert_eq!(longest(&rope("0.0")), 256);
}

/// Layers with a window use neither the scaling nor the base at the top level, as in transformers 5.
#[test]
fn layers_of_olmo_3_have_rotary_positions_by_their_type() {
    let spec =
        tiny("olmo3", r#","rope_theta":100.0,"rope_scaling":{"rope_type":"linear","factor":8.0}"#).unwrap();
    assert_eq!(spec.layers[0].attention().unwrap().rotary.as_ref().unwrap().theta, 5e5);
    let listed = r#","layer_types":["sliding_attention","full_attention"],"rope_theta":100.0,
        "rope_scaling":{"rope_type":"linear","factor":8.0}"#;
    let rotary = tiny("olmo3", listed).unwrap().layers[1].attention().unwrap().rotary.clone().unwrap();
    assert_eq!((rotary.theta, rotary.scaling), (100.0, RotaryScaling::Linear { factor: 8.0 }));
}

#[test]
fn fields_that_change_the_computation_are_refused_by_name() {
    for (model_type, fields, says) in [
        ("gemma", r#","use_bidirectional_attention":true"#, "use_bidirectional_attention is true"),
        ("olmo3", r#","sliding_window":null"#, "sliding_window is null"),
        (
            "ministral",
            r#","sliding_window":null,"layer_types":["full_attention","sliding_attention"]"#,
            "is null",
        ),
        ("cohere", r#","use_qk_norm":true"#, "use_qk_norm is true"),
        ("cohere", r#","logit_scale":0"#, "logit_scale is 0"),
        ("cohere2", r#","use_parallel_block":false"#, "use_parallel_block is false"),
        ("cohere2", r#","sliding_window_pattern":0"#, "sliding_window_pattern is 0"),
        ("gptj", r#","rotary_dim":null"#, "rotary_dim is null"),
        ("gptj", r#","rotary_dim":5"#, "rotary_dim is 5"),
        ("gptj", "", "rotary_dim is 64"),
        ("gpt_bigcode", r#","add_cross_attention":true"#, "add_cross_attention is true"),
        ("megatron-bert", r#","max_position_embeddings":40,"is_decoder":true"#, "is_decoder is true"),
        ("ernie4_5", r#","compression_ratio":0.5"#, "compression_ratio is 0.5"),
        ("hunyuan_v1_dense", r#","use_qk_norm":false"#, "use_qk_norm is false"),
        ("hunyuan_v1_dense", r#","use_cla":true"#, "use_cla is true"),
        ("hunyuan_v1_dense", r#","rope_scaling":{"type":"dynamic","alpha":-5}"#, "`alpha`: -5"),
        ("exaone4", r#","sliding_window_pattern":"LG""#, "sliding_window_pattern"),
        ("exaone4", r#","sliding_window_pattern":0"#, "sliding_window_pattern is 0"),
        ("exaone4", r#","sliding_window_pattern":null"#, "sliding_window_pattern is null"),
        ("granitemoehybrid", "", "num_local_experts is 8"),
        ("granitemoehybrid", r#","num_local_experts":0"#, "layer_types: only"),
        ("granitemoehybrid", r#","num_local_experts":0,"layer_types":["attention","mamba"]"#, "\"mamba\""),
        ("stablelm", r#","qk_layernorm":true"#, "qk_layernorm is true"),
        ("olmo", r#","clip_qkv":8.0"#, "clip_qkv is 8"),
        ("gpt_neo", r#","attention_types":[[["global"],3]]"#, "attention_types has 3 entries for 2 layers"),
        ("gpt_neo", r#","attention_types":[[["global","local"],900719925474]]"#, "has 3 entries"),
        ("gpt_neo", r#","attention_types":[[[],900719925474]]"#, "has 0 entries"),
        ("gpt_neo", r#","attention_types":["global"]"#, "attention_types: expected a list"),
        ("gpt_neo", r#","attention_layers":["global","random"]"#, "\"random\""),
        ("gpt_neo", r#","attention_layers":["global","local"],"window_size":0"#, "window_size is 0"),
    ] {
        let error = tiny(model_type, fields).map(|_| ()).unwrap_err();
        assert_eq!(error.code(), Code::ModelUnsupported, "{model_type} {fields}");
        assert!(error.message().contains(says), "{model_type} {fields}: {error}");
    }
}
