//! Functions over arrays of numbers, written as loops that the compiler vectorizes.

use pulp::{Arch, Simd, WithSimd};

use crate::kernel::activation::Activation;
use crate::reference::activation::ERFC;

/// Number of partial sums of a long sum. It is fixed, so that the vector width does not change the order of additions.
const LANES: usize = 16;

/// Work that is compiled once for each set of vector instructions.
pub(super) trait Vectorized {
    /// Its result.
    type Output;

    /// Must be inlined.
    fn run(self) -> Self::Output;
}

struct Run<V>(V);

impl<V: Vectorized> WithSimd for Run<V> {
    type Output = V::Output;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> V::Output {
        self.0.run()
    }
}

/// Runs the work with the best instructions of this machine.
pub(super) fn vectorized<V: Vectorized>(work: V) -> V::Output {
    Arch::new().dispatch(Run(work))
}

/// e^x to about 2 ulp between -87 and 88; 0 below, e^88 above.
///
/// Cody and Waite's reduction by multiples of ln 2, and the polynomial of Cephes' `expf`.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const TERMS: [f32; 6] =
        [1.987_569_2e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
    // 1.5 * 2^23: adding it leaves the nearest integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    // Comparisons instead of min and max, so that NaN is preserved.
    let clamped = if x < -87.0 { -87.0 } else { x };
    let clamped = if clamped > 88.0 { 88.0 } else { clamped };
    let shifted = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = clamped - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let mut polynomial = TERMS[0];
    for term in &TERMS[1..] {
        polynomial = polynomial * r + term;
    }
    let scale = f32::from_bits((shifted.to_bits() << 23).wrapping_add(0x3f80_0000));
    let y = (polynomial * r * r + r + 1.0) * scale;
    if x < -87.0 { 0.0 } else { y }
}

/// The sum of `of(x)` over all elements.
#[inline(always)]
pub(super) fn sum(values: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for values in whole {
        for (sum, x) in sums.iter_mut().zip(values) {
            *sum += of(*x);
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *sum += of(*x);
    }
    sums.iter().sum()
}

/// The sum of the products of two arrays' elements.
#[inline(always)]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    for ((sum, a), b) in sums.iter_mut().zip(rest_a).zip(rest_b) {
        *sum += a * b;
    }
    sums.iter().sum()
}

/// The largest element, or negative infinity. NaNs are ignored.
#[inline(always)]
pub(super) fn largest(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut most = [f32::NEG_INFINITY; LANES];
    let (whole, rest) = values.as_chunks::<LANES>();
    for values in whole {
        for (most, x) in most.iter_mut().zip(values) {
            *most = larger(*most, *x);
        }
    }
    most.iter().chain(rest).copied().fold(f32::NEG_INFINITY, larger)
}

/// The complementary error function of z >= 0, to a relative error of 1.2e-7: Numerical Recipes, erfcc.
#[inline(always)]
fn erfc(z: f32) -> f32 {
    let z = if z > 12.0 { 12.0 } else { z };
    let t = 1.0 / (1.0 + 0.5 * z);
    let mut sum = 0.0;
    for term in ERFC {
        sum = sum * t + term;
    }
    t * exp(sum - z * z)
}

#[inline(always)]
fn gelu(x: f32) -> f32 {
    let part = 0.5 * x * erfc(x.abs() * std::f32::consts::FRAC_1_SQRT_2);
    if x < 0.0 { part } else { x - part }
}

#[inline(always)]
fn gelu_tanh(x: f32) -> f32 {
    let u = 0.797_884_6 * (x + 0.044_715 * x * x * x);
    x / (1.0 + exp(-2.0 * u))
}

/// Applies an activation to all values in place.
#[inline(always)]
pub(super) fn activate(activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::Gelu => values.iter_mut().for_each(|x| *x = gelu(*x)),
        Activation::GeluTanh => values.iter_mut().for_each(|x| *x = gelu_tanh(*x)),
        Activation::Relu => values.iter_mut().for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x }),
        Activation::Silu => values.iter_mut().for_each(|x| *x /= 1.0 + exp(-*x)),
        Activation::GeluSigmoid => values.iter_mut().for_each(|x| *x /= 1.0 + exp(-1.702 * *x)),
        Activation::ReluSquared => values.iter_mut().for_each(|x| *x = if *x < 0.0 { 0.0 } else { *x * *x }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_within_three_ulp() {
        for i in -870_000..=880_000 {
            let x = i as f32 / 10_000.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 3.0 * f64::from(f32::EPSILON) / 2.0, "exp({x}): relative error {error:e}");
        }
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn sums_and_largest_elements_of_any_length() {
        for n in [0_u8, 1, 15, 16, 17, 40] {
            let values: Vec<f32> = (0..n).map(f32::from).collect();
            assert_eq!(sum(&values, |x| 2.0 * x), values.iter().sum::<f32>() * 2.0);
            let most = values.last().copied().unwrap_or(f32::NEG_INFINITY);
            assert_eq!(largest(&values), most);
        }
    }
}
