//! Matmul with bias and activation: the product of a linear layer. [`crate::gemm`] chooses the variant and the operands.

use crate::gpu::{Binding, Cost, Recording, Variant};

super::kernel!("matmul");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Rows of `a` and `c` in each branch.
        pub rows: u32,
        /// Columns of `c`, rows of `w`.
        pub columns: u32,
        /// Columns of `a` and `w`.
        pub depth: u32,
        /// Elements between rows of `a`.
        pub a_stride: u32,
        /// Elements between branches of `a`.
        pub a_branch: u32,
        /// First element of `w`.
        pub w_start: u32,
        /// Elements between branches of `w`; 0: all branches share the same weights.
        pub w_branch: u32,
        /// Elements between rows of `c`.
        pub c_stride: u32,
        /// First column of `c`.
        pub c_column: u32,
        /// Offset of the bias in `vectors`, or [`NO_BIAS`](super::NO_BIAS).
        pub bias: u32,
        /// Elements between branches of `vectors`.
        pub vector_stride: u32,
        /// If 0, the result overwrites `c`. Otherwise the result times this factor is added to `c`.
        pub added: f32,
    }
}

/// `c[b, r, c_column + n] (+)= activation(sum_k a[b, r, k] * w[b, n, k] + bias[b, n])` for `branches` branches. `bindings`: a, w,
/// the norms and biases, c. A workgroup computes `outputs` rows and columns of c. `weight_bytes` is the size of w in each branch.
pub fn record(
    recording: &mut Recording,
    variant: Variant,
    outputs: [u32; 2],
    params: &Params,
    branches: u32,
    bindings: [Binding; 4],
    weight_bytes: u64,
) {
    let grid = [params.columns.div_ceil(outputs[1]), params.rows.div_ceil(outputs[0]), branches];
    let copies = if params.w_branch == 0 { 1 } else { u64::from(branches) };
    let [rows, columns, depth, branches] =
        [params.rows, params.columns, params.depth, branches].map(u64::from);
    let results = rows * columns * branches;
    let bytes = 4 * (branches * rows * depth + results) + copies * weight_bytes;
    recording.push(variant, params, bindings.to_vec(), grid, Cost { work: 2 * results * depth, bytes });
}
