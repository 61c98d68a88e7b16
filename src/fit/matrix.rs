//! Matrices of features, their standardization, and their row space.

/// `[rows, width]` in f64, row-major.
pub(super) struct Matrix {
    pub(super) values: Vec<f64>,
    pub(super) width: usize,
}

impl Matrix {
    pub(super) fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.width..][..self.width]
    }

    pub(super) fn rows(&self) -> usize {
        self.values.len() / self.width
    }
}

/// The dot product. It adds in four lanes, and then the lanes in pairs: an order that compilers preserve and can vectorize.
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 4];
    let (a_whole, a_rest) = a.as_chunks::<4>();
    let (b_whole, b_rest) = b.as_chunks::<4>();
    for (a, b) in a_whole.iter().zip(b_whole) {
        for lane in 0..4 {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).fold(0.0, |sum, (a, b)| sum + a * b);
    (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + rest
}

/// Adds `scale * x` to `y`.
pub(super) fn add_scaled(y: &mut [f64], scale: f64, x: &[f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += scale * x;
    }
}

/// How features were standardized: `(feature - mean) * inverse`. The inverse deviation of a constant feature is 0.
pub(super) struct Scaling {
    mean: Vec<f64>,
    inverse: Vec<f64>,
}

impl Scaling {
    /// Converts weights and a bias for standardized features to those for unscaled features.
    pub(super) fn undo(&self, weight: &[f64], bias: f64) -> (Vec<f64>, f64) {
        let weight: Vec<f64> =
            weight.iter().zip(&self.inverse).map(|(weight, inverse)| weight * inverse).collect();
        let bias = bias - dot(&weight, &self.mean);
        (weight, bias)
    }
}

/// Scales each feature to variance 1 (divided by rows, not rows - 1) and, if `center` is set, shifts it to mean 0. A constant
/// feature becomes 0.
pub(super) fn standardize(features: &[f32], width: usize, center: bool) -> (Matrix, Scaling) {
    let mut values: Vec<f64> = features.iter().map(|&value| f64::from(value)).collect();
    let rows = (values.len() / width) as f64;
    let mut mean = vec![0.0; width];
    for row in values.chunks_exact(width) {
        add_scaled(&mut mean, 1.0, row);
    }
    mean.iter_mut().for_each(|sum| *sum /= rows);
    let mut variance = vec![0.0; width];
    for row in values.chunks_exact_mut(width) {
        for ((value, mean), variance) in row.iter_mut().zip(&mean).zip(&mut variance) {
            let centered = *value - mean;
            *variance += centered * centered;
            if center {
                *value = centered;
            }
        }
    }
    let inverse: Vec<f64> = variance
        .iter()
        .zip(&mean)
        .map(|(variance, mean)| {
            let deviation = (variance / rows).sqrt();
            // Rounding of the mean leaves a constant feature with a deviation below this. A single f32 row that differs from 10
            // million others leaves more.
            if deviation <= 1e-11 * mean.abs() { 0.0 } else { 1.0 / deviation }
        })
        .collect();
    for row in values.chunks_exact_mut(width) {
        for (value, inverse) in row.iter_mut().zip(&inverse) {
            *value *= inverse;
        }
    }
    if !center {
        mean.fill(0.0);
    }
    (Matrix { values, width }, Scaling { mean, inverse })
}

/// The rows of a matrix as coordinates in an orthonormal basis of the row space.
///
/// The best weights lie in this space and have the same norm as their coordinates, so fitting the coordinates is equivalent to
/// fitting the features. If there are fewer rows than features, it is a smaller problem.
pub(super) struct RowSpace {
    /// `[rows, rank]`.
    pub(super) coordinates: Matrix,
    /// `[rank, width]`.
    basis: Vec<Vec<f64>>,
    width: usize,
}

impl RowSpace {
    /// Builds the basis with the Gram-Schmidt process. Each row is projected twice, so that the basis is orthogonal up to rounding.
    pub(super) fn of(matrix: &Matrix) -> RowSpace {
        let mut basis: Vec<Vec<f64>> = Vec::new();
        let mut coordinates: Vec<Vec<f64>> = Vec::new();
        for row in 0..matrix.rows() {
            let mut rest = matrix.row(row).to_vec();
            let length = dot(&rest, &rest).sqrt();
            let mut own = vec![0.0; basis.len()];
            for _ in 0..2 {
                for (direction, coordinate) in basis.iter().zip(&mut own) {
                    let along = dot(direction, &rest);
                    add_scaled(&mut rest, -along, direction);
                    *coordinate += along;
                }
            }
            let left = dot(&rest, &rest).sqrt();
            // The row lies in the span of the previous rows; the remainder is rounding error.
            if left > 1e-10 * length {
                rest.iter_mut().for_each(|value| *value /= left);
                basis.push(rest);
                own.push(left);
            }
            coordinates.push(own);
        }
        // If all rows are the same, the rank is 0, but a matrix has at least one column.
        let columns = basis.len().max(1);
        let mut values = Vec::with_capacity(coordinates.len() * columns);
        for mut row in coordinates {
            row.resize(columns, 0.0);
            values.extend(row);
        }
        RowSpace { coordinates: Matrix { values, width: columns }, basis, width: matrix.width }
    }

    /// The vector of `width` values with these coordinates.
    pub(super) fn expand(&self, coordinates: &[f64]) -> Vec<f64> {
        let mut vector = vec![0.0; self.width];
        for (direction, &coordinate) in self.basis.iter().zip(coordinates) {
            add_scaled(&mut vector, coordinate, direction);
        }
        vector
    }
}
