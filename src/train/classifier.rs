//! A readout as a classifier: labels, the pooling of hidden states, and a linear classifier on them.

use super::header::Header;
use super::nonlinearity::nonlinearity;
use super::session::Session;
use super::words::WordReadout;
use crate::error::{Error, Result, bail, err};
use crate::fit::{self, Linear};
use crate::model::{ClassifierActivation, Evaluation, Extent, Pooling, ReadoutHead};
use crate::text::batch::Batch;
use crate::text::encode::Target;

/// A dense layer before a classifier's outputs: `norm(activation(weight * features + bias))`.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense {
    /// The layer.
    pub linear: Linear,
    /// The nonlinearity.
    pub activation: ClassifierActivation,
    /// A layer norm.
    pub norm: Option<LayerNorm>,
}

/// A layer norm's values.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNorm {
    /// `[hidden]`.
    pub weight: Vec<f32>,
    /// `[hidden]`; zeros if the norm has no bias.
    pub bias: Vec<f32>,
    /// Added to the variance.
    pub epsilon: f32,
}

impl Dense {
    /// The layer's outputs for one row of features, in f64.
    fn outputs(&self, features: &[f32]) -> Result<Vec<f64>> {
        let nonlinearity = nonlinearity(self.activation);
        let mut outputs = self.linear.logits(features)?;
        outputs.iter_mut().for_each(|x| *x = nonlinearity(*x).0);
        let Some(norm) = &self.norm else { return Ok(outputs) };
        let count = outputs.len() as f64;
        let mean = outputs.iter().sum::<f64>() / count;
        let variance = outputs.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
        let scale = 1.0 / (variance + f64::from(norm.epsilon)).sqrt();
        let parameters = norm.weight.iter().zip(&norm.bias);
        let normalized = outputs
            .iter()
            .zip(parameters)
            .map(|(x, (weight, bias))| (x - mean) * scale * f64::from(*weight) + f64::from(*bias));
        Ok(normalized.collect())
    }
}

/// A classifier of texts on a model's pooled hidden states.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// The labels, in the order of the logits.
    pub labels: Vec<String>,
    /// The pooling: which tokens' hidden states are the features.
    pub pooling: Pooling,
    /// A dense layer before the outputs, which published classifiers of encoders have.
    pub dense: Option<Dense>,
    /// From features to logits.
    pub linear: Linear,
    /// Whether data may also name a label by its number, as published classifiers allow.
    pub numbered: bool,
    /// The head on label words that computes the logits instead of `linear`, for texts in its template.
    pub words: Option<Box<WordReadout>>,
    /// Published classifiers of causal models: the token that is ignored at the end of a text, because transformers takes it for
    /// padding.
    pub padding: Option<u32>,
}

impl Classifier {
    /// Why a template and label words cannot be combined with a readout that steps start from.
    pub(crate) const WORDS_HAVE_NO_STEPS: &str = "the steps lower the loss of a linear classifier on pooled hidden states, which takes \
        texts and labels unchanged from the data. A readout on label words is a different head, which is computed on the host after the forward \
        pass, so steps cannot lower its loss. Leave out the template and the labels, or fit method readout with them alone, or train without a readout";

    /// A classifier that has not been fitted, and gives every label the same probability.
    pub fn unfitted(session: &Session, labels: Vec<String>, pooling: Pooling) -> Classifier {
        let linear = Linear::zeros(labels.len(), session.model.spec().hidden as usize);
        Classifier::plain(labels, pooling, linear)
    }

    /// Splits the values in a header into those of the adapter and those of the classifier, which follow them.
    pub(super) fn split<'a>(header: &'a Header, session: &Session) -> (&'a [f32], &'a [f32]) {
        let values = match header.settings.pooling() {
            Some(_) if header.settings.method.is_readout() => header.initial.len(),
            Some(_) => header.labels.len() * (session.model.spec().hidden as usize + 1),
            None => 0,
        };
        header.initial.split_at(header.initial.len().saturating_sub(values))
    }

    /// A classifier that is linear on the features.
    pub fn plain(labels: Vec<String>, pooling: Pooling, linear: Linear) -> Classifier {
        Classifier { labels, pooling, dense: None, linear, numbered: false, words: None, padding: None }
    }

    /// The tokens of a text without the padding at their end. At least one token is left.
    pub fn without_padding<'a>(&self, ids: &'a [u32]) -> &'a [u32] {
        let last = ids.iter().rposition(|id| Some(*id) != self.padding).unwrap_or(0);
        &ids[..ids.len().min(last + 1)]
    }

    /// A classifier that uses a head on label words. Its labels are spelled as in the data.
    pub(super) fn of_words(session: &Session, words: WordReadout) -> Classifier {
        let pooling = WordReadout::pooling(session.model.spec().causal);
        let unfitted = Classifier::unfitted(session, words.labels.names.clone(), pooling);
        Classifier { words: Some(Box::new(words)), ..unfitted }
    }

    /// The values that a trajectory stores for this classifier.
    pub(super) fn values(&self) -> Vec<f32> {
        match &self.words {
            Some(words) => words.head.values().into_iter().map(|value| value as f32).collect(),
            None => self.linear.values(),
        }
    }

    /// The classifier in a trajectory: the one of method readout, or the readout that the steps started from. `None` for other runs.
    ///
    /// # Errors
    /// `trajectory-mismatch` if the values in the header are not those of a classifier on this model.
    pub fn of(header: &Header, session: &Session) -> Result<Option<Classifier>> {
        let Some(pooling) = header.settings.pooling() else { return Ok(None) };
        let (labels, width) = (header.labels.clone(), session.model.spec().hidden as usize);
        let (_, values) = Classifier::split(header, session);
        let damaged =
            |error: Error| err!(TrajectoryMismatch, "the trajectory's readout: {}", error.message());
        if let Some(template) = &header.template {
            let words = WordReadout::unfitted(session, template, &labels)?;
            return Ok(Some(Classifier::of_words(session, words.with_values(values).map_err(damaged)?)));
        }
        match Linear::from_values(values, labels.len(), width) {
            Ok(linear) if labels.len() > 1 => Ok(Some(Classifier::plain(labels, pooling, linear))),
            Ok(_) => {
                bail!(TrajectoryMismatch, "the trajectory has {} labels, expected 2 or more", labels.len())
            }
            Err(error) => Err(damaged(error)),
        }
    }

    /// The index of a label. Case and surrounding white space are ignored.
    ///
    /// # Errors
    /// `data-invalid` naming the label and the known labels.
    pub(super) fn index_of(&self, label: &str) -> Result<u32> {
        const SHOWN: usize = 20;
        if let Some(index) = fit::position(&self.labels, label) {
            return Ok(index as u32);
        }
        if let Some(number) = label.parse().ok().filter(|&number| (number as usize) < self.labels.len())
            && self.numbered
        {
            return Ok(number);
        }
        let mut known = self.labels.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
        if self.labels.len() > SHOWN {
            known += &format!(" and {} more", self.labels.len() - SHOWN);
        }
        bail!(
            DataInvalid,
            "field `label`: expected one of the training data's labels, {known}, found {label:?}"
        )
    }

    /// The logit of each label for one row of features.
    ///
    /// # Errors
    /// `invalid-argument` if the row and the weights differ in width.
    pub fn logits(&self, features: &[f32]) -> Result<Vec<f64>> {
        if let Some(words) = &self.words {
            let features: Vec<f64> = features.iter().map(|&value| f64::from(value)).collect();
            return Ok(words.head.logits(&features));
        }
        match &self.dense {
            None => self.linear.logits(features),
            Some(dense) => {
                let inner = dense.outputs(features)?;
                self.linear.logits(&inner.into_iter().map(|x| x as f32).collect::<Vec<_>>())
            }
        }
    }

    /// Losses, predictions and logits from the features of each text, `[target, width]`.
    ///
    /// # Errors
    /// `invalid-argument` unless there is one row of features per target; `non-finite-loss` if a feature is NaN.
    pub(super) fn evaluate(&self, features: &[f32], targets: &[Target]) -> Result<Evaluation> {
        let width = self.linear.width();
        if features.len() != targets.len() * width {
            let (rows, values) = (targets.len(), features.len());
            bail!(InvalidArgument, "expected {rows} rows of {width} features, found {values} values");
        }
        let mut seen = Evaluation { losses: Vec::new(), predictions: Vec::new(), label_logits: Vec::new() };
        for (features, target) in features.chunks_exact(width).zip(targets) {
            let logits = self.logits(features)?;
            if let Some(logit) = logits.iter().find(|logit| !logit.is_finite()) {
                bail!(NonFiniteLoss, "a logit of the readout is {logit}");
            }
            let best =
                (1..logits.len()).fold(0, |best, at| if logits[at] > logits[best] { at } else { best });
            let class = (target.label as usize).min(logits.len() - 1);
            seen.losses.push(fit::log_loss(&logits, class) as f32);
            seen.predictions.push(best as u32);
            seen.label_logits.extend(logits.iter().map(|logit| *logit as f32));
        }
        Ok(seen)
    }
}

impl Session {
    /// Uploads a classifier, whose loss the steps then minimize, or removes it. While it is present, the language-model head is not
    /// trained.
    ///
    /// # Errors
    /// `model-unsupported` for a classifier that is not linear; errors from the backend.
    pub(super) fn use_readout(&mut self, classifier: Option<&Classifier>) -> Result<()> {
        let head = match classifier {
            Some(Classifier { dense: Some(_), .. } | Classifier { words: Some(_), .. }) => {
                bail!(
                    ModelUnsupported,
                    "steps cannot lower the loss of a classifier with a dense layer before it"
                )
            }
            Some(Classifier { linear, pooling, .. }) => {
                let backend = self.model.backend();
                Some(ReadoutHead::new(backend, linear.weight(), linear.bias(), *pooling)?)
            }
            None => None,
        };
        self.model.set_readout(head);
        Ok(())
    }

    /// The pooled hidden states of each sequence of a batch, `[sequence, hidden]`.
    ///
    /// # Errors
    /// The errors of [`crate::model::Transformer::features`].
    pub async fn features(&mut self, batch: &Batch, pooling: Pooling) -> Result<Vec<f32>> {
        let (tokens, targets) = (batch.tokens() as u32, batch.sequences() as u32);
        let (model, ws) = self.prepare(Extent { branches: 1, tokens, targets, labels: 0 })?;
        model.features(ws, batch, pooling).await
    }
}
