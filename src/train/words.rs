//! A readout on label words: the language model's head, fitted to the words of a template.

use std::collections::BTreeMap;

use super::nonlinearity::nonlinearity;
use super::session::Session;
use crate::error::{Result, bail};
use crate::fit::{HeadInner, MAX_LABELS, WordHead};
use crate::model::{ClassifierActivation, HeadTransform, Linear, NormKind, Pooling, TensorId};
use crate::text::encode::LabelWords;
use crate::text::template::Template;
use crate::zo::random;

/// The rank of the correction before a causal model's head.
const RANK: u32 = 8;

/// A head that is fitted to label words, with the template that the words appear in.
#[derive(Clone, Debug)]
pub struct WordReadout {
    /// The template.
    pub template: Template,
    /// The label words.
    pub labels: LabelWords,
    /// Maps hidden states at the mask, or at the last token for a causal model, to one logit per label word.
    pub head: WordHead,
}

impl WordReadout {
    /// Creates a readout whose values are not known yet; all are 0.
    ///
    /// # Errors
    /// `model-unsupported` for a model without a language-model head or with a head of another form; `data-invalid` for a template
    /// or label word that the model cannot use.
    pub(super) fn unfitted(session: &Session, template: &str, labels: &[String]) -> Result<WordReadout> {
        let spec = session.model.spec();
        let head = spec.head()?;
        let tokenizer = session.tokenizer()?;
        let mask = tokenizer.mask().map(|(word, _)| word);
        let template = Template::parse(template, mask.as_deref())?;
        if labels.len() > MAX_LABELS {
            bail!(DataInvalid, "there are {} label words; at most {MAX_LABELS} are allowed", labels.len());
        }
        let words = LabelWords::find(tokenizer, session.head(), &template, labels)?;
        session.check_tokens(words.ids.iter().copied()).map_err(|e| e.at("label words"))?;
        let hidden = spec.hidden as usize;
        let (inner, width) = match (&head.transform, &head.projection) {
            (Some(transform), None) => dense(session, transform)?,
            (None, None) if spec.causal => {
                let size = (RANK as usize).min(hidden) * hidden;
                (HeadInner::LowRank { a: vec![0.0; size], b: vec![0.0; size] }, hidden)
            }
            _ => bail!(
                ModelUnsupported,
                "a readout on label words is implemented for masked heads with a dense layer and a norm, and for causal heads without a \
                 projection; this {} model has a different head. Method readout without a template fits a classifier instead",
                spec.family
            ),
        };
        let count = words.ids.len();
        let head = WordHead {
            hidden,
            inner,
            rows: vec![0.0; count * width],
            bias: head.bias.map(|_| vec![0.0; count]),
            labels: count,
            softcap: head.softcap.map(f64::from),
        };
        Ok(WordReadout { template, labels: words, head })
    }

    /// The readout with values from a trajectory, in the order of [`WordHead::values`].
    ///
    /// # Errors
    /// `invalid-argument` if the number of values is wrong; `non-finite-loss` if one is infinite or NaN.
    pub(super) fn with_values(mut self, values: &[f32]) -> Result<WordReadout> {
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            bail!(NonFiniteLoss, "a value of the readout is {value}");
        }
        self.head.set(&values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>())?;
        Ok(self)
    }

    /// The labels as the user gave them: words, or pairs of a label and its word.
    pub(super) fn given(&self) -> Vec<String> {
        let pairs = self.labels.names.iter().zip(&self.labels.words);
        pairs.map(|(name, word)| if name == word { word.clone() } else { format!("{name}={word}") }).collect()
    }

    /// The hidden states that the head reads.
    pub(super) fn pooling(causal: bool) -> Pooling {
        if causal { Pooling::Last } else { Pooling::Mask }
    }

    /// The head with the session's own values, which a fit starts from. A causal model's correction is initially zero: one of its
    /// factors is zero, and the other is drawn from the seed.
    ///
    /// # Errors
    /// Errors from the backend.
    pub(super) async fn pretrained(&self, session: &Session, seed: u64) -> Result<WordHead> {
        let spec = session.model.spec();
        let head = spec.head()?;
        let mut values = Vec::new();
        match &head.transform {
            Some(HeadTransform { dense, norm, .. }) => {
                for id in [Some(dense.weight), dense.bias, norm.weight, norm.bias].into_iter().flatten() {
                    values.extend(session.tensor(id).await?);
                }
            }
            None => {
                let rank = RANK.min(spec.hidden);
                values.extend(random::lora_a(seed, head.table as u32, rank, spec.hidden));
                values.resize(2 * values.len(), 0.0);
            }
        }
        let rows = session.rows(head.table, &self.labels.ids).await?;
        values.extend(rows.iter().map(|value| value * head.scale));
        if let Some(bias) = head.bias {
            let all = session.tensor(bias).await?;
            values.extend(self.labels.ids.iter().filter_map(|id| all.get(*id as usize)));
        }
        let mut own = self.head.clone();
        own.set(&values.iter().map(|&value| f64::from(value)).collect::<Vec<_>>())?;
        Ok(own)
    }
}

/// A masked model's transform with zero values, and the number of its outputs.
fn dense(session: &Session, transform: &HeadTransform) -> Result<(HeadInner, usize)> {
    let spec = session.model.spec();
    let HeadTransform { dense, activation, norm } = transform;
    let NormKind::Layer { eps, .. } = norm.kind else {
        bail!(ModelUnsupported, "a readout on label words is not implemented for a head with an RMS norm");
    };
    let Linear { rows, width, bias, .. } = *dense;
    if width != spec.hidden || spec.head()?.scale != 1.0 {
        bail!(ModelUnsupported, "a readout on label words is not implemented for this {} model", spec.family);
    }
    let rows = rows as usize;
    let zeros = |count: usize| vec![0.0; count];
    let inner = HeadInner::Dense {
        weight: zeros(rows * width as usize),
        bias: bias.map(|_| zeros(rows)),
        activation: nonlinearity(ClassifierActivation::Of(*activation)),
        norm_weight: zeros(rows),
        norm_bias: norm.bias.map(|_| zeros(rows)),
        epsilon: f64::from(eps),
    };
    Ok((inner, rows))
}

impl Session {
    /// All values of a tensor.
    ///
    /// # Errors
    /// Errors from the backend.
    pub(super) async fn tensor(&self, id: TensorId) -> Result<Vec<f32>> {
        let mut values = Vec::new();
        let mut keep = |read: &[f32]| {
            values.extend_from_slice(read);
            Ok(())
        };
        self.model.weights().read(self.model.backend(), id, &mut keep).await?;
        Ok(values)
    }

    /// The rows `ids` of a table, in that order.
    async fn rows(&self, table: TensorId, ids: &[u32]) -> Result<Vec<f32>> {
        let width = self.model.weights().matrix(table)?.width as usize;
        let mut found: BTreeMap<u32, Vec<f32>> = ids.iter().map(|id| (*id, Vec::new())).collect();
        let mut element = 0;
        let mut keep = |read: &[f32]| {
            for (&id, row) in &mut found {
                let first = id as usize * width + row.len();
                let end = (id as usize + 1) * width;
                let range = first.max(element)..end.min(element + read.len());
                if !range.is_empty() {
                    row.extend_from_slice(&read[range.start - element..range.end - element]);
                }
            }
            element += read.len();
            Ok(())
        };
        self.model.weights().read(self.model.backend(), table, &mut keep).await?;
        Ok(ids.iter().filter_map(|id| found.get(id)).flatten().copied().collect())
    }
}
