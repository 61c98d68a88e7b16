//! The classifier of a `*ForSequenceClassification` checkpoint, as transformers computes it.

use serde_json::Value;

use super::beside::{Beside, READOUT_FILE, refuse_repeated};
use super::classifier::{Classifier, Dense, LayerNorm};
use super::session::Session;
use crate::error::{Result, bail, err};
use crate::fit::Linear;
use crate::model::{NormKind, Pooling};

impl Session {
    /// The readout that was saved with the adapter or the model, or the classifier in the model's checkpoint; `None` if there is none.
    ///
    /// # Errors
    /// `model-unsupported` for a head that is not a single-label classifier; `file-corrupt` if its tensors and the labels in the
    /// configuration do not match; read errors.
    pub async fn published_classifier(&self) -> Result<Option<Classifier>> {
        if let Beside::Readout { labels, pooling, linear } = &self.beside {
            return Ok(Some(Classifier::plain(labels.clone(), *pooling, linear.clone())));
        }
        let spec = self.model.spec();
        let Some(head) = &spec.classifier else { return Ok(None) };
        let (checkpoint, width) = (self.checkpoint(), spec.hidden as usize);
        let Some(output) = checkpoint.tensors.get(&format!("{}.weight", head.output)) else {
            return Ok(None);
        };
        let name = checkpoint.name();
        if !self.has_classifier_of_adapter() {
            self.check_class(head.class)?;
        }
        let problem = self.config().get("problem_type").and_then(Value::as_str);
        if let Some(other) = problem.filter(|problem| *problem != "single_label_classification") {
            bail!(
                ModelUnsupported,
                "config.json: problem_type is {other:?}, expected \"single_label_classification\""
            );
        }
        let labels = match *output.shape.as_slice() {
            [labels @ 0..=1, _] => {
                let outputs = if labels == 1 { "one output" } else { "no outputs" };
                bail!(ModelUnsupported, "{name}: {} has {outputs}, which is not a classifier", output.name)
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
        let dense = match &head.dense {
            Some(layer) => Some(Dense {
                linear: self.linear(layer.name, width, layer.bias).await?,
                activation: layer.activation,
                norm: match layer.norm {
                    Some((name, NormKind::Layer { eps, bias })) => Some(self.norm(name, eps, bias).await?),
                    _ => None,
                },
            }),
            None => None,
        };
        let bias = format!("{}.bias", head.output);
        if !head.bias && checkpoint.tensors.contains_key(&bias) {
            bail!(ModelUnsupported, "{name}: {bias}: the output layer of {} has no biases", head.class)
        }
        let linear = self.linear(head.output, labels, head.bias).await?;
        let labels = self.label_names(labels)?;
        // If the names are numbers themselves, a number is a name, not an index.
        let numbered = labels.iter().all(|label| label.trim().parse::<f64>().is_err());
        // transformers scores the last token that is not padding, even if a text's own tokens end in one that looks like it.
        let padding = match head.pooling {
            Pooling::Last => self.padding()?,
            _ => None,
        };
        Ok(Some(Classifier { labels, pooling: head.pooling, dense, linear, numbered, words: None, padding }))
    }

    /// The token that the configuration declares as padding.
    pub(super) fn padding(&self) -> Result<Option<u32>> {
        match self.config().get("pad_token_id") {
            None | Some(Value::Null) => Ok(None),
            Some(id) => match id.as_u64().and_then(|id| u32::try_from(id).ok()) {
                Some(id) => Ok(Some(id)),
                // Phi-3 and others have -1, which is no token.
                None if id.as_i64().is_some_and(|id| id < 0) => Ok(None),
                None => bail!(ModelUnsupported, "config.json: pad_token_id is {id}, expected a token id"),
            },
        }
    }

    /// Refuses a checkpoint whose class has another head than the class for classification, such as `*ForTokenClassification`, whose
    /// tensors have the same names.
    fn check_class(&self, expected: &str) -> Result<()> {
        let class = self.config().get("architectures").and_then(|classes| classes.get(0)?.as_str());
        match class {
            Some(class) if class.contains("For") && !class.ends_with("ForSequenceClassification") => bail!(
                ModelUnsupported,
                "config.json: architectures is {class}, whose head is not implemented; expected {expected}, which classifies texts"
            ),
            _ => Ok(()),
        }
    }

    /// A linear layer with `rows` outputs on the hidden states.
    async fn linear(&self, prefix: &str, rows: usize, biased: bool) -> Result<Linear> {
        let width = self.model.spec().hidden as usize;
        let mut values = self.values(&format!("{prefix}.weight"), &[rows, width]).await?;
        match biased {
            true => values.extend(self.values(&format!("{prefix}.bias"), &[rows]).await?),
            false => values.resize(rows * (width + 1), 0.0),
        }
        Linear::from_values(&values, rows, width).map_err(|e| err!(FileCorrupt, "{prefix}: {}", e.message()))
    }

    /// A layer norm of the hidden width.
    async fn norm(&self, prefix: &str, epsilon: f32, biased: bool) -> Result<LayerNorm> {
        let width = self.model.spec().hidden as usize;
        let weight = self.values(&format!("{prefix}.weight"), &[width]).await?;
        let bias = match biased {
            true => self.values(&format!("{prefix}.bias"), &[width]).await?,
            false => vec![0.0; width],
        };
        Ok(LayerNorm { weight, bias, epsilon })
    }

    /// The values of a tensor, whose shape must be `shape`.
    async fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let checkpoint = self.checkpoint();
        let info = checkpoint.get(name)?;
        let (expected, found): (Vec<u64>, _) = (shape.iter().map(|n| *n as u64).collect(), &info.shape);
        if *found != expected {
            let file = checkpoint.name();
            bail!(FileCorrupt, "{file}: {name} has shape {found:?}, expected {expected:?}");
        }
        checkpoint.read_f32(info, 0, info.elements() as usize).await
    }

    /// The labels in `id2label`, or the default names of transformers if that field is absent.
    pub(super) fn label_names(&self, count: usize) -> Result<Vec<String>> {
        let numbered = || (0..count).map(|label| format!("LABEL_{label}")).collect();
        if let Beside::Labels(labels) = &self.beside {
            if labels.len() != count {
                let named = labels.len();
                bail!(
                    FileCorrupt,
                    "{READOUT_FILE}: {named} labels, but the adapter's classifier has {count} outputs"
                );
            }
            return Ok(labels.clone());
        }
        let Some(names) = self.config().get("id2label").and_then(Value::as_object) else {
            return Ok(numbered());
        };
        // A name may be written as a number.
        let text = |name: &Value| match name {
            Value::Number(number) => Some(number.to_string()),
            other => other.as_str().map(str::to_owned),
        };
        let listed = (0..count).map(|label| names.get(&label.to_string()).and_then(text));
        match listed.collect::<Option<Vec<String>>>() {
            Some(labels) if names.len() == count => {
                refuse_repeated(&labels, "config.json: id2label")?;
                Ok(labels)
            }
            // The configuration belongs to the base model.
            _ if self.has_classifier_of_adapter() => Ok(numbered()),
            _ => bail!(
                FileCorrupt,
                "config.json: id2label: expected names of the labels 0 to {}, found {}",
                count - 1,
                serde_json::Value::Object(names.clone())
            ),
        }
    }
}

/// The maximum number of labels, more than any classifier has.
const MOST_LABELS: u64 = 1 << 20;
