//! Writes adapters in the formats of `peft` and llama.cpp.

use serde_json::{Map, json};

use super::adapter_files::adapter_base;
use super::beside::{READOUT_FILE, READOUT_WEIGHTS};
use super::classifier::Classifier;
use super::readout_export::json_file;
use super::save::{Addition, Changes};
use super::session::Session;
use crate::error::{Result, bail};
use crate::format::gguf::{LoraBase, LoraPair};
use crate::format::peft::{
    self, AdapterConfig, AdapterWriter, CAUSAL_LM, FEATURE_EXTRACTION, Lora, Module, Prefix, SEQ_CLS, Saved,
    tensors,
};
use crate::model::{Adapter, AdapterSpec, HeadKind, ModelSpec};
use crate::names::Named;

/// Families whose classes in transformers ignore the keys and values before a text, which is what `peft` gives them for a prefix.
const WITHOUT_PREFIX: [&str; 3] = ["distilbert", "megatron-bert", "modernbert"];

/// The files of an adapter.
#[derive(Clone, Debug)]
pub struct AdapterBytes {
    /// `adapter_config.json`.
    pub config: String,
    /// `adapter_model.safetensors`.
    pub weights: Vec<u8>,
    /// The files of the readout that was fitted before the adapter was trained, with their names.
    pub readout: Vec<(&'static str, Vec<u8>)>,
}

impl Session {
    /// Checks that `peft` gives the model the effect of such an adapter.
    ///
    /// # Errors
    /// `model-unsupported` for a prefix of a family whose class in transformers ignores it.
    pub fn check_saved(&self, adapter: &AdapterSpec) -> Result<()> {
        let family = self.model.spec().family;
        if matches!(adapter, AdapterSpec::Prefix { .. }) && WITHOUT_PREFIX.contains(&family) {
            bail!(
                ModelUnsupported,
                "a prefix for a {family} model cannot be saved as an adapter: transformers' class ignores keys and values before a text, \
                 so the adapter would have no effect in peft. Use method lora, or keep the trajectory alone"
            );
        }
        Ok(())
    }

    /// Returns the adapter as `peft` loads it. With a readout, LoRA becomes the adapter of a `*ForSequenceClassification` class if
    /// transformers has one with the same logits, and the head is in `modules_to_save`. For other readouts, and beside a prefix,
    /// the readout's weights are in a separate file; the logits are those of its `linear` applied to the pooled hidden states. If the
    /// model has no head, the adapter is one of `AutoModel`.
    ///
    /// # Errors
    /// `invalid-argument` if there is no adapter that `peft` knows; the errors of [`Session::check_saved`]; errors from the backend.
    pub async fn save_adapter(&self, readout: Option<&Classifier>) -> Result<AdapterBytes> {
        let spec = self.model.spec();
        let Some(adapter) = self.model.adapter() else {
            bail!(InvalidArgument, "no adapter has been trained or loaded");
        };
        self.check_saved(adapter.spec())?;
        let (method, task_type) = match adapter.spec() {
            AdapterSpec::Lora { rank, alpha, .. } => {
                (peft::Method::Lora(Lora::uniform(u64::from(*rank), *alpha)), None)
            }
            AdapterSpec::Prefix { length } => {
                let prefix = Prefix {
                    tokens: u64::from(*length),
                    layers: spec.layers.len() as u64,
                    width: u64::from(spec.kv_heads * spec.head_dim),
                    heads: u64::from(spec.kv_heads),
                };
                (peft::Method::Prefix(prefix), Some(FEATURE_EXTRACTION))
            }
            AdapterSpec::LowRank { .. } => {
                bail!(InvalidArgument, "a sum of low-rank updates is saved as a model, not as an adapter")
            }
        };
        let head = match (readout, &method) {
            (Some(readout), peft::Method::Lora(_)) => readout.head(self).await?,
            _ => None,
        };
        // Without a head, transformers opens the model as `AutoModel`.
        let is_bare = head.is_none() && spec.head().is_err();
        let task_type = match &head {
            Some(_) => Some(SEQ_CLS),
            None if is_bare => Some(FEATURE_EXTRACTION),
            None if spec.head_kind() == HeadKind::CausalLm => Some(CAUSAL_LM),
            None => task_type,
        };
        let replaced = match &head {
            Some((_, changes)) => self.whole_modules(changes).await?,
            None => Vec::new(),
        };
        let mut modules = adapted_modules(spec, adapter);
        if is_bare {
            modules.iter_mut().for_each(Module::remove_body);
        }
        let config = AdapterConfig {
            base_model: Some(self.name.clone()),
            task_type: task_type.map(str::to_owned),
            method: method.clone(),
            saved: Saved::of(replaced.iter().map(|tensor| tensor.name.as_str())),
        };
        let list = tensors(&method, &modules)?;
        let mut weights = Vec::new();
        let mut sink = |bytes: &[u8]| {
            weights.extend_from_slice(bytes);
            Ok(())
        };
        let shapes: Vec<_> =
            replaced.iter().map(|tensor| (tensor.name.as_str(), &tensor.shape[..])).collect();
        let mut writer = AdapterWriter::new(&list, &shapes, &mut sink)?;
        for (_, packed, index) in adapter.stored() {
            writer.write(&packed.read(self.model.backend(), index).await?)?;
        }
        for tensor in &replaced {
            writer.write_replaced(&tensor.name, &tensor.values)?;
        }
        writer.finish().map(drop)?;
        let mut files = Vec::new();
        if let Some(readout) = readout {
            let fields = [("labels", json!(readout.labels)), ("pooling", json!(readout.pooling.name()))];
            let fields: Map<_, _> =
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
            files.push((READOUT_FILE, json_file(fields)));
            if head.is_none() {
                files.push((READOUT_WEIGHTS, readout.linear_file()?));
            }
        }
        Ok(AdapterBytes { config: config.to_json(&modules), weights, readout: files })
    }

    /// The tensors that a head adds or replaces, and the remaining tensors of their modules, since `peft` replaces whole modules.
    async fn whole_modules(&self, changes: &Changes) -> Result<Vec<Addition>> {
        let tensors = self.model.spec().tensors.as_slice();
        let mut whole = changes.added.clone();
        for changed in changes.replaced.keys() {
            let module = peft::module_of(&tensors[*changed].name);
            for (id, tensor) in
                tensors.iter().enumerate().filter(|(_, tensor)| peft::module_of(&tensor.name) == module)
            {
                let values = match changes.replaced.get(&id) {
                    Some(values) => values.clone(),
                    None => self.tensor(id).await?,
                };
                whole.push(Addition { name: tensor.name.clone(), shape: tensor.shape(), values });
            }
        }
        Ok(whole)
    }

    /// Returns the adapter as a GGUF file that llama.cpp loads beside a GGUF file of the model, or `None` if llama.cpp has no such
    /// adapter: for a prefix, and for a model whose architecture the GGUF reader does not know.
    ///
    /// # Errors
    /// Errors from the backend.
    pub async fn save_gguf_adapter(&self) -> Result<Option<Vec<u8>>> {
        let spec = self.model.spec();
        let Some(adapter) = self.model.adapter() else { return Ok(None) };
        let AdapterSpec::Lora { rank, alpha, .. } = adapter.spec() else { return Ok(None) };
        let base = LoraBase { model_type: spec.family, heads: spec.heads, kv_heads: spec.kv_heads };
        if !base.is_known() {
            return Ok(None);
        }
        let mut pairs = Vec::new();
        for (factors, module) in adapter.stored().chunks_exact(2).zip(adapted_modules(spec, adapter)) {
            let [a, b] = [factors[0], factors[1]].map(|(_, packed, index)| (packed, index));
            let a = a.0.read(self.model.backend(), a.1).await?;
            let b = b.0.read(self.model.backend(), b.1).await?;
            pairs.push(LoraPair { path: module.path, a, b });
        }
        base.write(*rank, *alpha, &pairs).map(Some)
    }
}

/// The linear layers that an adapter adapts, in the order of the adapter's factors.
fn adapted_modules(spec: &ModelSpec, adapter: &Adapter) -> Vec<Module> {
    let all = adapter_base(spec).linears;
    let names = spec.tensors.as_slice();
    let adapted = adapter.adapted().iter().map(|id| &names[*id].name);
    adapted.filter_map(|name| all.iter().find(|module| module.weight() == *name).cloned()).collect()
}
