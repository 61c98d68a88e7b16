//! The principal directions of vectors: the leading eigenvectors of their second moments. They are computed by subspace iteration
//! (Golub and Van Loan, Matrix Computations, section 8.2.4) from fixed signs, and Jacobi's method (section 8.5) for the remaining
//! small matrix.

use super::matrix::{add_scaled, dot};
use crate::rng::threefry2x32;

/// Number of additional directions that are iterated to speed up convergence.
const SPARE: usize = 8;

/// Number of iterations. They converge to the eigenvectors if those after the spare ones have clearly smaller eigenvalues.
/// Otherwise, the result captures almost as much of the second moments.
const ITERATIONS: usize = 20;

/// The second moment of a direction, relative to the largest, below which the direction is not scaled up any further.
const FLOOR: f64 = 1e-8;

/// The sum of `x x^T` over vectors x `[width]`.
#[derive(Clone, Debug)]
pub struct SecondMoments {
    width: usize,
    count: usize,
    /// `[width, width]`, the upper triangle.
    sums: Vec<f64>,
}

impl SecondMoments {
    /// The moments of an empty set of vectors.
    pub fn new(width: usize) -> SecondMoments {
        SecondMoments { width, count: 0, sums: vec![0.0; width * width] }
    }

    /// Adds vectors `[count, width]`.
    pub fn add(&mut self, vectors: &[f32]) {
        for vector in vectors.chunks_exact(self.width) {
            let vector: Vec<f64> = vector.iter().map(|&x| f64::from(x)).collect();
            for (row, sums) in self.sums.chunks_exact_mut(self.width).enumerate() {
                add_scaled(&mut sums[row..], vector[row], &vector[row..]);
            }
            self.count += 1;
        }
    }

    /// The `rank` leading eigenvectors of the mean of `x x^T`, `[rank, width]`, each divided by the square root of its eigenvalue.
    /// The products with the vectors then have a mean square of 1 and are uncorrelated. The largest element of each eigenvector is
    /// positive. If the vectors span fewer dimensions, the remaining rows are zeros.
    pub fn whitened(&self, rank: usize) -> Vec<f64> {
        let means = self.means();
        let apply = |q: &Vec<f64>| means.chunks_exact(self.width).map(|row| dot(row, q)).collect();
        let mut basis = self.signs((rank + SPARE).min(self.width));
        for _ in 0..ITERATIONS {
            basis = basis.iter().map(apply).collect();
            orthonormalize(&mut basis);
        }
        let images: Vec<Vec<f64>> = basis.iter().map(apply).collect();
        let products = |q: &Vec<f64>| images.iter().map(|image| dot(q, image)).collect();
        let (values, vectors) = eigen(basis.iter().map(products).collect());
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let largest = order.first().map_or(0.0, |&first| values[first]);
        let mut found = vec![0.0; rank * self.width];
        for (row, &at) in found.chunks_exact_mut(self.width).zip(&order) {
            if values[at] > 0.0 {
                for (q, coordinate) in basis.iter().zip(&vectors[at]) {
                    add_scaled(row, *coordinate, q);
                }
                let top =
                    row.iter().copied().fold(0.0, |top: f64, x| if x.abs() > top.abs() { x } else { top });
                let scale = values[at].max(FLOOR * largest).sqrt().copysign(top);
                row.iter_mut().for_each(|x| *x /= scale);
            }
        }
        found
    }

    /// The mean of `x x^T`, as a full matrix.
    fn means(&self) -> Vec<f64> {
        let count = self.count.max(1) as f64;
        let mut means = vec![0.0; self.sums.len()];
        for row in 0..self.width {
            for column in row..self.width {
                let mean = self.sums[row * self.width + column] / count;
                means[row * self.width + column] = mean;
                means[column * self.width + row] = mean;
            }
        }
        means
    }

    /// Vectors of fixed signs, from which the iteration starts.
    fn signs(&self, count: usize) -> Vec<Vec<f64>> {
        let sign = |bit: u32| if bit & 1 == 0 { 1.0 } else { -1.0 };
        let vector = |row| (0..self.width).map(move |i| sign(threefry2x32([0, 0], [i as u32, row])[0]));
        (0..count as u32).map(|row| vector(row).collect()).collect()
    }
}

/// The Gram-Schmidt process, with each vector projected twice. A vector in the span of the previous ones becomes zero.
fn orthonormalize(vectors: &mut [Vec<f64>]) {
    for index in 0..vectors.len() {
        let (before, rest) = vectors.split_at_mut(index);
        let Some(vector) = rest.first_mut() else { return };
        let length = dot(vector, vector).sqrt();
        for _ in 0..2 {
            for other in before.iter() {
                let along = dot(other, vector);
                add_scaled(vector, -along, other);
            }
        }
        let left = dot(vector, vector).sqrt();
        let scale = if left > 1e-10 * length { 1.0 / left } else { 0.0 };
        vector.iter_mut().for_each(|x| *x *= scale);
    }
}

/// The eigenvalues of a symmetric matrix and its normalized eigenvectors, by cyclic Jacobi rotations.
fn eigen(mut a: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = a.len();
    // Its rows become the eigenvectors.
    let mut vectors: Vec<Vec<f64>> =
        (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    let square = |a: &[Vec<f64>], off: bool| -> f64 {
        let all =
            a.iter().enumerate().flat_map(|(i, row)| row.iter().enumerate().map(move |(j, x)| (i == j, x)));
        all.filter(|(diagonal, _)| *diagonal != off).map(|(_, x)| x * x).sum()
    };
    // A few sweeps are enough for any matrix; the bound guards against NaNs.
    for _ in 0..50 {
        if square(&a, true) <= 1e-30 * square(&a, false) {
            break;
        }
        for i in 0..n {
            for j in i + 1..n {
                if a[i][j] == 0.0 {
                    continue;
                }
                let theta = (a[j][j] - a[i][i]) / (2.0 * a[i][j]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                for row in &mut a {
                    (row[i], row[j]) = (c * row[i] - s * row[j], s * row[i] + c * row[j]);
                }
                for matrix in [&mut a, &mut vectors] {
                    let (before, after) = matrix.split_at_mut(j);
                    for (x, y) in before[i].iter_mut().zip(&mut after[0]) {
                        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
                    }
                }
            }
        }
    }
    ((0..n).map(|i| a[i][i]).collect(), vectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_eigenvectors_are_those_of_the_matrix() {
        let a = vec![vec![4.0, 1.0, -2.0], vec![1.0, 3.0, 0.5], vec![-2.0, 0.5, 1.0]];
        let (values, vectors) = eigen(a.clone());
        for (value, vector) in values.iter().zip(&vectors) {
            for (row, x) in a.iter().zip(vector) {
                assert!((dot(row, vector) - value * x).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn whitened_products_have_unit_second_moments() {
        let vectors: Vec<f32> =
            (0..200_u32).map(|i| (threefry2x32([1, 2], [i, 0])[0] % 1000) as f32 / 100.0 - 3.0).collect();
        let mut moments = SecondMoments::new(5);
        moments.add(&vectors);
        let basis = moments.whitened(3);
        for a in basis.chunks(5) {
            for b in basis.chunks(5) {
                let product =
                    |q: &[f64], x: &[f32]| q.iter().zip(x).map(|(q, x)| q * f64::from(*x)).sum::<f64>();
                let mean = vectors.chunks(5).map(|x| product(a, x) * product(b, x)).sum::<f64>() / 40.0;
                assert!((mean - f64::from(u8::from(a == b))).abs() < 1e-9, "{mean}");
            }
        }
    }

    #[test]
    fn vectors_of_fewer_dimensions_leave_zeros() {
        let mut moments = SecondMoments::new(4);
        moments.add(&[1.0, 2.0, 0.0, 0.0, -2.0, 1.0, 0.0, 0.0]);
        let basis = moments.whitened(6);
        assert!(basis.iter().all(|x| x.is_finite()));
        assert_eq!(basis.chunks(4).filter(|row| row.iter().any(|x| *x != 0.0)).count(), 2);
        assert!(SecondMoments::new(4).whitened(2).iter().all(|x| *x == 0.0));
    }
}
