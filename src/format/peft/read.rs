//! An adapter's directory, opened: nothing of its weights has been read yet.

use super::config::{AdapterConfig, MAX_CONFIG_BYTES, Method};
use super::{AdapterTensor, Base, CONFIG_FILE, Module, ROOT, WEIGHTS_FILE, tensors};
use crate::error::{Result, bail, err};
use crate::format::checkpoint::Checkpoint;
use crate::format::files::ModelDir;
use crate::format::safetensors;
use crate::format::source::read_whole;

/// An adapter as it was found.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// The directory's name, for people.
    pub name: String,
    /// Its settings.
    pub config: AdapterConfig,
    checkpoint: Checkpoint,
}

impl Adapter {
    /// Finds the adapter in `dir` and reads its settings and the header of its weights.
    ///
    /// # Errors
    /// `invalid-argument` where a file is missing; `limit-exceeded` where the settings are too long; those of
    /// [`AdapterConfig::parse`] and [`safetensors::parse`].
    pub async fn open(dir: &dyn ModelDir) -> Result<Adapter> {
        let name = dir.name();
        let Some(source) = dir.open(CONFIG_FILE).await? else {
            bail!(InvalidArgument, "{name}: expected {CONFIG_FILE}, found none");
        };
        let bytes = read_whole(source.as_ref(), MAX_CONFIG_BYTES).await?;
        let config = AdapterConfig::parse(CONFIG_FILE, &bytes).map_err(|e| e.at(name))?;
        let Some(source) = dir.open(WEIGHTS_FILE).await? else {
            let found = match dir.open("adapter_model.bin").await {
                Ok(Some(_)) => "adapter_model.bin, which is not read: save the adapter as safetensors",
                _ => "none",
            };
            bail!(InvalidArgument, "{name}: expected {WEIGHTS_FILE} beside {CONFIG_FILE}, found {found}");
        };
        let checkpoint = safetensors::parse(source).await.map_err(|e| e.at(name))?;
        Ok(Adapter { name: name.to_owned(), config, checkpoint })
    }

    /// Those of the base model's linear layers that are adapted, in the model's order; none for a prefix. Every tensor of the
    /// file has then been found to have its place and its shape.
    ///
    /// # Errors
    /// `file-corrupt` where a tensor is missing, of another shape than the settings say, or not among the targets;
    /// `invalid-argument` where the adapter belongs to another model. Both name the file and the tensor or field.
    pub fn modules(&self, base: &Base) -> Result<Vec<Module>> {
        let modules = match &self.config.method {
            Method::Lora(lora) => {
                let adapted = |module: &&Module| {
                    let prefix = format!("{ROOT}{}.lora_", module.path);
                    self.checkpoint
                        .tensors
                        .range(prefix.clone()..)
                        .next()
                        .is_some_and(|t| t.0.starts_with(&prefix))
                };
                let modules: Vec<Module> = base.linears.iter().filter(adapted).cloned().collect();
                if modules.is_empty() {
                    let first = self.checkpoint.tensors.keys().next().map_or("nothing", String::as_str);
                    bail!(
                        InvalidArgument,
                        "{}/{WEIGHTS_FILE}: expected tensors such as `{}`, found `{first}`: the adapter of another model",
                        self.name,
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
                            "{}/{WEIGHTS_FILE}: `{path}` is adapted, but not among the `target_modules` of {CONFIG_FILE}",
                            self.name
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
                            "{}/{CONFIG_FILE}: `{field}`: expected {expected}, as the model has, found {found}",
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

    /// Checks the file's tensors against the expected ones: each there in its shape, and no others.
    fn check(&self, expected: &[AdapterTensor]) -> Result<()> {
        let place = |name: &str| format!("{}/{WEIGHTS_FILE}: tensor `{name}`", self.name);
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
        match self.checkpoint.tensors.keys().find(|name| names.binary_search(&name.as_str()).is_err()) {
            Some(other) => bail!(FileCorrupt, "{}: belongs to nothing in this model", place(other)),
            None => Ok(()),
        }
    }

    /// The values of one of the adapter's tensors, row-major. The whole of it is in memory: an adapter's tensors are small, and the
    /// file has been found to be as long as they say.
    ///
    /// # Errors
    /// `file-corrupt` where a value is not finite; those of [`Checkpoint::read_f32`].
    pub async fn read(&self, tensor: &AdapterTensor) -> Result<Vec<f32>> {
        let info = self.checkpoint.get(&tensor.name)?;
        let outside = || err!(InvalidArgument, "tensor `{}`: more elements than fit in memory", tensor.name);
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
                "{}/{WEIGHTS_FILE}: tensor `{}` holds {value}, expected finite numbers",
                self.name,
                tensor.name
            ),
            None => Ok(values),
        }
    }
}
