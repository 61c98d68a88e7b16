//! The steps after the sums of a matmul.

use super::vector::activate;
use crate::kernel::activation::Activation;

/// The operations applied to the sums before they are written to `c`.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a> {
    /// One for each column; empty if there is no bias.
    pub(super) bias: &'a [f32],
    pub(super) activation: Option<Activation>,
    pub(super) added: f32,
}

impl Finish<'_> {
    /// Finishes the sums of the columns starting at `first`.
    #[inline(always)]
    pub(super) fn run(&self, sums: &mut [f32], first: usize, c: &mut [f32]) {
        if !self.bias.is_empty() {
            sums.iter_mut().zip(&self.bias[first..]).for_each(|(sum, bias)| *sum += bias);
        }
        if let Some(activation) = self.activation {
            activate(activation, sums);
        }
        if self.added == 0.0 {
            c.iter_mut().zip(sums).for_each(|(c, sum)| *c = *sum);
        } else {
            c.iter_mut().zip(sums).for_each(|(c, sum)| *c += self.added * *sum);
        }
    }
}
