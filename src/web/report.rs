//! The reports to JavaScript, with the fields that `www/src/package/types/` describes.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::HeadKind;
use crate::text::figures::{LabelFigures, Verdict, WrongRow};
use crate::train::Trajectory;
use crate::train::{Demonstrations, EvaluationReport, Options, Trial, Warning};
use crate::zo::record::Record;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GpuBytes {
    pub weights: u64,
    pub scratch: u64,
    pub activations: u64,
    pub peak: u64,
    pub total: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Info {
    pub family: &'static str,
    pub head: HeadKind,
    pub parameters: u64,
    pub dtype: &'static str,
    pub gpu_bytes: GpuBytes,
    pub adapter: String,
    pub tiles: String,
    pub vocabulary: u32,
    pub max_length: u32,
    /// Whether it has a language-model head, which label words need.
    pub label_words: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_token: Option<String>,
    pub chats: bool,
    pub wasm_bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start {
    pub first_step: u32,
    pub steps: u32,
    pub examples: usize,
    /// The rate of every step, or what the schedule begins with.
    pub learning_rate: f32,
    /// The rates that a search tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<Trial>,
    /// What a person should know about the data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Evaluated {
    pub loss: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    pub examples: usize,
    #[serde(flatten)]
    pub labels: Option<Figures>,
    /// Those of the examples that were answered wrongly, on request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wrong: Option<Vec<WrongRow>>,
    /// The demonstrations before each row, with in-context learning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_context: Option<Shown>,
}

/// The rows that preceded each evaluated row.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    pub rows: Vec<usize>,
    pub per_label: BTreeMap<String, usize>,
    pub text: String,
}

impl From<Demonstrations> for Shown {
    fn from(shown: Demonstrations) -> Self {
        Shown { rows: shown.rows, per_label: shown.per_label.into_iter().collect(), text: shown.text }
    }
}

/// The fields that an evaluation on rows with labels adds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    pub baseline: f64,
    pub baseline_label: String,
    pub per_label: Vec<LabelFigures>,
    pub verdict: Verdict,
    pub notes: Vec<String>,
}

impl From<EvaluationReport> for Evaluated {
    fn from(report: EvaluationReport) -> Self {
        Evaluated {
            loss: report.loss,
            accuracy: report.accuracy,
            interval: report.interval,
            f1: report.f1,
            examples: report.examples,
            labels: report.labels.map(|labels| Figures {
                baseline: labels.baseline,
                baseline_label: labels.baseline_label,
                per_label: labels.per_label,
                verdict: labels.verdict,
                notes: labels.notes,
            }),
            wrong: None,
            in_context: None,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Step {
    pub step: u32,
    pub steps: u32,
    pub loss_plus: f32,
    pub loss_minus: f32,
    pub projected_grad: f32,
    pub loss: f32,
    pub learning_rate: f32,
    pub ms: f64,
    pub tokens: usize,
    /// Training rows of a fit of method readout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
    pub gpu_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Evaluated>,
    /// At the last step of a run that ends with the weights of its best evaluation: the number of steps before that evaluation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<u32>,
    /// A warning about the run, reported once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<Warning>,
}

/// The contents of a trajectory, so that its run can be shown and continued.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Restored {
    pub step: u32,
    pub losses: Vec<f32>,
    pub settings: RunSettings,
}

/// The options of a run without its data. A training run with these options continues the run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunSettings {
    #[serde(flatten)]
    pub options: Options,
    /// In decimal digits instead of a number, because it may have 64 bits.
    pub seed: String,
    pub dtype: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
}

impl Restored {
    pub(super) fn of(trajectory: &Trajectory) -> Restored {
        let Trajectory { header, records, .. } = trajectory;
        let loss = |probes: &[Record]| {
            probes.iter().map(|r| (r.loss_plus + r.loss_minus) / 2.0).sum::<f32>() / probes.len() as f32
        };
        let options = Options { seed: None, ..Options::of(header) };
        Restored {
            step: trajectory.steps(),
            losses: records.chunks(header.settings.estimator.probes.max(1) as usize).map(loss).collect(),
            settings: RunSettings {
                options,
                seed: header.settings.seed.to_string(),
                dtype: header.dtype.clone(),
                task: header.task.clone(),
                // A task has its own template and labels, and the labels of a readout without a template are those of the data.
                template: header.template.clone().filter(|_| header.task.is_none()),
                labels: match (&header.task, &header.template) {
                    (None, Some(_)) => header.labels.clone(),
                    _ => Vec::new(),
                },
            },
        }
    }
}

#[derive(Serialize)]
pub(super) struct Scored {
    pub label: String,
    pub probability: f64,
}

#[derive(Serialize)]
pub(super) struct Classification {
    pub label: String,
    pub scores: Vec<Scored>,
}
