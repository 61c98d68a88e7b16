//! Reads a readout from the files that this program writes where transformers has no class with the same logits: `readout.json` and
//! `readout.safetensors` beside an adapter, or modules of sentence-transformers.

use serde_json::Value;

use super::beside::{Beside, READOUT_FILE, READOUT_WEIGHTS, refuse_repeated};
use super::session::Session;
use crate::error::{Result, bail, err};
use crate::fit::Linear;
use crate::format::files::{MAX_CONFIG_BYTES, ModelDir};
use crate::format::safetensors;
use crate::format::source::read_whole;
use crate::model::Pooling;
use crate::names::Named;

impl Beside {
    /// What `readout.json` and `readout.safetensors` say, if they exist. `has_classifier` says that the adapter has the classifier.
    pub(super) async fn read(session: &Session, dir: &dyn ModelDir, has_classifier: bool) -> Result<Beside> {
        let Some(file) = json(dir, READOUT_FILE).await? else { return Ok(Beside::Nothing) };
        let at = format!("{}: {READOUT_FILE}", dir.name());
        let list = file["labels"].as_array();
        let texts = list.map(|labels| labels.iter().map(|label| label.as_str().map(str::to_owned)));
        let Some(labels) = texts.and_then(Iterator::collect::<Option<Vec<String>>>) else {
            bail!(FileCorrupt, "{at}: labels: expected a list of strings, found {}", file["labels"]);
        };
        refuse_repeated(&labels, &format!("{at}: labels"))?;
        if has_classifier {
            return Ok(Beside::Labels(labels));
        }
        let Some(pooling) = file["pooling"].as_str().and_then(readout_pooling) else {
            bail!(FileCorrupt, "{at}: pooling: expected mean, first or last, found {}", file["pooling"]);
        };
        let linear = linear(session, dir, READOUT_WEIGHTS, labels.len()).await?;
        Ok(linear.map_or(Beside::Nothing, |linear| Beside::Readout { labels, pooling, linear }))
    }
}

impl Session {
    /// Uses the readout that was saved with the model as modules of sentence-transformers: `pooling` and `dense` are the
    /// directories of the two modules. Other modules, such as those of a sentence encoder, are left alone.
    ///
    /// # Errors
    /// `file-corrupt` if the files do not match each other.
    pub async fn use_modules(&mut self, pooling: &dyn ModelDir, dense: &dyn ModelDir) -> Result<()> {
        let (Some(pooled), Some(layer)) = (json(pooling, CONFIG).await?, json(dense, CONFIG).await?) else {
            return Ok(());
        };
        let poolings =
            [("mean_tokens", Pooling::Mean), ("cls_token", Pooling::First), ("lasttoken", Pooling::Last)];
        let is_set = |name: &str| pooled[format!("pooling_mode_{name}")] == Value::Bool(true);
        let mut set = poolings.into_iter().filter(|(name, _)| is_set(name));
        let (Some((_, pooling)), None) = (set.next(), set.next()) else { return Ok(()) };
        let is_plain = layer["activation_function"].as_str().is_some_and(|name| name.ends_with(".Identity"));
        let names = self.config().get("id2label").and_then(Value::as_object).map_or(0, |names| names.len());
        if !is_plain || names < 2 || layer["out_features"].as_u64() != Some(names as u64) {
            return Ok(());
        }
        if let Some(linear) = linear(self, dense, WEIGHTS, names).await? {
            self.beside = Beside::Readout { labels: self.label_names(names)?, pooling, linear };
        }
        Ok(())
    }
}

/// The files of a module of sentence-transformers.
const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";

/// A file of JSON, if it exists.
async fn json(dir: &dyn ModelDir, file: &str) -> Result<Option<Value>> {
    let Some(source) = dir.open(file).await? else { return Ok(None) };
    let bytes = read_whole(source.as_ref(), MAX_CONFIG_BYTES).await?;
    serde_json::from_slice(&bytes).map(Some).map_err(|e| err!(FileCorrupt, "{}: {file}: {e}", dir.name()))
}

/// The tensors `linear.weight` and `linear.bias` of a safetensors file with this number of labels, if the file exists.
async fn linear(session: &Session, dir: &dyn ModelDir, file: &str, labels: usize) -> Result<Option<Linear>> {
    let Some(source) = dir.open(file).await? else { return Ok(None) };
    let (checkpoint, width) = (safetensors::parse(source).await?, session.model.spec().hidden as usize);
    let at = format!("{}: {file}", dir.name());
    let mut values = Vec::new();
    for (name, shape) in [("linear.weight", vec![labels, width]), ("linear.bias", vec![labels])] {
        let tensor = checkpoint.get(name)?;
        let expected: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
        if tensor.shape != expected {
            bail!(FileCorrupt, "{at}: {name} has shape {:?}, expected {expected:?}", tensor.shape);
        }
        values.extend(checkpoint.read_f32(tensor, 0, tensor.elements() as usize).await?);
    }
    Linear::from_values(&values, labels, width)
        .map(Some)
        .map_err(|e| err!(FileCorrupt, "{at}: {}", e.message()))
}

/// The pooling of this name that a readout may have without a template.
fn readout_pooling(name: &str) -> Option<Pooling> {
    Pooling::named(name).ok().filter(|pooling| *pooling != Pooling::Mask)
}
