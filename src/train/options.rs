//! The options of a run as the user gives them. This is their only definition: the command line's flags, the package's options and
//! the TypeScript types (which `tests/it/options.rs` writes) are derived from it, with these comments as their help texts.
//!
//! If a value is left out, it is the task's default, otherwise the preset of the method, the estimator and the model's size,
//! otherwise a general default: [`Options::resolve`].

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::header::Header;
use super::method::Method;
use super::method_options::{MethodKind, MethodOptions};
use super::presets::{Preset, preset};
use super::settings::{Objective, Settings};
use crate::error::{Result, bail};
use crate::model::{ModelSpec, Pooling};
use crate::names::Named;
use crate::text::task::Task;
use crate::zo::estimator::EstimatorKind;
use crate::zo::schedule::Schedule;

/// All options of a run except those of the data.
///
/// ```
/// use pocketllm::train::{MethodKind, MethodOptions, Options};
///
/// let method = MethodOptions { method: Some(MethodKind::Lora), lora_rank: Some(4), ..MethodOptions::default() };
/// let options = Options { method, steps: Some(100), ..Options::default() };
/// assert!(options.check().is_ok());
/// assert!(Options { steps: Some(0), ..options }.check().is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[cfg_attr(not(target_arch = "wasm32"), derive(clap::Args))]
pub struct Options {
    /// What is trained, and how the gradient is estimated.
    #[serde(flatten)]
    #[cfg_attr(not(target_arch = "wasm32"), command(flatten))]
    pub method: MethodOptions,
    /// The objective to minimize. accuracy and f1 stand for 1 - accuracy and 1 - F1, which have no gradient [default: loss]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objective: Option<Objective>,
    /// Number of steps of the run [default: the task's, or 1000]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u32>,
    /// Number of examples per step [default: the task's, or 16]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<u32>,
    /// Number of examples per forward pass, for a batch that does not fit in memory; 0 runs the whole batch at once [default: 0]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micro_batch: Option<u32>,
    /// Learning rate, or auto: a search that tries five rates for 50 steps each [default: by method, estimator and the model's size]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long = "lr", allow_negative_numbers = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<Rate>,
    /// How the learning rate changes: linear falls to 0 at the last step [default: constant]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Decoupled weight decay of the matrices [default: the task's, or 0]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long, allow_negative_numbers = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f32>,
    /// Perturbation scale [default: by method: 1e-3 for full, 1e-2 for lora, 1e-1 for prefix]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long = "eps", allow_negative_numbers = true))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f32>,
    /// Seed of the directions and of the data's order. The same seed gives the same run, bit for bit [default: 0]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "seed")]
    pub seed: Option<u64>,
    /// Take the examples in the file's order instead of shuffling them, for data that are sorted on purpose
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sequential: bool,
    /// Spread the labels of the examples evenly over the shuffled order, so that every batch has about the shares of the whole data. A text
    /// without a label is shuffled as usual [default: by preset lowest-loss]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long, num_args(0..=1), require_equals(true), default_missing_value("true")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balanced: Option<bool>,
    /// Number of steps between evaluations [default: 0, no evaluations in between]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long = "eval-every"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluate_every: Option<u32>,
    /// Keep the weights of the evaluation with the lowest held-out loss, which may be the one before the first step, instead of those of
    /// the last step. The record then ends at that evaluation. This needs held-out data
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep_best: bool,
    /// Maximum tokens per example; longer examples are truncated [default: the task's, or 128 for a masked and 512 for a causal model]
    #[cfg_attr(not(target_arch = "wasm32"), arg(long))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
}

impl Options {
    /// The settings for a model: given values first, then the task's defaults, then presets, then general defaults.
    ///
    /// # Errors
    /// `invalid-argument` naming the setting, its value and the allowed values.
    pub fn resolve(&self, spec: &ModelSpec, task: Option<&Task>) -> Result<Settings> {
        if self.is_readout() {
            let settings = self.check_readout()?;
            let pooling = self.method.pooling.unwrap_or_else(|| spec.pooling());
            return Ok(Settings { method: Method::Readout { pooling }, ..settings });
        }
        let (method, estimator) = (self.method.method(), self.method.estimator());
        let begin = preset(spec, &method, &estimator, self.method.optimizer(), self.is_balanced());
        let defaults = task.map(|task| task.defaults(spec.head_kind().into(), method.name())).transpose()?;
        let with_task = match defaults {
            None => self.clone(),
            Some(defaults) => Options {
                steps: self.steps.or(Some(defaults.steps)),
                batch_size: self.batch_size.or(Some(defaults.batch_size)),
                weight_decay: self.weight_decay.or(Some(defaults.weight_decay)),
                max_length: self.max_length.filter(|length| *length > 0).or(Some(defaults.max_length)),
                ..self.clone()
            },
        };
        let settings = with_task.with_preset(begin)?;
        let pooling = self.method.pooling.unwrap_or_else(|| spec.pooling());
        let refit_every = self.method.refit_every.unwrap_or_default();
        let settings = Settings { readout: self.method.readout.then_some(pooling), refit_every, ..settings };
        settings.check()?;
        Ok(settings)
    }

    /// Checks that method readout can be fitted to label words with these options.
    ///
    /// # Errors
    /// `invalid-argument` if a pooling is given.
    pub fn check_words(&self) -> Result<()> {
        match self.method.pooling {
            Some(_) => bail!(
                InvalidArgument,
                "pooling: expected none with a template and labels, for which the head reads the mask or, in a causal model, the last token"
            ),
            None => Ok(()),
        }
    }

    /// Checks everything that can be checked before a model is known.
    ///
    /// # Errors
    /// The errors of [`Options::resolve`].
    pub fn check(&self) -> Result<()> {
        if self.is_readout() {
            return self.check_readout().map(drop);
        }
        let Settings { learning_rate, epsilon, .. } = Settings::default();
        self.with_preset(Preset { learning_rate, epsilon }).map(drop)
    }

    /// Whether the labels are spread evenly over the order of the data: as given, or according to the preset unless the order is
    /// the file's.
    fn is_balanced(&self) -> bool {
        self.balanced.unwrap_or_else(|| self.method.is_balanced() && !self.sequential)
    }

    /// Whether the options are those of method readout, which has few.
    pub fn is_readout(&self) -> bool {
        self.method.method == Some(MethodKind::Readout)
    }

    /// The settings of method readout.
    ///
    /// # Errors
    /// `invalid-argument` naming an option that the method does not have.
    fn check_readout(&self) -> Result<Settings> {
        let known = Options {
            seed: self.seed,
            max_length: self.max_length,
            ..Options::of_method(&self.method.method())
        };
        let [given, known] = [self, &known].map(serde_json::to_value);
        let (Ok(Value::Object(given)), Ok(Value::Object(known))) = (given, known) else {
            bail!(InvalidArgument, "the options cannot be written as JSON");
        };
        if self.method.pooling == Some(Pooling::Mask) {
            bail!(
                InvalidArgument,
                "pooling mask: expected mean, first or last; a readout with a template and labels reads the mask"
            );
        }
        if let Some(other) = given.keys().find(|name| !known.contains_key(*name)) {
            bail!(
                InvalidArgument,
                "{}: expected another method, found readout, which takes only a pooling, a seed and a maximum length",
                in_words(other)
            );
        }
        Ok(Settings {
            steps: 1,
            batch_size: 1,
            method: self.method.method(),
            seed: self.seed.unwrap_or_default(),
            max_length: self.max_length.unwrap_or_default(),
            ..Settings::default()
        })
    }

    /// Options for a method, with everything else left out.
    fn of_method(method: &Method) -> Options {
        let mut options = MethodOptions::default();
        options.set(method);
        Options { method: options, ..Options::default() }
    }

    fn with_preset(&self, preset: Preset) -> Result<Settings> {
        self.method.check()?;
        let default = Settings::default();
        let settings = Settings {
            steps: self.steps.unwrap_or(default.steps),
            batch_size: self.batch_size.unwrap_or(default.batch_size),
            micro_batch: self.micro_batch.unwrap_or(default.micro_batch),
            objective: self.objective.unwrap_or(default.objective),
            method: self.method.method(),
            trainable: self.method.trainable(),
            readout: None,
            refit_every: 0,
            estimator: self.method.estimator(),
            optimizer: self.method.optimizer(),
            learning_rate: match self.learning_rate {
                Some(Rate::Given(rate)) => rate,
                Some(Rate::Auto) | None => preset.learning_rate,
            },
            schedule: self.schedule.unwrap_or_else(|| self.method.schedule()),
            weight_decay: self.weight_decay.unwrap_or(default.weight_decay),
            epsilon: self.epsilon.unwrap_or(preset.epsilon),
            seed: self.seed.unwrap_or(default.seed),
            sequential: self.sequential,
            balanced: self.is_balanced(),
            evaluate_every: self.evaluate_every.unwrap_or(default.evaluate_every),
            max_length: self.max_length.unwrap_or(default.max_length),
        };
        settings.check()?;
        Ok(settings)
    }

    /// The same options for an adapter that is trained further, with the adapter's method and sizes.
    ///
    /// # Errors
    /// `invalid-argument` if the options specify a different size from the adapter's.
    pub fn for_adapter(self, method: &Method) -> Result<Options> {
        let mut options = self.clone();
        options.method.set(method);
        // The files do not say how A is trained.
        options.method.lora_a = self.method.lora_a.or(options.method.lora_a);
        let MethodOptions { lora_rank, lora_alpha, lora_targets, prefix_length, .. } = &self.method;
        let differs = lora_rank.is_some() && *lora_rank != options.method.lora_rank
            || lora_alpha.is_some() && *lora_alpha != options.method.lora_alpha
            || lora_targets.is_some() && *lora_targets != options.method.lora_targets
            || prefix_length.is_some() && *prefix_length != options.method.prefix_length;
        if differs {
            let found = match method {
                Method::Full => method.name().to_owned(),
                Method::Lora { rank, alpha, targets, .. } => {
                    format!("rank {rank}, alpha {alpha}, targets {}", targets.join(","))
                }
                Method::Prefix { length } => format!("length {length}"),
                Method::Readout { pooling } => format!("pooling {}", pooling.name()),
            };
            bail!(InvalidArgument, "the adapter has {found}: expected the same in the options, or none");
        }
        Ok(options)
    }

    /// Whether the learning rate is searched for.
    pub fn searches(&self) -> bool {
        self.learning_rate == Some(Rate::Auto)
    }

    /// The options that reproduce the run of a trajectory.
    pub fn of(header: &Header) -> Options {
        let settings = header.settings.clone();
        if let Method::Readout { .. } = settings.method {
            let (seed, max_length) = (Some(settings.seed), Some(settings.max_length));
            let mut options = Options { seed, max_length, ..Options::of_method(&settings.method) };
            // A readout on label words has no choice of pooling.
            options.method.pooling = options.method.pooling.filter(|_| header.template.is_none());
            return options;
        }
        let estimator = settings.estimator;
        let low_rank = estimator.kind == EstimatorKind::LowRank;
        let mut method = MethodOptions {
            estimator: Some(estimator.kind),
            probes: Some(estimator.probes),
            distribution: Some(estimator.distribution),
            clip: Some(estimator.clip),
            momentum: Some(estimator.momentum),
            rank: low_rank.then_some(estimator.rank),
            interval: low_rank.then_some(estimator.interval),
            trainable: Some(settings.trainable).filter(|patterns| !patterns.is_empty()),
            ..MethodOptions::default()
        };
        method.set(&settings.method);
        (method.readout, method.pooling) = (settings.readout.is_some(), settings.readout);
        method.refit_every = Some(settings.refit_every).filter(|every| *every > 0);
        method.set_optimizer(settings.optimizer);
        Options {
            method,
            objective: Some(settings.objective),
            steps: Some(settings.steps),
            batch_size: Some(settings.batch_size),
            micro_batch: Some(settings.micro_batch),
            learning_rate: Some(Rate::Given(settings.learning_rate)),
            schedule: Some(settings.schedule),
            weight_decay: Some(settings.weight_decay),
            epsilon: Some(settings.epsilon),
            seed: Some(settings.seed),
            sequential: settings.sequential,
            balanced: Some(settings.balanced).filter(|is_balanced| *is_balanced),
            evaluate_every: None,
            keep_best: false,
            max_length: Some(settings.max_length),
        }
    }
}

/// The name of an option in plain words: `learningRate` becomes `learning rate`.
fn in_words(name: &str) -> String {
    let word = |c: char| if c.is_uppercase() { format!(" {}", c.to_ascii_lowercase()) } else { c.into() };
    name.chars().map(word).collect()
}

/// A learning rate as given: a number, or `auto`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// This rate.
    Given(f32),
    /// The rate that a search finds.
    Auto,
}

impl std::str::FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Rate::Auto),
            _ => text
                .parse()
                .map(Rate::Given)
                .map_err(|_| format!("expected a number or \"auto\", found {text:?}")),
        }
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Rate::Given(rate) => serializer.serialize_f32(*rate),
            Rate::Auto => serializer.serialize_str("auto"),
        }
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Number(f32),
            Text(String),
        }
        match Given::deserialize(deserializer)? {
            Given::Number(rate) => Ok(Rate::Given(rate)),
            Given::Text(text) => text.parse().map_err(serde::de::Error::custom),
        }
    }
}

/// A seed: a number or decimal digits, since JavaScript's numbers cannot represent all 64-bit values.
fn seed<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<u64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Number(u64),
        Text(String),
    }
    match Option::<Given>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Given::Number(seed)) => Ok(Some(seed)),
        Some(Given::Text(text)) => {
            let parsed =
                text.parse().map_err(|_| serde::de::Error::custom(format!("seed {text:?} is not a number")));
            parsed.map(Some)
        }
    }
}
