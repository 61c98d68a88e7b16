//! The settings of an adapter, `adapter_config.json`.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Value, json};

use super::module::Module;
use crate::error::{Result, bail};
use crate::format::config::Config;

/// Maximum size of an `adapter_config.json` in bytes.
pub(super) const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// Maximum number of layers, more than any model has. It bounds the lists that have an entry per
/// layer.
const MAX_LAYERS: u32 = 1 << 16;

/// The settings of an adapter.
#[derive(Clone, Debug, PartialEq)]
pub struct AdapterConfig {
    /// `base_model_name_or_path`: the model that the adapter was trained on.
    pub base_model: Option<String>,
    /// `task_type`, such as [`super::CAUSAL_LM`]. It selects the class with which `peft` wraps the model. A prefix requires it.
    pub task_type: Option<String>,
    /// The method and its sizes.
    pub method: Method,
    /// The tensors of the base model that the adapter replaces.
    pub saved: Saved,
}

/// The tensors of the base model for which an adapter contains trained values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Saved {
    /// `modules_to_save`: the path suffixes of modules that were trained as a whole, such as `classifier`.
    pub modules: Vec<String>,
    /// `bias` other than "none": biases were trained.
    pub biases: bool,
}

/// The path of the module that a tensor of the base model belongs to. A whole head `classifier` is one module, as in `peft`.
pub fn module_of(tensor: &str) -> &str {
    let path = tensor.rsplit_once('.').map_or(tensor, |(path, _)| path);
    if path.starts_with("classifier.") { "classifier" } else { path }
}

impl Saved {
    /// The modules that these tensors belong to.
    pub fn of<'a>(tensors: impl Iterator<Item = &'a str>) -> Saved {
        let modules: BTreeSet<&str> = tensors.map(module_of).collect();
        Saved { modules: modules.into_iter().map(str::to_owned).collect(), biases: false }
    }

    /// Whether the adapter may contain the tensor with this name.
    pub(super) fn has(&self, tensor: &str) -> bool {
        // The paths of the modules that contain the tensor.
        let paths = tensor.match_indices('.').map(|(end, _)| &tensor[..end]);
        let within = |path: &str| self.modules.iter().any(|module| path.ends_with(module.as_str()));
        paths.into_iter().any(within) || self.biases && tensor.ends_with(".bias")
    }
}

/// The adapter methods that can be read and written.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// Low-rank additions to linear layers, LoRA (Hu et al. 2021).
    Lora(Lora),
    /// Trained keys and values that precede those of the sequence, prefix tuning (Li and Liang 2021).
    Prefix(Prefix),
}

/// The settings of LoRA.
#[derive(Clone, Debug, PartialEq)]
pub struct Lora {
    /// The rank r, at least 1, of modules that do not have their own.
    pub rank: u64,
    /// The scaling parameter alpha of modules that do not have their own.
    pub alpha: f32,
    /// `rank_pattern`: the ranks of some modules.
    pub ranks: Patterns<u64>,
    /// `alpha_pattern`: the alphas of some modules.
    pub alphas: Patterns<f32>,
    /// Whether the scale is alpha / sqrt(r) instead of alpha / r (rsLoRA).
    pub rank_stabilized: bool,
    /// `target_modules` if it is a list. Each entry is a path suffix of adapted modules. `None` for a pattern; the tensors in the
    /// file then show which modules are adapted.
    pub targets: Option<Vec<String>>,
}

impl Lora {
    /// LoRA with one rank and one alpha for all modules.
    pub fn uniform(rank: u64, alpha: f32) -> Lora {
        let (ranks, alphas) = (Patterns::default(), Patterns::default());
        Lora { rank, alpha, ranks, alphas, rank_stabilized: false, targets: None }
    }

    /// The rank of the module with this path.
    pub fn rank_of(&self, path: &str) -> u64 {
        self.ranks.of(path).unwrap_or(self.rank)
    }

    /// The factor by which B A x is multiplied in the module with this path.
    pub fn scale_of(&self, path: &str) -> f32 {
        let rank = self.rank_of(path) as f64;
        let alpha = f64::from(self.alphas.of(path).unwrap_or(self.alpha));
        (alpha / if self.rank_stabilized { rank.sqrt() } else { rank }) as f32
    }
}

/// Values for the modules whose paths match a regular expression. As in `peft`, an expression matches a suffix of a path that
/// begins at the start or after a dot. If several match, the first is used, in the alphabetical order in which `peft` saves them.
#[derive(Clone, Debug)]
pub struct Patterns<T>(Vec<(Regex, T)>);

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Patterns(Vec::new())
    }
}

impl<T: PartialEq> PartialEq for Patterns<T> {
    fn eq(&self, other: &Self) -> bool {
        let pairs = || self.0.iter().zip(&other.0);
        self.0.len() == other.0.len() && pairs().all(|(a, b)| a.0.as_str() == b.0.as_str() && a.1 == b.1)
    }
}

impl<T: Copy> Patterns<T> {
    /// Reads a field that is an object with expressions as keys.
    fn parse(config: &Config, field: &str, value: impl Fn(&Value) -> Option<T>) -> Result<Self> {
        let name = config.name();
        let entries = match config.value(field) {
            None | Some(Value::Null) => return Ok(Patterns::default()),
            Some(Value::Object(entries)) => entries,
            Some(other) => bail!(ModelUnsupported, "{name}: `{field}`: expected an object, found {other}"),
        };
        let pattern = |(key, found): (&String, &Value)| {
            let Ok(regex) = Regex::new(&format!(r"^(?:.*\.)?(?:{key})$")) else {
                bail!(
                    ModelUnsupported,
                    "{name}: `{field}`: {key:?} is not a regular expression that this program supports"
                );
            };
            match value(found) {
                Some(value) => Ok((regex, value)),
                None => bail!(
                    ModelUnsupported,
                    "{name}: `{field}`: {key:?}: expected a number above 0, found {found}"
                ),
            }
        };
        entries.iter().map(pattern).collect::<Result<_>>().map(Patterns)
    }

    fn of(&self, path: &str) -> Option<T> {
        self.0.iter().find(|(regex, _)| regex.is_match(path)).map(|(_, value)| *value)
    }
}

/// The sizes of a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// `num_virtual_tokens`: the length of the prefix in tokens.
    pub tokens: u64,
    /// `num_layers`: the number of layers.
    pub layers: u64,
    /// `token_dim`: the width of a token's keys in one layer, heads * head size.
    pub width: u64,
    /// `num_attention_heads`: the number of key and value heads.
    pub heads: u64,
}

impl Prefix {
    /// Number of columns of `prompt_embeddings`.
    pub(super) fn columns(&self) -> Option<u64> {
        self.layers.checked_mul(2)?.checked_mul(self.width)
    }
}

/// Fields that change what LoRA computes, and are not implemented. Each of them must be absent,
/// null, false or empty.
const REFUSED_LORA: [&str; 13] = [
    "alora_invocation_tokens",
    "arrow_config",
    "kasa_config",
    "layer_replication",
    "lora_bias",
    "megatron_config",
    "monteclora_config",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_dora",
    "use_qalora",
    "velora_config",
];

/// Initializations of A and B that leave the base weights unchanged. Others subtract the initial B A from the base weights.
const PLAIN_INITS: [&str; 3] = ["gaussian", "eva", "orthogonal"];

impl AdapterConfig {
    /// Parses the fields of the file.
    ///
    /// # Errors
    /// `file-corrupt` if it is not a JSON object; `model-unsupported`, naming the file and the field,
    /// if a field is missing, has the wrong type, or requires a feature that is not implemented.
    pub fn parse(name: &str, bytes: &[u8]) -> Result<AdapterConfig> {
        let config = Config::parse(name, bytes)?;
        let text = |key| Ok(config.opt_str(key)?.filter(|text| !text.is_empty()).map(str::to_owned));
        let (method, saved) = match config.str("peft_type")? {
            "LORA" => (Method::Lora(lora(&config)?), saved(&config)?),
            "PREFIX_TUNING" => (Method::Prefix(prefix(&config)?), Saved::default()),
            other => bail!(
                ModelUnsupported,
                "{name}: `peft_type`: expected \"LORA\" or \"PREFIX_TUNING\", found {other:?}"
            ),
        };
        Ok(AdapterConfig {
            base_model: text("base_model_name_or_path")?,
            task_type: text("task_type")?,
            method,
            saved,
        })
    }

    /// The content of the file for an adapter of these modules (empty for a prefix).
    pub fn to_json(&self, modules: &[Module]) -> String {
        let mut fields = json!({
            "base_model_name_or_path": self.base_model,
            "inference_mode": true,
            "revision": null,
            "task_type": self.task_type,
        });
        let own = match &self.method {
            Method::Lora(lora) => json!({
                "peft_type": "LORA",
                "bias": "none",
                "fan_in_fan_out": modules.iter().any(|module| module.transposed),
                "init_lora_weights": true,
                "lora_alpha": lora.alpha,
                "lora_dropout": 0.0,
                "modules_to_save": Some(&self.saved.modules).filter(|modules| !modules.is_empty()),
                "r": lora.rank,
                // These are full paths, because a suffix of one may also be a suffix of another.
                "target_modules": modules.iter().map(|m| m.path.as_str()).collect::<Vec<_>>(),
                "use_dora": false,
                "use_rslora": lora.rank_stabilized,
            }),
            Method::Prefix(prefix) => json!({
                "peft_type": "PREFIX_TUNING",
                "encoder_hidden_size": prefix.width,
                "num_attention_heads": prefix.heads,
                "num_layers": prefix.layers,
                "num_transformer_submodules": 1,
                "num_virtual_tokens": prefix.tokens,
                "prefix_projection": false,
                "token_dim": prefix.width,
            }),
        };
        if let (Some(fields), Value::Object(own)) = (fields.as_object_mut(), own) {
            fields.extend(own);
        }
        format!("{fields:#}\n")
    }
}

fn lora(config: &Config) -> Result<Lora> {
    let name = config.name();
    for field in REFUSED_LORA {
        refuse(config, field)?;
    }
    match config.value("init_lora_weights") {
        None | Some(Value::Bool(_)) => {}
        Some(Value::String(init)) if PLAIN_INITS.contains(&init.as_str()) => {}
        Some(other) => bail!(
            ModelUnsupported,
            "{name}: `init_lora_weights`: {other} changes the base weights, which is not implemented"
        ),
    }
    // This field only describes how the base layer stores its weight. A and B do not depend on it,
    // but its type is checked.
    config.opt_bool("fan_in_fan_out")?;
    let targets = match config.value("target_modules") {
        Some(Value::String(_)) | None => None,
        Some(_) => Some(config.str_list("target_modules")?.into_iter().map(str::to_owned).collect()),
    };
    let finite = |alpha: &f32| alpha.is_finite() && *alpha > 0.0;
    let alpha = config.f32("lora_alpha")?;
    if !finite(&alpha) {
        bail!(ModelUnsupported, "{}: `lora_alpha`: expected a number above 0, found {alpha}", config.name());
    }
    Ok(Lora {
        rank: at_least_one(config, "r")?,
        alpha,
        ranks: Patterns::parse(config, "rank_pattern", |value| value.as_u64().filter(|rank| *rank > 0))?,
        alphas: Patterns::parse(config, "alpha_pattern", |value| {
            value.as_f64().map(|alpha| alpha as f32).filter(finite)
        })?,
        rank_stabilized: config.bool_or("use_rslora", false)?,
        targets,
    })
}

/// What LoRA trains in addition to its factors.
fn saved(config: &Config) -> Result<Saved> {
    let biases = match config.str_or("bias", "none")? {
        "none" => false,
        "all" | "lora_only" => true,
        other => bail!(
            ModelUnsupported,
            "{}: `bias`: expected \"none\", \"all\" or \"lora_only\", found {other:?}",
            config.name()
        ),
    };
    let modules = match config.value("modules_to_save") {
        None => Vec::new(),
        Some(_) => config.str_list("modules_to_save")?.into_iter().map(str::to_owned).collect(),
    };
    Ok(Saved { modules, biases })
}

fn prefix(config: &Config) -> Result<Prefix> {
    let name = config.name();
    // With a projection, an MLP computes the keys and values during training. The saved tensor contains its results, in the same
    // form as without a projection.
    if config.bool_or("prefix_projection", false)? {
        bail!(ModelUnsupported, "{name}: `prefix_projection`: expected false, found true");
    }
    refuse(config, "modules_to_save")?;
    let submodules = config.u32_or("num_transformer_submodules", 1)?;
    if submodules != 1 {
        bail!(ModelUnsupported, "{name}: `num_transformer_submodules`: expected 1, found {submodules}");
    }
    let (width, heads) = (at_least_one(config, "token_dim")?, at_least_one(config, "num_attention_heads")?);
    if !width.is_multiple_of(heads) {
        bail!(
            ModelUnsupported,
            "{name}: `token_dim`: expected a multiple of `num_attention_heads` {heads}, found {width}"
        );
    }
    let layers = at_least_one(config, "num_layers")?;
    if layers > MAX_LAYERS.into() {
        bail!(ModelUnsupported, "{name}: `num_layers`: expected at most {MAX_LAYERS}, found {layers}");
    }
    Ok(Prefix { tokens: at_least_one(config, "num_virtual_tokens")?, layers, width, heads })
}

fn at_least_one(config: &Config, field: &str) -> Result<u64> {
    match config.u32(field)? {
        0 => bail!(ModelUnsupported, "{}: `{field}`: expected at least 1, found 0", config.name()),
        n => Ok(n.into()),
    }
}

/// Returns an error if the field is set.
fn refuse(config: &Config, field: &str) -> Result<()> {
    let set = match config.value(field) {
        None | Some(Value::Bool(false)) => false,
        Some(Value::Array(items)) => !items.is_empty(),
        Some(Value::Object(fields)) => !fields.is_empty(),
        Some(_) => true,
    };
    if set {
        bail!(ModelUnsupported, "{}: `{field}` is set, which is not implemented", config.name());
    }
    Ok(())
}
