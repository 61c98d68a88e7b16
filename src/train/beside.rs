//! What files beside an adapter or a model say about its classifier.

use std::collections::HashSet;

use crate::error::{Result, bail};
use crate::fit::Linear;
use crate::model::Pooling;

/// The file that describes a readout beside an adapter: its labels, and the tokens whose hidden states it scores.
pub(super) const READOUT_FILE: &str = "readout.json";

/// The weights of a readout that is saved beside an adapter, when transformers has no class for it.
pub(super) const READOUT_WEIGHTS: &str = "readout.safetensors";

/// What the files say.
#[derive(Clone, Debug, Default)]
pub(super) enum Beside {
    /// There are no such files.
    #[default]
    Nothing,
    /// The labels of a classifier whose tensors are in the adapter. `peft` has no field for them.
    Labels(Vec<String>),
    /// A readout with weights of its own.
    Readout {
        /// In the order of the logits.
        labels: Vec<String>,
        /// The tokens whose hidden states are scored.
        pooling: Pooling,
        /// From hidden states to logits.
        linear: Linear,
    },
}

/// Rejects duplicate label names, because a row's label would always resolve to the first of them.
pub(super) fn refuse_repeated(labels: &[String], at: &str) -> Result<()> {
    let mut seen = HashSet::new();
    if let Some(label) = labels.iter().find(|label| !seen.insert(label.as_str())) {
        bail!(FileCorrupt, "{at}: {label:?} appears twice");
    }
    Ok(())
}
