//! Reads adapters in the format of `peft`.

use super::beside::Beside;
use super::method::{LoraA, Method};
use super::session::Session;
use crate::error::{Result, bail, err};
use crate::format::checkpoint::Checkpoint;
use crate::format::files::ModelDir;
use crate::format::peft::{self, Base, Lora, Module, tensors};
use crate::model::{ModelSpec, TensorId, TensorSpec};

/// An adapter read from its files: its method, and its values tensor by tensor.
#[derive(Clone, Debug)]
pub struct AdapterFile {
    /// LoRA or prefix.
    pub method: Method,
    /// In the order of [`crate::model::Adapter::stored`].
    pub values: Vec<f32>,
    /// Tensors of the base model that the adapter replaces or adds: those in `modules_to_save`, and trained biases.
    replaced: Checkpoint,
    /// The readout that was saved with the adapter, or the labels of the adapter's classifier.
    beside: Beside,
}

impl AdapterFile {
    /// The values that further training starts from.
    ///
    /// # Errors
    /// `model-unsupported` for an adapter that replaces tensors of the base model, since a trajectory does not contain them.
    pub fn initial(&self) -> Result<&[f32]> {
        match self.replaced.tensors.keys().next() {
            None => Ok(&self.values),
            Some(name) => bail!(
                ModelUnsupported,
                "the adapter replaces {name} of the base model (`modules_to_save` or `bias`): it can be used, but not trained further"
            ),
        }
    }
}

/// Reads an adapter's directory and checks it against a session's model. If its modules have different ranks or scales, the result
/// has the largest rank and one common scale: A and B are padded with zeros, and B is multiplied by the ratio of the scales. This
/// changes nothing but the rounding of B.
///
/// # Errors
/// `file-corrupt`, `model-unsupported` or `invalid-argument`, naming the file and the field.
pub async fn read_adapter(session: &Session, dir: &dyn ModelDir) -> Result<AdapterFile> {
    let spec = session.model.spec();
    let base = adapter_base(spec);
    let adapter = peft::Adapter::open(dir).await?.with_names_of(&base);
    let modules = adapter.modules(&base)?;
    let method = match &adapter.config.method {
        peft::Method::Lora(lora) => {
            let ranks = modules.iter().map(|module| lora.rank_of(&module.path));
            let largest = ranks.max().unwrap_or(lora.rank);
            let rank = u32::try_from(largest).map_err(|_| err!(LimitExceeded, "LoRA of rank {largest}"))?;
            let targets = modules.iter().map(|module| module.path.clone()).collect();
            let alpha = common_scale(lora, &modules) * rank as f32;
            Method::Lora { rank, alpha, targets, a: LoraA::Trained }
        }
        peft::Method::Prefix(prefix) => {
            let length = u32::try_from(prefix.tokens)
                .map_err(|_| err!(LimitExceeded, "a prefix of {} rows", prefix.tokens))?;
            Method::Prefix { length }
        }
    };
    let mut values = Vec::new();
    let list = tensors(&adapter.config.method, &modules)?;
    match (&adapter.config.method, &method) {
        (peft::Method::Lora(lora), Method::Lora { rank, .. }) => {
            let common = common_scale(lora, &modules);
            for (pair, module) in list.chunks_exact(2).zip(&modules) {
                let (a, b) = (adapter.read(&pair[0]).await?, adapter.read(&pair[1]).await?);
                let quotient = lora.scale_of(&module.path) / common;
                let (own, rank) = (pair[1].width as usize, *rank as usize);
                values.extend(a);
                values.resize(values.len() + (rank - own) * pair[0].width as usize, 0.0);
                for row in b.chunks_exact(own) {
                    values.extend(row.iter().map(|b| b * quotient));
                    values.resize(values.len() + rank - own, 0.0);
                }
            }
        }
        _ => {
            for tensor in &list {
                values.extend(adapter.read(tensor).await?);
            }
        }
    }
    let replaced = adapter.replaced();
    let mut has_classifier = false;
    for (name, tensor) in &replaced.tensors {
        let classifies = spec.classifier.as_ref().is_some_and(|classifier| classifier.has(name));
        has_classifier |= classifies;
        match replaced_tensor(spec, name) {
            Some((id, own)) if own.shape() == tensor.shape => refuse_tied(spec, id, &adapter.name)?,
            Some((_, own)) => bail!(
                InvalidArgument,
                "{}: {name} has shape {:?}, expected {:?} as in the base model",
                adapter.name,
                tensor.shape,
                own.shape()
            ),
            None if classifies => {}
            None => bail!(
                ModelUnsupported,
                "{}: {name} is in the adapter (`modules_to_save` or `bias`), but is not part of this model",
                adapter.name
            ),
        }
    }
    let beside = Beside::read(session, dir, has_classifier).await?;
    Ok(AdapterFile { method, values, replaced, beside })
}

/// The tensor of the model with this name.
fn replaced_tensor<'a>(spec: &'a ModelSpec, name: &str) -> Option<(TensorId, &'a TensorSpec)> {
    let mut tensors = spec.tensors.as_slice().iter().enumerate();
    tensors.find(|(_, tensor)| tensor.name == name || tensor.aliases.iter().any(|alias| alias == name))
}

/// Rejects a matrix that is both the embedding and the output layer, since the adapter has a separate copy.
fn refuse_tied(spec: &ModelSpec, id: TensorId, adapter: &str) -> Result<()> {
    let tied = spec.head.as_ref().is_ok_and(|head| head.table == id)
        && spec.embedding.tables().any(|table| table == id);
    if tied {
        bail!(
            ModelUnsupported,
            "{adapter}: `modules_to_save` has {}, which is both the embedding and the output layer of this model: \
             separate copies of them are not implemented",
            spec.tensors.as_slice()[id].name
        );
    }
    Ok(())
}

/// The scale that all modules get: the scale of the first module.
fn common_scale(lora: &Lora, modules: &[Module]) -> f32 {
    modules.first().map_or(1.0, |module| lora.scale_of(&module.path))
}

impl Session {
    /// Loads an adapter and removes any earlier one. The base weights change only where the adapter has tensors of its own for
    /// them, until [`Session::reset`] or until another adapter is loaded.
    ///
    /// # Errors
    /// The errors of [`Session::add_adapter`] and of reading the base; `file-corrupt` or `invalid-argument` for a tensor that
    /// cannot replace the base model's tensor. The base then remains unchanged.
    pub async fn use_adapter(&mut self, file: &AdapterFile) -> Result<()> {
        let Some(spec) = file.method.adapter() else {
            bail!(InvalidArgument, "method full has no adapter");
        };
        if self.has_replaced() {
            self.reset(&mut |_| Ok(())).await?;
        }
        self.add_adapter(spec, 0, &file.values, &|_| true).await?;
        let names = file.replaced.tensors.keys();
        let ids: Vec<TensorId> =
            names.filter_map(|name| replaced_tensor(self.model.spec(), name)).map(|(id, _)| id).collect();
        self.beside = file.beside.clone();
        if file.replaced.tensors.is_empty() {
            return Ok(());
        }
        let replaced = self.replace(&ids, &file.replaced).await;
        if replaced.is_err() {
            // Some tensors may have been replaced already. Nothing of a rejected adapter may remain.
            self.reset(&mut |_| Ok(())).await?;
        }
        replaced
    }
}

/// The base model's layers and shapes, which an adapter of this model must match.
pub fn adapter_base(spec: &ModelSpec) -> Base {
    let mut matrices: Vec<TensorId> = spec.linears().iter().map(|(_, linear)| linear.weight).collect();
    // The layers of a fused matrix are one module.
    matrices.dedup();
    let module = |id: TensorId| {
        let tensor = &spec.tensors.as_slice()[id];
        let module = Module::of_weight(&tensor.name, tensor.rows.into(), tensor.width.into())?;
        Some(Module { transposed: tensor.transposed, ..module })
    };
    Base {
        linears: matrices.into_iter().filter_map(module).collect(),
        layers: spec.layers.len() as u64,
        kv_heads: spec.kv_heads.into(),
        kv_width: (spec.kv_heads * spec.head_dim).into(),
    }
}
