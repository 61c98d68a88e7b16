//! A readout in formats that other programs load.
//!
//! A readout is written as a `*ForSequenceClassification` class of transformers if the head of that class computes the same logits:
//!
//! - Causal models score the last token with a matrix without bias. If the last norm has a bias, the readout's biases are folded
//!   into it: a shift c of the norm's output with W c = b. Otherwise the readout has no biases ([`has_bias`]). The class skips tokens
//!   of padding at the end, so it is not written if the tokenizer appends such a token.
//! - BERT and RoBERTa score the first token through a dense layer and tanh. The layer becomes the identity times 2^-14, where tanh
//!   is linear to the precision of f32, and the weights are multiplied by 2^14.
//!
//! A readout on label words is a language model: see [`super::words_export`]. Any other readout, such as one on the mean over the
//! tokens, is written as modules of sentence-transformers: the model, its pooling, and a dense layer whose outputs are the logits.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::classifier::Classifier;
use super::save::{Addition, Changes, save_changed};
use super::session::Session;
use crate::dtype::DType;
use crate::error::{Result, bail};
use crate::fit::solve_rows;
use crate::format::files::CONFIG_FILE;
use crate::format::safetensors_writer::{SafetensorsWriter, TensorSpec};
use crate::model::{
    Adapter, AdapterSpec, ClassifierActivation, ClassifierDense, ModelSpec, Norm, NormKind, Pooling,
};

/// The factor applied to the hidden states before BERT's tanh. It is a power of two, so that nothing is rounded.
const SMALL: f32 = 1.0 / 16384.0;

/// Whether a readout has biases. It has none if transformers has a class that scores the same token without biases and the model
/// has no norm that they could be folded into.
pub(super) fn has_bias(spec: &ModelSpec, pooling: Pooling) -> bool {
    last_token_class(spec, pooling).is_none() || last_bias(spec).is_some()
}

/// The class of transformers that scores the last token, if `pooling` is the last token.
fn last_token_class(spec: &ModelSpec, pooling: Pooling) -> Option<&'static str> {
    let classifier = spec.classifier.filter(|head| head.dense.is_none() && head.pooling == Pooling::Last)?;
    (pooling == Pooling::Last).then_some(classifier.class)
}

/// Whether the tokenizer appends the token that the configuration declares as padding. transformers' class would score the token
/// before it.
fn ends_in_padding(session: &Session) -> Result<bool> {
    let Ok(tokenizer) = session.tokenizer() else { return Ok(false) };
    let last = tokenizer.encode("a", true)?.last().copied();
    Ok(last.is_some() && last == session.padding()?)
}

/// Whether a dense layer is followed by tanh alone, which is linear for small values.
fn is_tanh(dense: &ClassifierDense) -> bool {
    dense.bias && dense.norm.is_none() && dense.activation == ClassifierActivation::Tanh
}

/// The last norm, if it adds a bias.
fn last_bias(spec: &ModelSpec) -> Option<Norm> {
    spec.final_norm.filter(|norm| matches!(norm.kind, NormKind::Layer { bias: true, .. }))
}

/// A readout as files.
pub struct ReadoutFiles {
    /// The class of transformers for classification that loads the files; `None` for the modules of sentence-transformers and for a
    /// language model.
    pub class: Option<&'static str>,
    /// The small files with their paths: `config.json` and others, without the tokenizer's files.
    pub files: Vec<(&'static str, Vec<u8>)>,
    pub(super) changes: Changes,
}

impl ReadoutFiles {
    /// Writes `model.safetensors` to `sink`, as [`super::save_model`] does.
    ///
    /// # Errors
    /// Errors from the backend and from `sink`.
    pub async fn save(&self, session: &Session, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        save_changed(session, &self.changes, sink).await
    }
}

impl Classifier {
    /// Returns the classifier and the model's weights in a form that other programs load. Texts are truncated to `max_length` tokens.
    ///
    /// # Errors
    /// `invalid-argument` if an adapter is trained beside the model; errors from the backend.
    pub async fn files(&self, session: &Session, max_length: u32) -> Result<ReadoutFiles> {
        let adapter = session.model.adapter().map(Adapter::spec);
        if adapter.is_some_and(|adapter| !matches!(adapter, AdapterSpec::LowRank { .. })) {
            bail!(InvalidArgument, "a readout on an adapter is saved with the adapter, not as a model");
        }
        if let Some(words) = &self.words {
            return words.files(session).await;
        }
        let without = session.model.spec().head_tensors();
        match self.head(session).await? {
            Some((class, changes)) => {
                let files = vec![(CONFIG_FILE, self.config(session, Some(class)))];
                Ok(ReadoutFiles { class: Some(class), files, changes: Changes { without, ..changes } })
            }
            None => self.modules(session, max_length, Changes { without, ..Changes::default() }),
        }
    }

    /// The class of transformers that computes the same logits, with the tensors that its head adds to the model or replaces in it;
    /// `None` if there is no such class.
    pub(super) async fn head(&self, session: &Session) -> Result<Option<(&'static str, Changes)>> {
        let spec = session.model.spec();
        let mut changes = Changes::default();
        let (labels, width) = (self.labels.len() as u64, u64::from(spec.hidden));
        let mut add = |name: &str, shape: &[u64], values: Vec<f32>| {
            changes.added.push(Addition { name: name.to_owned(), shape: shape.to_vec(), values });
        };
        let matrix = [labels, width];
        if let Some(head) = spec.classifier
            && head.pooling == self.pooling
            && let Some(dense) = head.dense.filter(is_tanh)
        {
            let size = spec.hidden as usize;
            let identity = (0..size * size).map(|i| if i % (size + 1) == 0 { SMALL } else { 0.0 });
            add(&format!("{}.weight", dense.name), &[width, width], identity.collect());
            add(&format!("{}.bias", dense.name), &[width], vec![0.0; size]);
            let weights = self.linear.weight().iter().map(|w| w / SMALL).collect();
            add(&format!("{}.weight", head.output), &matrix, weights);
            add(&format!("{}.bias", head.output), &[labels], self.linear.bias().to_vec());
            return Ok(Some((head.class, changes)));
        }
        let Some(class) = last_token_class(spec, self.pooling) else { return Ok(None) };
        if ends_in_padding(session)? {
            return Ok(None);
        }
        let unbiased = self.linear.bias().iter().all(|bias| *bias == 0.0);
        let shift = if unbiased { None } else { self.norm_shift(session).await? };
        if !unbiased && shift.is_none() {
            return Ok(None);
        }
        add("score.weight", &matrix, self.linear.weight().to_vec());
        changes.replaced.extend(shift);
        Ok(Some((class, changes)))
    }

    /// The ordinal of the last norm's bias, and its values with the readout's biases folded in; `None` if that is not possible.
    async fn norm_shift(&self, session: &Session) -> Result<Option<(usize, Vec<f32>)>> {
        let Some(id) = last_bias(session.model.spec()).and_then(|norm| norm.bias) else { return Ok(None) };
        let Some(shift) = solve_rows(&self.linear) else { return Ok(None) };
        let values = session.tensor(id).await?;
        let shifted = values.iter().zip(shift).map(|(value, shift)| (f64::from(*value) + shift) as f32);
        Ok(Some((id, shifted.collect())))
    }

    /// The configuration of the model, with the labels and, if it is known, the class.
    fn config(&self, session: &Session, class: Option<&str>) -> Vec<u8> {
        // In 16 bits, the factors before and after BERT's tanh would not be exact.
        let mut fields = session.saved_config(false);
        let numbered = self.labels.iter().enumerate();
        let id2label: Map<String, Value> =
            numbered.clone().map(|(id, label)| (id.to_string(), json!(label))).collect();
        let label2id: Map<String, Value> = numbered.map(|(id, label)| (label.clone(), json!(id))).collect();
        fields.insert("id2label".to_owned(), json!(id2label));
        fields.insert("label2id".to_owned(), json!(label2id));
        if let Some(class) = class {
            fields.insert("architectures".to_owned(), json!([class]));
            fields.insert("problem_type".to_owned(), json!("single_label_classification"));
        }
        json_file(fields)
    }

    /// The weights and biases as a safetensors file with the tensors `linear.weight` and `linear.bias`.
    pub(super) fn linear_file(&self) -> Result<Vec<u8>> {
        let (labels, width) = (self.labels.len() as u64, self.linear.width() as u64);
        let tensor =
            |name: &str, shape: Vec<u64>| TensorSpec { name: name.to_owned(), dtype: DType::F32, shape };
        let specs = [tensor("linear.weight", vec![labels, width]), tensor("linear.bias", vec![labels])];
        let mut file = Vec::new();
        let mut writer = SafetensorsWriter::new(&specs, &BTreeMap::new(), |bytes: &[u8]| {
            file.extend_from_slice(bytes);
            Ok(())
        })?;
        writer.write_f32("linear.weight", self.linear.weight())?;
        writer.write_f32("linear.bias", self.linear.bias())?;
        writer.finish().map(drop)?;
        Ok(file)
    }

    /// The files in the module format of sentence-transformers.
    fn modules(&self, session: &Session, max_length: u32, changes: Changes) -> Result<ReadoutFiles> {
        let module = |index: u32, path: &str, kind: &str| {
            let kind = format!("sentence_transformers.models.{kind}");
            json!({ "idx": index, "name": index.to_string(), "path": path, "type": kind })
        };
        let modules =
            [module(0, "", "Transformer"), module(1, "1_Pooling", "Pooling"), module(2, "2_Dense", "Dense")];
        let (labels, width) = (self.labels.len() as u64, self.linear.width() as u64);
        let pooling = json!({
            "word_embedding_dimension": width,
            "pooling_mode_cls_token": self.pooling == Pooling::First,
            "pooling_mode_mean_tokens": self.pooling == Pooling::Mean,
            "pooling_mode_lasttoken": self.pooling == Pooling::Last,
            "pooling_mode_max_tokens": false,
            "pooling_mode_mean_sqrt_len_tokens": false,
            "pooling_mode_weightedmean_tokens": false,
            "include_prompt": true,
        });
        let dense = json!({
            "in_features": width,
            "out_features": labels,
            "bias": true,
            "activation_function": "torch.nn.modules.linear.Identity",
        });
        let text = |value: Value| format!("{value:#}\n").into_bytes();
        let files = vec![
            (CONFIG_FILE, self.config(session, None)),
            ("modules.json", text(json!(modules))),
            (
                "sentence_bert_config.json",
                text(json!({ "max_seq_length": max_length, "do_lower_case": false })),
            ),
            ("1_Pooling/config.json", text(pooling)),
            ("2_Dense/config.json", text(dense)),
            ("2_Dense/model.safetensors", self.linear_file()?),
        ];
        Ok(ReadoutFiles { class: None, files, changes })
    }
}

/// Serializes a JSON object as a file.
pub(super) fn json_file(fields: Map<String, Value>) -> Vec<u8> {
    format!("{:#}\n", Value::Object(fields)).into_bytes()
}
