//! CPU reference of `shaders/activation.wgsl` and of the activations in `shaders/lib/`.

use super::Call;
use crate::error::{Result, err};
use crate::kernel::activation::{Activation, Params};

/// `x[i] = activate(x[i])`.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let activation = required(call)?;
    let mut x = call.output::<f32>(0)?;
    for x in x.iter_mut().take(params.count as usize) {
        *x = activate(activation, *x);
    }
    Ok(())
}

/// The activation that a dispatch was recorded with, if any.
pub(crate) fn provided(call: &Call<'_>) -> Option<Activation> {
    let snippet = call.provider("activate");
    Activation::ALL.into_iter().find(|a| Some(a.snippet()) == snippet)
}

/// The activation of a dispatch that requires one.
pub(crate) fn required(call: &Call<'_>) -> Result<Activation> {
    provided(call).ok_or_else(|| err!(InvalidArgument, "{}: no activation is provided", call.name()))
}

/// The activation of one number, as the snippets compute it.
pub(super) fn activate(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Gelu => {
            let erfc = erfc(x.abs() * std::f32::consts::FRAC_1_SQRT_2);
            if x < 0.0 { 0.5 * x * erfc } else { x - 0.5 * x * erfc }
        }
        Activation::GeluTanh => {
            let u = 0.797_884_6 * (x + 0.044_715 * x * x * x);
            x / (1.0 + (-2.0 * u).min(88.0).exp())
        }
        // A comparison instead of max, so that NaN is preserved.
        Activation::Relu if x < 0.0 => 0.0,
        Activation::Relu => x,
        Activation::GeluSigmoid => x / (1.0 + (-1.702 * x).min(88.0).exp()),
        Activation::ReluSquared if x < 0.0 => 0.0,
        Activation::ReluSquared => x * x,
        Activation::Silu => x / (1.0 + (-x).min(88.0).exp()),
    }
}

/// Coefficients of the approximation of the complementary error function, highest power first: Numerical Recipes, erfcc.
pub(crate) const ERFC: [f32; 10] = [
    0.170_872_77,
    -0.822_152_23,
    1.488_515_9,
    -1.135_204,
    0.278_868_07,
    -0.186_288_06,
    0.096_784_18,
    0.374_091_96,
    1.000_023_7,
    -1.265_512_2,
];

/// The complementary error function of z >= 0, to a relative error of 1.2e-7: Numerical Recipes, erfcc.
fn erfc(z: f32) -> f32 {
    let z = z.min(12.0);
    let t = 1.0 / (1.0 + 0.5 * z);
    t * (ERFC.iter().fold(0.0, |sum, term| sum * t + term) - z * z).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// erf by its Taylor series, in f64: accurate to 1e-9 up to x = 4.
    fn erf_series(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..120 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn gelu_is_as_good_as_f32_allows() {
        for i in -4000..=4000_i16 {
            let x = f32::from(i) / 800.0;
            let exact =
                0.5 * f64::from(x) * (1.0 + erf_series(f64::from(x) * std::f64::consts::FRAC_1_SQRT_2));
            let seen = f64::from(activate(Activation::Gelu, x));
            let allowed = 5e-8 + 1.2e-7 * exact.abs();
            assert!((seen - exact).abs() < allowed, "gelu({x}) = {seen}, expected {exact}");
        }
    }

    /// The expected values are PyTorch's.
    #[test]
    fn activations_at_known_points() {
        let cases = [
            (Activation::Gelu, [-0.158_655_25, 0.841_344_8, 2.995_950_2]),
            (Activation::GeluTanh, [-0.158_808_02, 0.841_192, 2.996_362_7]),
            (Activation::Relu, [0.0, 1.0, 3.0]),
            (Activation::Silu, [-0.268_941_43, 0.731_058_6, 2.857_722_3]),
            (Activation::GeluSigmoid, [-0.154_204_23, 0.845_795_75, 2.981_928_8]),
            (Activation::ReluSquared, [0.0, 1.0, 9.0]),
        ];
        for (activation, expected) in cases {
            for (x, expected) in [-1.0, 1.0, 3.0].into_iter().zip(expected) {
                let seen = activate(activation, x);
                assert!((seen - expected).abs() < 1e-6, "{activation:?}({x}) = {seen}, expected {expected}");
            }
            for x in [-1e30_f32, -200.0, 200.0, 1e30] {
                let expected = match activation {
                    _ if x < 0.0 => 0.0,
                    Activation::ReluSquared => x * x,
                    _ => x,
                };
                let seen = activate(activation, x);
                assert!(seen == expected || (seen - expected).abs() < 1e-6, "{activation:?}({x}) = {seen}");
            }
            assert!(activate(activation, f32::NAN).is_nan());
        }
    }
}
