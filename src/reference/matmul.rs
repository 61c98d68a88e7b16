//! CPU reference of `shaders/matmul.wgsl`.

use super::Call;
use super::activation::{activate, provided};
use super::storage::{Stored, stored_as};
use crate::dtype::DType;
use crate::error::Result;
use crate::kernel::NO_BIAS;
use crate::kernel::matmul::Params;
use crate::kernel::panels::PANEL;

pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let (a, vectors) = (call.input::<f32>(0)?, call.input::<f32>(2)?);
    let dtype = stored_as(call);
    let (plain, decoded);
    let w = if dtype == DType::F32 {
        plain = call.input::<f32>(1)?;
        &plain[..]
    } else {
        let words = call.input::<u32>(1)?;
        let first = params.w_start as usize / 4;
        let vec4s = 0..first + (params.columns * params.depth) as usize / 4;
        let mut stored = Stored::new(dtype, &words);
        decoded = vec4s.flat_map(|i| stored.load(i)).collect::<Vec<f32>>();
        &decoded[..]
    };
    let mut c = call.output::<f32>(3)?;
    let activation = provided(call);
    let depth = params.depth as usize;
    let (rows, columns) = (params.rows as usize, params.columns as usize);
    let packed = call.provider("operands").is_some_and(|operands| operands.starts_with("operands_panels"));
    for b in 0..call.grid()[2] as usize {
        let a = &a[b * params.a_branch as usize..];
        let w = &w[params.w_start as usize + b * params.w_branch as usize..];
        let (unpacked_a, unpacked_w);
        let (a, a_stride, w) = if packed {
            unpacked_a = unpack(a, rows, depth);
            unpacked_w = unpack(w, columns, depth);
            (&unpacked_a[..], depth, &unpacked_w[..])
        } else {
            (a, params.a_stride as usize, w)
        };
        for row in 0..rows {
            let a = &a[row * a_stride..][..depth];
            let first = (b * rows + row) * params.c_stride as usize + params.c_column as usize;
            for (n, c) in c[first..first + columns].iter_mut().enumerate() {
                let w = &w[n * depth..][..depth];
                let bias = match params.bias {
                    NO_BIAS => 0.0,
                    bias => vectors[b * params.vector_stride as usize + bias as usize + n],
                };
                let sum = dot(a, w) + bias;
                let value = activation.map_or(sum, |activation| activate(activation, sum));
                *c = if params.added == 0.0 { value } else { *c + params.added * value };
            }
        }
    }
    Ok(())
}

/// Converts panels to `[row, depth]`.
fn unpack(panels: &[f32], rows: usize, depth: usize) -> Vec<f32> {
    let panel = PANEL as usize;
    let mut unpacked = Vec::with_capacity(rows * depth);
    for row in 0..rows {
        let values = panels[row / panel * depth * panel + row % panel..].iter().step_by(panel);
        unpacked.extend(values.take(depth));
    }
    unpacked
}

/// A dot product with eight partial sums, so that the compiler can keep them in one vector register.
fn dot(a: &[f32], w: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (whole_a, rest_a) = a.as_chunks::<8>();
    let (whole_w, rest_w) = w.as_chunks::<8>();
    for (a, w) in whole_a.iter().zip(whole_w) {
        for i in 0..8 {
            sums[i] += a[i] * w[i];
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_w).map(|(a, w)| a * w).sum();
    sums.iter().sum::<f32>() + rest
}
