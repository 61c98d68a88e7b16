//! What JavaScript is told: the fields of `www/src/package/types/`.

use serde::Serialize;

use crate::error::Result;
use crate::model::HeadKind;
use crate::train::{EvaluationReport, Trial, Warning, method_of};
use crate::zo::estimator::Estimator;
use crate::zo::schedule::Schedule;
use crate::zo::trajectory::{Record, Trajectory};

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
    pub warnings: Vec<String>,
    /// The rate of every step, or what the schedule begins with.
    pub learning_rate: f32,
    /// What a search for the rate tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<Trial>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Evaluated {
    pub loss: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub f1: Option<f64>,
    pub examples: usize,
}

impl From<EvaluationReport> for Evaluated {
    fn from(report: EvaluationReport) -> Self {
        Evaluated { loss: report.loss, accuracy: report.accuracy, f1: report.f1, examples: report.examples }
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
    pub gpu_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<Evaluated>,
    /// What is wrong with the run, said once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<Warning>,
}

/// What a trajectory holds, so that its run can be shown and gone on with.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Restored {
    pub step: u32,
    pub losses: Vec<f32>,
    pub settings: RunSettings,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunSettings {
    pub method: &'static str,
    #[serde(flatten)]
    pub estimator: Estimator,
    pub dtype: String,
    pub seed: String,
    pub epsilon: f32,
    pub learning_rate: f32,
    pub schedule: Schedule,
    pub weight_decay: f32,
    pub steps: u32,
    pub batch_size: u32,
    pub max_length: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    pub labels: Vec<String>,
}

impl Restored {
    /// # Errors
    /// Those of [`method_of`].
    pub(super) fn of(trajectory: &Trajectory) -> Result<Restored> {
        let Trajectory { header, records, .. } = trajectory;
        let loss = |probes: &[Record]| {
            probes.iter().map(|r| (r.loss_plus + r.loss_minus) / 2.0).sum::<f32>() / probes.len() as f32
        };
        Ok(Restored {
            step: trajectory.steps(),
            losses: records.chunks(header.estimator.probes.max(1) as usize).map(loss).collect(),
            settings: RunSettings {
                method: method_of(header)?.name(),
                estimator: header.estimator.clone(),
                dtype: header.dtype.clone(),
                seed: header.seed.clone(),
                epsilon: header.epsilon,
                learning_rate: header.learning_rate,
                schedule: header.schedule,
                weight_decay: header.weight_decay,
                steps: header.steps,
                batch_size: header.batch_size,
                max_length: header.max_length,
                template: header.template.clone(),
                labels: header.labels.clone(),
            },
        })
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
