//! What is trained (all weights, some of them, or an adapter), and how a session is set up for it.

use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use super::session::Session;
use crate::dtype::DType;
use crate::error::{Result, bail};
use crate::model::{Adapter, AdapterSpec, AdapterTensor, Packed, Pooling, TensorId, TensorKind};
use crate::names::names;
use crate::zo::estimator::{Estimator, EstimatorKind};
use crate::zo::random;

/// Number of windows whose low-rank directions are kept in separate columns when the weights are read-only and cannot be merged into.
const SLOTS: u32 = 4;

/// How LoRA's factor A is initialized and whether it is trained. A layer's inputs are multiplied by A first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LoraA {
    /// A is drawn from the seed and trained, as in LoRA (Hu et al. 2021, arXiv 2106.09685). Trajectories without this field use it.
    #[default]
    Trained,
    /// A is drawn from the seed and frozen; only B is trained, as in LoRA-FA (Zhang et al. 2023, arXiv 2308.03303). The directions
    /// then have fewer dimensions.
    Frozen,
    /// A is computed from the inputs of the layers on the first batches and then frozen: see `basis.rs`. The trajectory
    /// contains it.
    Activations,
}

names!(LoraA: Trained = "trained", Frozen = "frozen", Activations = "activations");

impl LoraA {
    /// Whether this is the default, which files without this field imply.
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_default(&self) -> bool {
        *self == LoraA::default()
    }
}

/// What a run trains.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The model's own weights.
    #[default]
    Full,
    /// Low-rank factors beside linear layers (Hu et al. 2021).
    Lora {
        /// The rank of the factors.
        rank: u32,
        /// Numerator of the scale.
        alpha: f32,
        /// Roles or module names.
        targets: Vec<String>,
        /// How the factor A is initialized and whether it is trained.
        #[serde(default, skip_serializing_if = "LoraA::is_default")]
        a: LoraA,
    },
    /// Keys and values that are prepended to every sequence (Li and Liang 2021).
    Prefix {
        /// Number of rows of keys and values.
        length: u32,
    },
    /// A classifier on pooled hidden states, with frozen weights: [`super::ReadoutTrainer`].
    Readout {
        /// The pooling: which tokens' hidden states are the features.
        pooling: Pooling,
    },
}

impl Method {
    /// LoRA as in MeZO: rank 8, alpha 16, queries and values, both factors trained.
    pub fn lora() -> Method {
        let targets = vec!["q".to_owned(), "v".to_owned()];
        Method::Lora { rank: 8, alpha: 16.0, targets, a: LoraA::Trained }
    }

    /// A prefix as in MeZO: 5 rows.
    pub fn prefix() -> Method {
        Method::Prefix { length: 5 }
    }

    /// The method's name: full, lora, prefix or readout.
    pub fn name(&self) -> &'static str {
        match self {
            Method::Full => "full",
            Method::Lora { .. } => "lora",
            Method::Prefix { .. } => "prefix",
            Method::Readout { .. } => "readout",
        }
    }

    /// Whether the method is a readout, which has no steps.
    pub fn is_readout(&self) -> bool {
        matches!(self, Method::Readout { .. })
    }

    /// The adapter that the method trains, if any.
    pub fn adapter(&self) -> Option<AdapterSpec> {
        match self.clone() {
            Method::Full | Method::Readout { .. } => None,
            Method::Lora { rank, alpha, targets, a } => {
                Some(AdapterSpec::Lora { rank, alpha, targets, train_a: a == LoraA::Trained })
            }
            Method::Prefix { length } => Some(AdapterSpec::Prefix { length }),
        }
    }
}

/// What a run trains and how: everything needed to set up the session.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// What is trained.
    pub method: &'a Method,
    /// The estimator, which determines the directions.
    pub estimator: &'a Estimator,
    /// Patterns with `*` and `?`: only the model's tensors whose name matches one of them are trained. Empty: all tensors.
    pub trainable: &'a [String],
    /// Seed of the adapter's initial values.
    pub seed: u64,
    /// The initial values of the adapter, or of its fixed tensors, tensor by tensor; empty: drawn from the seed.
    pub initial: &'a [f32],
}

impl Setup<'_> {
    fn low_rank(&self) -> bool {
        self.estimator.kind == EstimatorKind::LowRank
    }

    fn check(&self) -> Result<()> {
        if *self.method != Method::Full && self.low_rank() {
            bail!(
                InvalidArgument,
                "low-rank directions are for method full: the factors of {} are already small",
                self.method.name()
            );
        }
        if *self.method != Method::Full && !self.trainable.is_empty() {
            bail!(InvalidArgument, "a selection of tensors is for method full, not {}", self.method.name());
        }
        Ok(())
    }
}

impl Session {
    /// Sets up what a run trains, with its values before the first step. Returns the adapter's initial values if they do not follow
    /// from the seed: a prefix starts as keys and values that this device has computed.
    ///
    /// # Errors
    /// `invalid-argument` for settings that the model or its format cannot be trained with; errors from the backend.
    pub async fn set_up(&mut self, setup: &Setup<'_>) -> Result<Vec<f32>> {
        setup.check()?;
        if *setup.method == Method::Full && self.streams_layers() {
            bail!(
                InvalidArgument,
                "streamed layers are only read, but method full trains them: use method lora or prefix, or \
                 a readout"
            );
        }
        self.remove_adapter();
        self.touched |= *setup.method == Method::Full;
        let mut chosen = chosen(self, setup.trainable)?;
        if self.model.readout().is_some() {
            // No pass uses the language-model head.
            self.model.spec().head_tensors().into_iter().for_each(|id| chosen[id] = false);
        }
        let adapter = match setup.method.adapter() {
            None if setup.low_rank() => {
                // Accumulated updates are merged into the weights if their format allows it.
                let slots = if self.dtype().format().trainable { 1 } else { SLOTS };
                Some(AdapterSpec::LowRank { rank: setup.estimator.rank, slots })
            }
            adapter => adapter,
        };
        let full = *setup.method == Method::Full && adapter.is_none();
        // A matrix with one row, such as RoBERTa's type embedding, has factors like any other matrix.
        let tensors = self.model.spec().tensors.as_slice();
        let is_vector: Vec<bool> = tensors.iter().map(|t| t.kind == TensorKind::Vector).collect();
        let trained = |id: TensorId| chosen[id] && (full || (setup.low_rank() && is_vector[id]));
        self.train_tensors(&trained)?;
        let Some(adapter) = adapter else { return Ok(Vec::new()) };
        self.add_adapter(adapter, setup.seed, setup.initial, &|id| chosen[id]).await
    }

    /// Adds an adapter to the weights. If no values are given, they are drawn from the seed. See [`Session::set_up`] for the return
    /// value.
    ///
    /// # Errors
    /// `invalid-argument` if the number of values is not that of the adapter; errors from the backend.
    pub async fn add_adapter(
        &mut self,
        spec: AdapterSpec,
        seed: u64,
        initial: &[f32],
        chosen: &dyn Fn(TensorId) -> bool,
    ) -> Result<Vec<f32>> {
        self.remove_adapter();
        let backend = self.model.backend();
        let adapter = Adapter::allocate(backend, self.model.spec(), spec.clone(), chosen)?;
        let mut drawn = Vec::new();
        match &spec {
            _ if !initial.is_empty() => {
                write_all(self, &adapter, initial)?;
                drawn = initial.to_vec();
            }
            AdapterSpec::Lora { .. } => {
                // A and B alternate; B starts as zeros.
                for (a, packed, index) in adapter.stored().into_iter().step_by(2) {
                    let values = random::lora_a(seed, a.ordinal as u32, a.rows, a.width);
                    packed.write(backend, index, 0, &values)?;
                }
            }
            AdapterSpec::Prefix { length } => {
                let tokens = random::prefix_tokens(seed, *length, self.model.spec().vocabulary);
                drawn = self.model.keys_and_values(&tokens).await?;
                write_all(self, &adapter, &drawn)?;
            }
            // B starts as zeros; the signs are drawn for each window.
            AdapterSpec::LowRank { .. } => {}
        }
        self.model.set_adapter(Some(adapter));
        Ok(drawn)
    }

    /// The adapter's values, trained and fixed, tensor by tensor ([`Adapter::stored`]).
    ///
    /// # Errors
    /// Errors from the backend.
    pub async fn adapter_values(&self) -> Result<Vec<f32>> {
        let mut values = Vec::new();
        if let Some(adapter) = self.model.adapter() {
            for (_, packed, index) in adapter.stored() {
                values.extend(packed.read(self.model.backend(), index).await?);
            }
        }
        Ok(values)
    }
}

/// Writes all of an adapter's values, or only those of its fixed tensors, tensor by tensor ([`Adapter::stored`]).
fn write_all(session: &Session, adapter: &Adapter, values: &[f32]) -> Result<()> {
    let mut stored = adapter.stored();
    let total = |stored: &[(&AdapterTensor, &Packed, usize)]| -> usize {
        stored.iter().map(|(tensor, ..)| tensor.elements()).sum()
    };
    let all = total(&stored);
    if values.len() != all {
        stored.retain(|(_, packed, _)| !packed.is_trained());
    }
    if values.len() != total(&stored) || values.is_empty() {
        bail!(TrajectoryMismatch, "the adapter has {all} values, but {} are given", values.len());
    }
    let mut rest = values;
    for (tensor, packed, index) in stored {
        let (now, later) = rest.split_at(tensor.elements());
        packed.write(session.model.backend(), index, 0, now)?;
        rest = later;
    }
    Ok(())
}

/// For each of the model's tensors, whether a pattern matches its name.
fn chosen(session: &Session, patterns: &[String]) -> Result<Vec<bool>> {
    let tensors = session.model.spec().tensors.as_slice();
    let mut chosen = vec![patterns.is_empty(); tensors.len()];
    for pattern in patterns {
        let matcher = WildMatch::new(pattern);
        let mut hit = false;
        for (tensor, chosen) in tensors.iter().zip(&mut chosen) {
            if matcher.matches(&tensor.name) {
                *chosen = true;
                hit = true;
            }
        }
        if !hit {
            let example = tensors.first().map_or("", |t| t.name.as_str());
            bail!(InvalidArgument, "no tensor's name matches {pattern:?}; the first is called {example}");
        }
    }
    Ok(chosen)
}

/// The storage format that an option names.
///
/// # Errors
/// `invalid-argument` for an unknown name.
pub fn dtype(name: &str) -> Result<DType> {
    DType::named(name)
}

/// The name of a storage format in options.
pub fn dtype_name(dtype: DType) -> &'static str {
    dtype.option()
}
