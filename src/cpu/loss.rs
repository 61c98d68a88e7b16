//! The cross-entropy over a block of the vocabulary.

use super::threads::chunks;
use super::vector::{Vectorized, exp, largest, sum, vectorized};
use crate::error::Result;
use crate::kernel::NO_BIAS;
use crate::kernel::cross_entropy_block::Params;
use crate::reference::Call;

/// The contribution of one row of a block.
#[derive(Clone, Copy, Default)]
struct Row {
    best: u32,
    maximum: f32,
    /// The sum of exp(logit - maximum).
    sum: f32,
    target: f32,
}

struct SumOfExp<'a>(&'a [f32], f32);

impl Vectorized for SumOfExp<'_> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let maximum = self.1;
        sum(self.0, |logit| exp(logit - maximum))
    }
}

/// Index and value of the largest element; the first one if several are equal.
struct Largest<'a>(&'a [f32]);

impl Vectorized for Largest<'_> {
    type Output = (u32, f32);

    #[inline(always)]
    fn run(self) -> (u32, f32) {
        let most = largest(self.0);
        (self.0.iter().position(|logit| *logit == most).unwrap_or(0) as u32, most)
    }
}

/// Updates each row's maximum and sum with a block of logits.
pub(super) fn block(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let logits = &call.input::<f32>(0)?[..];
    let vectors = &call.input::<f32>(1)?[..];
    let targets = &call.input::<u32>(2)?[..];
    let mut state = call.output::<[u32; 4]>(3)?;
    let mut loss = call.output::<f32>(4)?;
    let mut prediction = call.output::<u32>(5)?;
    let (width, first) = (params.width as usize, params.first as usize);
    let mut rows = vec![Row::default(); params.rows as usize];
    chunks(&mut rows, 1, |r, rows| {
        let (branch, n) = (r / params.rows_per_branch as usize, r % params.rows_per_branch as usize);
        let mut logits = &logits[r * width..][..width];
        let biased: Vec<f32>;
        if params.bias != NO_BIAS {
            let start = branch * params.vector_stride as usize + params.bias as usize + first;
            biased = logits.iter().zip(&vectors[start..]).map(|(logit, bias)| logit + bias).collect();
            logits = &biased;
        }
        let (column, maximum) = vectorized(Largest(logits));
        let target = (targets[n] as usize).checked_sub(first).and_then(|column| logits.get(column));
        let (best, target) = (params.first + column, target.copied().unwrap_or(f32::NAN));
        rows[0] = Row { best, maximum, sum: vectorized(SumOfExp(logits, maximum)), target };
    });
    for (r, Row { mut best, mut maximum, mut sum, target }) in rows.into_iter().enumerate() {
        let here = (targets[r % params.rows_per_branch as usize] as usize)
            .checked_sub(first)
            .is_some_and(|column| column < width);
        let mut target_logit = if here { target } else { 0.0 };
        if params.start == 0 {
            let [before, sum_before, target_before, best_before] = state[r];
            let before = f32::from_bits(before);
            let larger = maximum.max(before);
            sum = f32::from_bits(sum_before) * (before - larger).exp() + sum * (maximum - larger).exp();
            if !here {
                target_logit = f32::from_bits(target_before);
            }
            if before >= maximum {
                (maximum, best) = (before, best_before);
            }
        }
        state[r] = [maximum.to_bits(), sum.to_bits(), target_logit.to_bits(), best];
        loss[r] = (maximum - target_logit) + sum.ln();
        prediction[r] = best;
    }
    Ok(())
}
