//! CPU reference of `shaders/cross_entropy_block.wgsl`.

use super::Call;
use crate::error::Result;
use crate::kernel::cross_entropy_block::Params;
use crate::reference::{Vectors, largest};

/// Updates each row's maximum and sum with a block of logits.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let logits = call.input::<f32>(0)?;
    let vectors = call.input::<f32>(1)?;
    let vectors = Vectors::new(&vectors, params.vector_stride);
    let targets = call.input::<u32>(2)?;
    let mut state = call.output::<[u32; 4]>(3)?;
    let mut loss = call.output::<f32>(4)?;
    let mut prediction = call.output::<u32>(5)?;
    let (width, first) = (params.width as usize, params.first as usize);
    for (r, logits) in logits.chunks_exact(width).take(params.rows as usize).enumerate() {
        let (branch, n) = (r / params.rows_per_branch as usize, r % params.rows_per_branch as usize);
        let biased = |(i, logit): (usize, &f32)| logit + vectors.at(branch, params.bias, first + i);
        let logits: Vec<f32> = logits.iter().enumerate().map(biased).collect();
        let (column, mut maximum) = largest(&logits);
        let mut best = params.first + column;
        let mut sum: f32 = logits.iter().map(|logit| (logit - maximum).exp()).sum();
        let mut target_logit = 0.0;
        if params.start == 0 {
            let [before, sum_before, target_before, best_before] = state[r];
            let before = f32::from_bits(before);
            let larger = maximum.max(before);
            sum = f32::from_bits(sum_before) * (before - larger).exp() + sum * (maximum - larger).exp();
            target_logit = f32::from_bits(target_before);
            if before >= maximum {
                (maximum, best) = (before, best_before);
            }
        }
        if let Some(logit) = (targets[n] as usize).checked_sub(first).and_then(|column| logits.get(column)) {
            target_logit = *logit;
        }
        state[r] = [maximum.to_bits(), sum.to_bits(), target_logit.to_bits(), best];
        loss[r] = (maximum - target_logit) + sum.ln();
        prediction[r] = best;
    }
    Ok(())
}
