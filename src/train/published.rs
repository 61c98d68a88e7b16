//! The classifier of a checkpoint `*ForSequenceClassification`, as transformers computes it.

use serde_json::Value;

use super::classifier::Classifier;
use super::session::Session;
use crate::error::{Result, bail, err};
use crate::fit::Linear;
use crate::model::Pooling;

/// The tensors of a head: the prefix of its dense layer, which is followed by tanh, and of the layer that gives the logits.
struct Names {
    dense: Option<&'static str>,
    output: &'static str,
    pooling: Pooling,
}

impl Names {
    fn of(family: &str) -> Names {
        match family {
            "bert" => {
                Names { dense: Some("bert.pooler.dense"), output: "classifier", pooling: Pooling::First }
            }
            "roberta" => Names {
                dense: Some("classifier.dense"),
                output: "classifier.out_proj",
                pooling: Pooling::First,
            },
            _ => Names { dense: None, output: "score", pooling: Pooling::Last },
        }
    }
}

impl Session {
    /// The classifier in the model's checkpoint; none where there is none.
    ///
    /// # Errors
    /// `model-unsupported` for a head that is no classifier of one label among several; `file-corrupt` where its tensors or the labels
    /// in the configuration do not fit together; those of reading.
    pub async fn published_classifier(&self) -> Result<Option<Classifier>> {
        let spec = self.model.spec();
        let names = Names::of(spec.family);
        let (checkpoint, width) = (self.checkpoint(), spec.hidden as usize);
        let Some(output) = checkpoint.tensors.get(&format!("{}.weight", names.output)) else {
            return Ok(None);
        };
        let name = checkpoint.name();
        let problem = self.config().get("problem_type").and_then(Value::as_str);
        if let Some(other) = problem.filter(|problem| *problem != "single_label_classification") {
            bail!(ModelUnsupported, "{name}: problem_type {other:?} is not implemented");
        }
        let labels = match *output.shape.as_slice() {
            [1, _] => {
                bail!(ModelUnsupported, "{name}: {} has one output, which is no classifier", output.name)
            }
            [labels, columns] if columns == u64::from(spec.hidden) && labels <= MOST_LABELS => {
                labels as usize
            }
            _ => bail!(
                FileCorrupt,
                "{name}: {} has shape {:?}, expected [labels, {width}]",
                output.name,
                output.shape
            ),
        };
        let dense = match names.dense {
            Some(prefix) => Some(self.linear(prefix, width, true).await?),
            None => None,
        };
        let linear = self.linear(names.output, labels, names.dense.is_some()).await?;
        let labels = self.label_names(labels)?;
        Ok(Some(Classifier { labels, pooling: names.pooling, dense, linear, numbered: true }))
    }

    /// A layer of `rows` outputs on the hidden states.
    async fn linear(&self, prefix: &str, rows: usize, biased: bool) -> Result<Linear> {
        let (checkpoint, width) = (self.checkpoint(), self.model.spec().hidden as usize);
        let mut values = Vec::new();
        for (part, shape) in [("weight", vec![rows as u64, width as u64]), ("bias", vec![rows as u64])] {
            if part == "bias" && !biased {
                values.resize(rows * (width + 1), 0.0);
                continue;
            }
            let info = checkpoint.get(&format!("{prefix}.{part}"))?;
            if info.shape != shape {
                let (name, found) = (checkpoint.name(), &info.shape);
                bail!(FileCorrupt, "{name}: {} has shape {found:?}, expected {shape:?}", info.name);
            }
            values.extend(checkpoint.read_f32(info, 0, info.elements() as usize).await?);
        }
        Linear::from_values(&values, rows, width).map_err(|e| err!(FileCorrupt, "{prefix}: {}", e.message()))
    }

    /// The labels in `id2label`; what transformers calls them where that field is absent.
    fn label_names(&self, count: usize) -> Result<Vec<String>> {
        let Some(names) = self.config().get("id2label").and_then(Value::as_object) else {
            return Ok((0..count).map(|label| format!("LABEL_{label}")).collect());
        };
        let listed = (0..count).map(|label| names.get(&label.to_string())?.as_str().map(str::to_owned));
        match listed.collect::<Option<Vec<String>>>() {
            Some(labels) if names.len() == count => Ok(labels),
            _ => bail!(
                FileCorrupt,
                "config.json: id2label: expected names of the labels 0 to {}, found {}",
                count - 1,
                serde_json::Value::Object(names.clone())
            ),
        }
    }
}

/// More labels than any classifier has.
const MOST_LABELS: u64 = 1 << 20;
