//! Twin of `shaders/activation.wgsl` and of the activations in `shaders/lib/`.

use crate::error::Result;
use crate::gpu::TwinCall;
use crate::kernel::activation::{Activation, Params};

/// `x[i] = activate(x[i])`.
pub(crate) fn run(call: &TwinCall<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let activation = Activation::of(call)?;
    let mut x = call.output::<f32>(0)?;
    for x in x.iter_mut().take(params.count as usize) {
        *x = activate(activation, *x);
    }
    Ok(())
}

/// The activation of one number, as the snippets compute it.
pub(crate) fn activate(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Gelu => 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2)),
        Activation::GeluTanh => {
            let u = 0.797_884_6 * (x + 0.044_715 * x * x * x);
            x / (1.0 + (-2.0 * u).min(80.0).exp())
        }
        // Not max: a NaN stays a NaN.
        Activation::Relu if x < 0.0 => 0.0,
        Activation::Relu => x,
        Activation::Silu => x / (1.0 + (-x).min(80.0).exp()),
    }
}

/// The rational approximation of Eigen and XLA: a P(a^2) / Q(a^2) on [-4, 4].
fn erf(x: f32) -> f32 {
    const P: [f32; 7] = [
        -2.726_142_3e-10,
        2.770_681_4e-8,
        -2.101_024e-6,
        -5.692_506_5e-5,
        -7.349_906e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ];
    const Q: [f32; 5] = [-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2];
    let a = x.clamp(-4.0, 4.0);
    let polynomial = |terms: &[f32]| terms.iter().fold(0.0, |sum, term| sum * (a * a) + term);
    a * polynomial(&P) / polynomial(&Q)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// erf by its Taylor series, in f64: good to 1e-9 up to 4.
    fn erf_series(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..120 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn erf_is_within_2e_7() {
        for i in -4000..=4000_i16 {
            let x = f32::from(i) / 1000.0;
            let (seen, exact) = (f64::from(erf(x)), erf_series(f64::from(x)));
            assert!((seen - exact).abs() < 2e-7, "erf({x}) = {seen}, expected {exact}");
            assert!(
                (seen - exact).abs() < 4e-7 * exact.abs(),
                "relative: erf({x}) = {seen}, expected {exact}"
            );
        }
    }

    /// PyTorch's values.
    #[test]
    fn activations_at_known_points() {
        let cases = [
            (Activation::Gelu, [-0.158_655_25, 0.841_344_77, 2.995_950_2]),
            (Activation::GeluTanh, [-0.158_808_02, 0.841_192, 2.996_362_7]),
            (Activation::Relu, [0.0, 1.0, 3.0]),
            (Activation::Silu, [-0.268_941_43, 0.731_058_6, 2.857_722_3]),
        ];
        for (activation, expected) in cases {
            for (x, expected) in [-1.0, 1.0, 3.0].into_iter().zip(expected) {
                let seen = activate(activation, x);
                assert!((seen - expected).abs() < 1e-6, "{activation:?}({x}) = {seen}, expected {expected}");
            }
            for x in [-1e30_f32, -200.0, 200.0, 1e30] {
                let expected = if x < 0.0 { 0.0 } else { x };
                let seen = activate(activation, x);
                assert!((seen - expected).abs() < 1e-6, "{activation:?}({x}) = {seen}");
            }
            assert!(activate(activation, f32::NAN).is_nan());
        }
    }
}
