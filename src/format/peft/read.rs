//! Opens and reads the directory of an adapter.

use super::config::{AdapterConfig, MAX_CONFIG_BYTES, Method};
use super::{AdapterTensor, Base, CONFIG_FILE, Module, PICKLE_FILE, ROOT, WEIGHTS_FILE, tensors};
use crate::error::{Result, bail, err};
use crate::format::checkpoint::Checkpoint;
use crate::format::files::ModelDir;
use crate::format::source::{read_whole, refuse_stand_in};
use crate::format::{pickle, safetensors};

/// An opened adapter. Its weights have not been read yet, only their header.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// The name of the directory, for display.
    pub name: String,
    /// The adapter's settings.
    pub config: AdapterConfig,
    /// The name of the file with the weights.
    file: &'static str,
    checkpoint: Checkpoint,
}

impl Adapter {
    /// Opens the adapter in `dir`, and reads its settings and the header of its weights.
    ///
    /// # Errors
    /// `invalid-argument` if a file is missing; `limit-exceeded` if the settings are too long; the errors of
    /// [`AdapterConfig::parse`] and [`safetensors::parse`].
    pub async fn open(dir: &dyn ModelDir) -> Result<Adapter> {
        let name = dir.name();
        let Some(source) = dir.open(CONFIG_FILE).await? else {
            bail!(InvalidArgument, "{name}: expected {CONFIG_FILE}, found none");
        };
        refuse_stand_in(source.as_ref()).await.map_err(|e| e.at(name))?;
        let bytes = read_whole(source.as_ref(), MAX_CONFIG_BYTES).await?;
        let config = AdapterConfig::parse(CONFIG_FILE, &bytes).map_err(|e| e.at(name))?;
        let (file, checkpoint) = match (dir.open(WEIGHTS_FILE).await?, dir.open(PICKLE_FILE).await?) {
            (Some(source), _) => (WEIGHTS_FILE, safetensors::parse(source).await),
            (None, Some(source)) => (PICKLE_FILE, pickle::parse(source).await),
            (None, None) => bail!(
                InvalidArgument,
                "{name}: expected {WEIGHTS_FILE} or {PICKLE_FILE} next to {CONFIG_FILE}, found none"
            ),
        };
        let checkpoint = checkpoint.map_err(|e| e.at(name))?;
        Ok(Adapter { name: name.to_owned(), config, file, checkpoint })
    }

    /// The adapter with the names that the layers have in a base model. `peft` names those of a model without a head, such as one
    /// of `AutoModel`, without the prefix that they have in a model with a head: `layers.0` instead of `model.layers.0`.
    pub fn with_names_of(self, base: &Base) -> Adapter {
        let prefix = base.linears.first().and_then(|module| module.path.split_once('.'));
        let Some(prefix) = prefix.map(|(first, _)| format!("{first}.")) else { return self };
        let mut bare = base.linears.iter().filter_map(|module| module.path.strip_prefix(&prefix));
        if base.linears.iter().any(|module| self.adapts(&module.path)) || !bare.any(|path| self.adapts(path))
        {
            return self;
        }
        let renamed = |name: &str| Some(format!("{ROOT}{prefix}{}", name.strip_prefix(ROOT).unwrap_or(name)));
        Adapter { checkpoint: self.checkpoint.renamed(renamed), ..self }
    }

    /// Whether the file has factors of the layer with this path.
    fn adapts(&self, path: &str) -> bool {
        let prefix = format!("{ROOT}{path}.lora_");
        let first = self.checkpoint.tensors.range(prefix.clone()..).next();
        first.is_some_and(|(name, _)| name.starts_with(&prefix))
    }

    /// The linear layers of the base model that the adapter adapts, in the model's order; empty for a prefix. This also checks that
    /// every tensor of the file belongs to the model and has the right shape.
    ///
    /// # Errors
    /// `file-corrupt` if a tensor is missing, does not have the shape that the settings require, or
    /// is not among the targets; `invalid-argument` if the adapter belongs to another model. Both
    /// name the file and the tensor or field.
    pub fn modules(&self, base: &Base) -> Result<Vec<Module>> {
        let modules = match &self.config.method {
            Method::Lora(lora) => {
                let adapted = base.linears.iter().filter(|module| self.adapts(&module.path));
                let modules: Vec<Module> = adapted.cloned().collect();
                if modules.is_empty() {
                    let first = self.checkpoint.tensors.keys().next().map_or("nothing", String::as_str);
                    bail!(
                        InvalidArgument,
                        "{}/{}: expected tensors such as `{}`, found `{first}`; the adapter belongs to another model",
                        self.name,
                        self.file,
                        base.linears
                            .first()
                            .map_or_else(String::new, |m| format!("{ROOT}{}.lora_A.weight", m.path))
                    );
                }
                for module in &modules {
                    let path = module.path.as_str();
                    let targeted = |target: &String| {
                        path.strip_suffix(target.as_str())
                            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                    };
                    if lora.targets.as_ref().is_some_and(|targets| !targets.iter().any(targeted)) {
                        bail!(
                            FileCorrupt,
                            "{}/{}: `{path}` is adapted, but not among the `target_modules` of {CONFIG_FILE}",
                            self.name,
                            self.file
                        );
                    }
                }
                modules
            }
            Method::Prefix(prefix) => {
                let fields = [
                    ("num_layers", prefix.layers, base.layers),
                    ("num_attention_heads", prefix.heads, base.kv_heads),
                    ("token_dim", prefix.width, base.kv_width),
                ];
                for (field, found, expected) in fields {
                    if found != expected {
                        bail!(
                            InvalidArgument,
                            "{}/{CONFIG_FILE}: `{field}`: expected {expected} for this model, found {found}",
                            self.name
                        );
                    }
                }
                Vec::new()
            }
        };
        self.check(&tensors(&self.config.method, &modules)?)?;
        Ok(modules)
    }

    /// The tensors of the base model that the adapter replaces or adds (such as a classifier), under their names in the base model.
    pub fn replaced(&self) -> Checkpoint {
        self.checkpoint.renamed(|name| base_name(name).filter(|name| self.config.saved.has(name)))
    }

    /// Checks that the file has each of the expected tensors with the right shape, and no others except those that replace tensors
    /// of the base model.
    fn check(&self, expected: &[AdapterTensor]) -> Result<()> {
        let place = |name: &str| format!("{}/{}: tensor `{name}`", self.name, self.file);
        let mut names: Vec<&str> = Vec::new();
        for tensor in expected {
            let shape = [tensor.rows, tensor.columns];
            let Some(found) = self.checkpoint.tensors.get(&tensor.name) else {
                bail!(FileCorrupt, "{}: expected {shape:?}, found none", place(&tensor.name));
            };
            if found.shape != shape {
                bail!(FileCorrupt, "{}: expected {shape:?}, found {:?}", place(&tensor.name), found.shape);
            }
            names.push(&tensor.name);
        }
        names.sort_unstable();
        let replaced = |name: &str| base_name(name).is_some_and(|name| self.config.saved.has(&name));
        let unknown = |name: &&String| names.binary_search(&name.as_str()).is_err() && !replaced(name);
        match self.checkpoint.tensors.keys().find(unknown) {
            // For example an adapter of the head, which peft includes in `all-linear` layers.
            Some(other) if other.contains(".lora_") || other.contains(".base_layer.") => bail!(
                ModelUnsupported,
                "{}: expected an attention or MLP layer of this model, found another layer",
                place(other)
            ),
            Some(other) => bail!(FileCorrupt, "{}: does not belong to any part of this model", place(other)),
            None => Ok(()),
        }
    }

    /// Reads one of the adapter's tensors, row-major. The whole tensor is in memory, because the
    /// tensors of an adapter are small and their sizes have been checked against the file.
    ///
    /// # Errors
    /// `file-corrupt` if a value is not finite; the errors of [`Checkpoint::read_f32`].
    pub async fn read(&self, tensor: &AdapterTensor) -> Result<Vec<f32>> {
        let info = self.checkpoint.get(&tensor.name)?;
        let outside =
            || err!(InvalidArgument, "tensor `{}` has more elements than fit in memory", tensor.name);
        let width = usize::try_from(tensor.width).map_err(|_| outside())?;
        let values = if tensor.columns == tensor.width {
            let count = usize::try_from(info.elements()).map_err(|_| outside())?;
            self.checkpoint.read_f32(info, 0, count).await?
        } else {
            let mut values = Vec::new();
            for row in 0..tensor.rows {
                let first = row * tensor.columns + tensor.first_column;
                values.extend(self.checkpoint.read_f32(info, first, width).await?);
            }
            values
        };
        match values.iter().find(|value| !value.is_finite()) {
            Some(value) => bail!(
                FileCorrupt,
                "{}/{}: tensor `{}`: expected finite numbers, found {value}",
                self.name,
                self.file,
                tensor.name
            ),
            None => Ok(values),
        }
    }
}

/// The name in the base model of a tensor that is not a LoRA factor. `peft` inserts `base_layer` into the paths of adapted modules.
fn base_name(name: &str) -> Option<String> {
    let name = name.strip_prefix(ROOT)?;
    let own = name.contains(".lora_");
    (!own).then(|| name.replace(".base_layer.", "."))
}
