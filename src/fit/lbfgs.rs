//! The limited-memory BFGS method (Nocedal and Wright, Numerical Optimization, algorithms 7.4 and 7.5).

use super::matrix::{add_scaled, dot};

/// Number of pairs of a step and the change of the gradient along it that are kept.
const PAIRS: usize = 10;

const MAX_HALVINGS: usize = 40;

/// Moves `x` to a minimum, until no entry of the gradient is larger than `tolerance`, rounding hides any descent, or `max_steps`
/// steps have been taken. `objective` returns the value at a point, and writes the gradient there. All sums have a fixed order.
pub(super) fn minimize(
    x: &mut Vec<f64>,
    tolerance: f64,
    max_steps: usize,
    objective: &mut dyn FnMut(&[f64], &mut [f64]) -> f64,
) {
    let mut gradient = vec![0.0; x.len()];
    let mut value = objective(x, &mut gradient);
    let mut pairs: Vec<Pair> = Vec::new();
    let (mut moved, mut moved_gradient) = (x.clone(), gradient.clone());
    for _ in 0..max_steps {
        let largest = gradient.iter().fold(0.0, |largest: f64, entry| largest.max(entry.abs()));
        if largest <= tolerance {
            return;
        }
        let direction = direction(&gradient, &pairs);
        let slope = dot(&gradient, &direction);
        // The first step has a length of at most 1, because nothing is known about the curvature yet.
        let mut length =
            if pairs.is_empty() { 1.0_f64.min(1.0 / dot(&direction, &direction).sqrt()) } else { 1.0 };
        // Near the minimum, the descent is smaller than the rounding error of the objective.
        let rounding = 1e-14 * (1.0 + value.abs());
        let mut halvings = 0;
        loop {
            moved.copy_from_slice(x);
            add_scaled(&mut moved, length, &direction);
            let reached = objective(&moved, &mut moved_gradient);
            if reached <= value + 1e-4 * length * slope + rounding {
                value = reached;
                break;
            }
            halvings += 1;
            if halvings > MAX_HALVINGS {
                return;
            }
            length *= 0.5;
        }
        let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
        let (step, change) = (difference(&moved, x), difference(&moved_gradient, &gradient));
        let curvature = dot(&step, &change);
        // With a pair that has no positive curvature, the next direction might not be a descent direction.
        if curvature > 1e-12 * dot(&change, &change) {
            if pairs.len() == PAIRS {
                pairs.remove(0);
            }
            pairs.push(Pair { step, change, curvature });
        }
        std::mem::swap(x, &mut moved);
        std::mem::swap(&mut gradient, &mut moved_gradient);
    }
}

/// A step and the change of the gradient along it.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    /// Their dot product.
    curvature: f64,
}

/// The negative gradient, multiplied by the inverse Hessian that the pairs approximate.
fn direction(gradient: &[f64], pairs: &[Pair]) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|entry| -entry).collect();
    let mut factors = Vec::with_capacity(pairs.len());
    for pair in pairs.iter().rev() {
        let factor = dot(&pair.step, &direction) / pair.curvature;
        add_scaled(&mut direction, -factor, &pair.change);
        factors.push(factor);
    }
    if let Some(last) = pairs.last() {
        let scale = last.curvature / dot(&last.change, &last.change);
        direction.iter_mut().for_each(|entry| *entry *= scale);
    }
    for (pair, factor) in pairs.iter().zip(factors.iter().rev()) {
        let other = dot(&pair.change, &direction) / pair.curvature;
        add_scaled(&mut direction, factor - other, &pair.step);
    }
    direction
}
