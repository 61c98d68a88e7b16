//! The table of families in `ARCHITECTURE.md` is what the program reads. `POCKETLLM_WRITE=1 cargo test --test it families` writes it.

use crate::common::golden;
use pocketllm::format::config::Config;
use pocketllm::format::gguf::architecture_of;
use pocketllm::model::{HeadKind, ModelSpec, family};

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

/// The spec of a tiny model of a family with some fields of its own.
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

/// The configuration of transformers 5 has the width of one side of the window as `sliding_window`, and a file may say it so.
#[test]
fn a_window_of_modernbert_is_on_both_sides() {
    let window = |fields| tiny("modernbert", fields).unwrap().layers[1].attention().unwrap().window;
    assert_eq!(window(""), Some(65));
    assert_eq!(window(r#","local_attention":7"#), Some(4));
    assert_eq!(window(r#","local_attention":7,"sliding_window":5"#), Some(6));
}

/// In transformers 5 the layers that `layer_types` lists have masks of the window whether or not `use_sliding_window` is set.
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
