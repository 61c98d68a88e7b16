//! CPU reference of `shaders/cross_entropy_labels.wgsl`.

use super::Call;
use crate::error::Result;
use crate::kernel::cross_entropy_labels::Params;
use crate::reference::{Vectors, largest};

/// `loss = log(sum of exp(logits + bias)) - (logits + bias)[target]`.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let mut logits = call.output::<f32>(0)?;
    let vectors = call.input::<f32>(1)?;
    let vectors = Vectors::new(&vectors, params.vector_stride);
    let label_ids = call.input::<u32>(2)?;
    let targets = call.input::<u32>(3)?;
    let mut loss = call.output::<f32>(4)?;
    let mut prediction = call.output::<u32>(5)?;
    for (r, logits) in logits.chunks_exact_mut(params.labels as usize).take(params.rows as usize).enumerate()
    {
        let (branch, n) = (r / params.rows_per_branch as usize, r % params.rows_per_branch as usize);
        for (logit, &token) in logits.iter_mut().zip(label_ids.iter()) {
            *logit += vectors.at(branch, params.bias, token as usize);
        }
        let (best, largest) = largest(logits);
        let sum: f32 = logits.iter().map(|logit| (logit - largest).exp()).sum();
        loss[r] = (largest - logits[targets[n] as usize]) + sum.ln();
        prediction[r] = best;
    }
    Ok(())
}
