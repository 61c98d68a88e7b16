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
