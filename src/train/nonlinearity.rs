//! Nonlinearities and their derivatives in f64. They use the functions of `libm`, which give the same bits on every target.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use crate::fit::Slope;
use crate::model::{Activation, ClassifierActivation};

/// A nonlinearity together with its derivative.
pub fn nonlinearity(activation: ClassifierActivation) -> Slope {
    match activation {
        ClassifierActivation::Tanh => tanh,
        ClassifierActivation::Of(Activation::Relu) => relu,
        ClassifierActivation::Of(Activation::Silu) => silu,
        ClassifierActivation::Of(Activation::Gelu) => gelu,
        ClassifierActivation::Of(Activation::GeluTanh) => gelu_tanh,
        ClassifierActivation::Of(Activation::GeluSigmoid) => gelu_sigmoid,
        ClassifierActivation::Of(Activation::ReluSquared) => relu_squared,
    }
}

fn tanh(x: f64) -> (f64, f64) {
    let y = libm::tanh(x);
    (y, 1.0 - y * y)
}

fn relu(x: f64) -> (f64, f64) {
    (x.max(0.0), if x > 0.0 { 1.0 } else { 0.0 })
}

fn silu(x: f64) -> (f64, f64) {
    let sum = 1.0 + libm::exp(-x);
    (x / sum, (1.0 + x * (1.0 - 1.0 / sum)) / sum)
}

fn relu_squared(x: f64) -> (f64, f64) {
    let positive = x.max(0.0);
    (positive * positive, 2.0 * positive)
}

fn gelu_sigmoid(x: f64) -> (f64, f64) {
    let (y, slope) = silu(1.702 * x);
    (y / 1.702, slope)
}

/// x times the normal cumulative distribution function, with its derivative.
fn gelu(x: f64) -> (f64, f64) {
    let twice = 1.0 + libm::erf(x * FRAC_1_SQRT_2);
    let density = libm::exp(-0.5 * x * x) / (2.0 * PI).sqrt();
    (0.5 * x * twice, 0.5 * twice + x * density)
}

fn gelu_tanh(x: f64) -> (f64, f64) {
    let factor = (2.0 / PI).sqrt();
    let t = libm::tanh(factor * (x + 0.044_715 * x * x * x));
    let inner = factor * (1.0 + 3.0 * 0.044_715 * x * x);
    (0.5 * x * (1.0 + t), 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_derivatives_are_those_of_small_differences() {
        for activation in [
            ClassifierActivation::Tanh,
            ClassifierActivation::Of(Activation::Relu),
            ClassifierActivation::Of(Activation::Silu),
            ClassifierActivation::Of(Activation::Gelu),
            ClassifierActivation::Of(Activation::GeluTanh),
            ClassifierActivation::Of(Activation::GeluSigmoid),
            ClassifierActivation::Of(Activation::ReluSquared),
        ] {
            let of = nonlinearity(activation);
            for x in [-3.0, -0.7, -0.01, 0.02, 0.9, 4.0] {
                let difference = (of(x + 1e-6).0 - of(x - 1e-6).0) / 2e-6;
                assert!((difference - of(x).1).abs() < 1e-8, "{activation:?} at {x}");
            }
        }
    }
}
