//! A readout on label words as a model that transformers loads.
//!
//! The head becomes the language model's own head: a masked model's transform gets the fitted values, and the table that scores the
//! vocabulary gets the fitted rows of the label words. If the table is also the embedding, an untied copy is written, so that the
//! embedding stays unchanged. A causal model's low-rank correction is folded into the label words' rows: row * (1 + b * a). A
//! causal model scores all other words as before; in a masked model, the changed transform affects them too.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::readout_export::ReadoutFiles;
use super::save::{Addition, Changes, TableRows};
use super::session::Session;
use super::words::WordReadout;
use crate::error::Result;
use crate::fit::{HeadInner, WordHead};
use crate::format::config::Config;
use crate::format::files::CONFIG_FILE;
use crate::model::{HeadTransform, family};

impl WordReadout {
    /// The model with the fitted head, in the form that its language-modeling class loads.
    ///
    /// # Errors
    /// Errors from the backend.
    pub(super) async fn files(&self, session: &Session) -> Result<ReadoutFiles> {
        let spec = session.model.spec();
        let head = spec.head()?;
        let mut config = session.config().clone();
        for field in ["quantization_config", "dtype"] {
            config.remove(field);
        }
        config.insert("torch_dtype".to_owned(), json!("float32"));
        config.insert("tie_word_embeddings".to_owned(), json!(false));
        let config = format!("{:#}\n", Value::Object(config)).into_bytes();
        // The spec of the untied model, for the names of its head's tensors.
        let untied = family::spec(&Config::parse(CONFIG_FILE, &config)?)?;
        let untied_head = untied.head()?;
        let name = |id: usize| untied.tensors.as_slice()[id].name.clone();

        let mut changes = Changes::default();
        if let (Some(transform), HeadInner::Dense { weight, bias, norm_weight, norm_bias, .. }) =
            (&head.transform, &self.head.inner)
        {
            let HeadTransform { dense, norm, .. } = transform;
            let fitted = [
                (Some(dense.weight), Some(weight)),
                (dense.bias, bias.as_ref()),
                (norm.weight, Some(norm_weight)),
                (norm.bias, norm_bias.as_ref()),
            ];
            let fitted = fitted.into_iter().filter_map(|(id, values)| Some((id?, single(values?))));
            changes.replaced.extend(fitted);
        }
        let rows = merged_rows(&self.head, f64::from(head.scale));
        let rows: BTreeMap<u32, Vec<f32>> = self.labels.ids.iter().copied().zip(rows).collect();
        let tied = head.table == spec.embedding.tokens;
        changes.rows =
            Some(TableRows { of: head.table, copied_to: tied.then(|| name(untied_head.table)), rows });
        if let (Some(id), Some(fitted)) = (head.bias, &self.head.bias) {
            let mut values = session.tensor(id).await?;
            for (word, fitted) in self.labels.ids.iter().zip(fitted) {
                if let Some(value) = values.get_mut(*word as usize) {
                    *value = *fitted as f32;
                }
            }
            // An untied head may have its biases under another name, and programs read one or the other.
            let other = untied_head.bias.map(name).filter(|other| *other != spec.tensors.as_slice()[id].name);
            if let Some(name) = other {
                changes.added.push(Addition {
                    name,
                    shape: vec![values.len() as u64],
                    values: values.clone(),
                });
            }
            changes.replaced.insert(id, values);
        }
        Ok(ReadoutFiles { class: None, files: vec![(CONFIG_FILE, config)], changes })
    }
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// The rows of the label words with the low-rank correction folded in, for a head that first multiplies hidden states by `scale`.
fn merged_rows(head: &WordHead, scale: f64) -> Vec<Vec<f32>> {
    let rows = head.rows.chunks_exact(head.width());
    let merged = rows.map(|row| {
        let mut row = row.to_vec();
        if let HeadInner::LowRank { a, b } = &head.inner {
            let rank = b.len() / head.hidden;
            let mut along = vec![0.0; rank];
            for (weight, b) in row.iter().zip(b.chunks_exact(rank)) {
                along.iter_mut().zip(b).for_each(|(sum, b)| *sum += weight * b);
            }
            for (along, a) in along.iter().zip(a.chunks_exact(head.hidden)) {
                row.iter_mut().zip(a).for_each(|(weight, a)| *weight += along * a);
            }
        }
        row.iter().map(|weight| (weight / scale) as f32).collect()
    });
    merged.collect()
}
