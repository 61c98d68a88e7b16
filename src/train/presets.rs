//! The default learning rates and perturbation scales.
//!
//! They come from MeZO's grids (arXiv 2305.17333, tables 15 and 16: full 1e-6, LoRA 1e-4, prefix 1e-2 for RoBERTa-large; full 1e-7
//! to 1e-6 for OPT), and from this repository's own comparison on a model of 4 million parameters (BENCHMARKS.md): the smaller the
//! model, the larger the rate. Rates of full and LoRA training are interpolated between the two with a power of the number of
//! parameters. Adam moves every value by about the learning rate, whatever the size of the gradient, so its rates fall with the
//! number of trained values. This was measured on that small model only.

use super::method::{LoraA, Method};
use crate::model::{HeadKind, ModelSpec, lora_matrices};
use crate::zo::estimator::{Estimator, EstimatorKind};
use crate::zo::optimizer::Optimizer;

/// The number of parameters of RoBERTa-large, the model that MeZO's rates are for.
const LARGE: f64 = 355e6;

/// The exponent with which the rate falls with the model's size: 1e-6 at RoBERTa-large, 2e-5 at 4.4 million parameters.
const POWER: f64 = 0.68;

/// Adam's rate with two-point directions at `ADAM_VALUES` trained values: the queries and values of the model of 4 million parameters.
const ADAM: f64 = 0.029;
const ADAM_VALUES: f64 = 4096.0;

/// The same rate for 8 one-sided directions.
const ADAM_ONE_SIDED: f64 = 0.1;

/// The factor by which that rate is larger when the labels are spread evenly over the batches, which makes the estimates less
/// noisy: 0.035 instead of 0.027 with adapters on all linear layers.
const BALANCED: f64 = 1.28;

/// The exponent with which Adam's rate falls with the number of trained values: 0.1 at 4,096 and 0.015 at 36,864.
const ADAM_POWER: f64 = 0.86;

/// A learning rate and a perturbation scale to start with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preset {
    /// Learning rate.
    pub learning_rate: f32,
    /// Perturbation scale.
    pub epsilon: f32,
}

/// The preset of a method, an estimator and an optimizer for a model. `balanced` means that the labels are spread evenly over the
/// batches.
pub fn preset(
    model: &ModelSpec,
    method: &Method,
    estimator: &Estimator,
    optimizer: Optimizer,
    balanced: bool,
) -> Preset {
    let size = (LARGE / model.parameters().max(1) as f64).powf(POWER).clamp(0.05, 20.0);
    let causal = model.head_kind() == HeadKind::CausalLm;
    let (two_point, epsilon) = match method {
        // A readout is fitted exactly and has no rate.
        Method::Full | Method::Readout { .. } => (1e-6 * size, 1e-3),
        // With fewer trained values, an estimate is less noisy.
        Method::Lora { a: LoraA::Frozen | LoraA::Activations, .. } => (4e-4 * size, 1e-2),
        Method::Lora { a: LoraA::Trained, .. } => (1e-4 * size, 1e-2),
        Method::Prefix { .. } if causal => (1e-3 * size.max(1.0), 1e-1),
        Method::Prefix { .. } => (1e-2 * size.max(1.0), 1e-1),
    };
    if let Optimizer::Adam(_) = optimizer {
        let probes = f64::from(estimator.probes);
        let rate = match estimator.kind {
            EstimatorKind::OneSided if balanced => ADAM_ONE_SIDED * BALANCED * (probes / 8.0).sqrt(),
            EstimatorKind::OneSided => ADAM_ONE_SIDED * (probes / 8.0).sqrt(),
            EstimatorKind::TwoPoint | EstimatorKind::LowRank => ADAM * probes.sqrt(),
        };
        let values = trained_values(model, method).max(1) as f64;
        let rate = (rate * (ADAM_VALUES / values).powf(ADAM_POWER)).clamp(1e-5, 0.3);
        // Converted through text, as in `rounded`.
        return Preset { learning_rate: format!("{rate:.1e}").parse().unwrap_or(rate as f32), epsilon };
    }
    let factor = match estimator.kind {
        // The slopes are in units of standard deviations: a step has length learning rate / sqrt(probes) in every parameter.
        EstimatorKind::OneSided => 10.0,
        // The mean of several directions is less noisy.
        EstimatorKind::TwoPoint => f64::from(estimator.probes).sqrt(),
        EstimatorKind::LowRank => 1.0,
    };
    // With momentum, past steps continue: their total length is 1 / (1 - momentum) times as large.
    let learning_rate = two_point * factor * f64::from(1.0 - estimator.momentum);
    Preset { learning_rate: rounded(learning_rate), epsilon }
}

/// Number of trained values of an adapter; 0 without one.
fn trained_values(model: &ModelSpec, method: &Method) -> u64 {
    match method {
        Method::Full | Method::Readout { .. } => 0,
        Method::Lora { rank, targets, a, .. } => {
            // A target that the model does not have is rejected when the adapter is allocated.
            let matrices = lora_matrices(model, targets).unwrap_or_default();
            let tensors = matrices.iter().filter_map(|id| model.tensors.as_slice().get(*id));
            let sides = tensors.map(|t| t.rows + if *a == LoraA::Trained { t.width } else { 0 });
            sides.map(|side| u64::from(side) * u64::from(*rank)).sum()
        }
        Method::Prefix { length } => {
            model.layers.len() as u64 * 2 * u64::from(model.kv_width()) * u64::from(*length)
        }
    }
}

/// Rounds to one significant digit.
fn rounded(x: f64) -> f32 {
    let unit = 10_f64.powf(x.log10().floor());
    // Converted through text: 2 * 1e-5 is not the same f32 as 2e-5.
    format!("{}e{}", (x / unit).round(), unit.log10().round()).parse().unwrap_or(x as f32)
}

#[cfg(test)]
mod tests {
    use super::rounded;

    #[test]
    fn rates_have_one_digit() {
        assert_eq!(rounded(2.0394e-5), 2e-5);
        assert_eq!(rounded(9.7e-7), 1e-6);
        assert_eq!(rounded(0.2), 0.2);
    }
}
