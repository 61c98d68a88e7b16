//! What JavaScript is told: the fields of `www/src/package/types.ts`.

use serde::Serialize;

use crate::model::HeadKind;
use crate::train::EvaluationReport;

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
    pub vocabulary: u32,
    pub max_length: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_token: Option<String>,
    pub wasm_bytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Start {
    pub first_step: u32,
    pub steps: u32,
    pub examples: usize,
    pub warnings: Vec<String>,
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
