//! The activation basis: the factor A of LoRA as the whitened principal directions of each layer's inputs.
//!
//! EVA (Paischer et al. 2024, arXiv 2410.07170) initializes A with the right singular vectors of the inputs over some batches. Here
//! they are also whitened: each is divided by the root mean square of its products with the inputs, so that all columns of B have
//! inputs of the same magnitude. A is then frozen (LoRA-FA). The passes run on the device; the host computes the directions in f64
//! and rounds them to f16.

use half::f16;

use super::method::Method;
use super::session::Session;
use super::settings::Settings;
use crate::error::{Result, bail};
use crate::fit::SecondMoments;
use crate::model::{Extent, TensorId, lora_matrices};
use crate::text::batch::Batch;
use crate::text::encode::Example;
use crate::zo::random::Order;

/// The maximum number of batches that the basis is computed from: those of the first steps.
const BATCHES: u32 = 4;

/// The number of tokens after which no further example is added.
const TOKENS: u32 = 1024;

/// Bytes of layer inputs that the host holds at a time. If the matrices need more, there are more passes.
const BYTES: u64 = 64 << 20;

/// The examples of each pass, as indices, for examples taken in this order. `tokens` has the number of tokens of each example.
pub(super) fn passes(settings: &Settings, mut order: Order, tokens: &[u32]) -> Vec<Vec<usize>> {
    let (mut passes, mut seen) = (Vec::new(), 0);
    for step in 0..BATCHES.min(settings.steps) {
        let batch = order.batch(step, settings.batch_size as usize);
        let taken = batch.into_iter().take_while(|&index| {
            let begins = seen < TOKENS;
            seen += tokens.get(index).copied().unwrap_or_default();
            begins
        });
        let taken: Vec<usize> = taken.collect();
        passes.extend(taken.chunks(settings.at_once() as usize).map(<[usize]>::to_vec));
    }
    passes
}

impl Session {
    /// The factors A of an adapter of this method, concatenated. All values are exactly representable in f16.
    ///
    /// # Errors
    /// `invalid-argument` for a method that has no such factors; errors from the backend.
    pub(super) async fn activation_basis(
        &mut self,
        settings: &Settings,
        examples: &[Example],
    ) -> Result<Vec<f32>> {
        let Method::Lora { rank, .. } = settings.method else {
            bail!(InvalidArgument, "an activation basis is for method lora, not {}", settings.method.name());
        };
        let tokens: Vec<u32> = examples.iter().map(|example| example.ids.len() as u32).collect();
        let passes = passes(settings, settings.order(examples.iter().map(Example::label)), &tokens);
        self.remove_adapter();
        let batches: Vec<Batch> = passes
            .iter()
            .map(|pass| Batch::pack(&pass.iter().map(|&index| &examples[index]).collect::<Vec<_>>()))
            .collect();
        let mut basis = Vec::new();
        // The inputs and basis of the previous matrix: queries, keys and values share their inputs.
        let mut last: Option<(Vec<Vec<f32>>, Vec<f32>)> = None;
        for group in self.groups(settings, &batches)? {
            let mut inputs: Vec<Vec<Vec<f32>>> = vec![Vec::new(); group.len()];
            for batch in &batches {
                for (inputs, of_batch) in inputs.iter_mut().zip(self.inputs(batch, &group).await?) {
                    inputs.push(of_batch);
                }
            }
            for (id, inputs) in group.iter().zip(inputs) {
                if last.as_ref().is_none_or(|(same, _)| *same != inputs) {
                    let width = self.model.spec().tensors.as_slice()[*id].width as usize;
                    let mut moments = SecondMoments::new(width);
                    inputs.iter().for_each(|inputs| moments.add(inputs));
                    let rounded = |x: &f64| f16::from_f64(*x).to_f32();
                    let found: Vec<f32> = moments.whitened(rank as usize).iter().map(rounded).collect();
                    if let Some(value) = found.iter().find(|value| !value.is_finite()) {
                        let name = &self.model.spec().tensors.as_slice()[*id].name;
                        bail!(
                            NonFiniteLoss,
                            "{name}: LoRA's factor A from its inputs has a value of {value} in f16. Draw the factor instead, with the option \
                             lora-a frozen or trained"
                        );
                    }
                    last = Some((inputs, found));
                }
                basis.extend(last.iter().flat_map(|(_, found)| found));
            }
        }
        Ok(basis)
    }

    /// Records the passes of [`Session::activation_basis`] over batches of zeros, for a plan.
    ///
    /// # Errors
    /// Same errors as [`Session::activation_basis`].
    pub(super) async fn count_basis(
        &mut self,
        settings: &Settings,
        order: Order,
        tokens: &[u32],
    ) -> Result<()> {
        self.remove_adapter();
        let length = |pass: Vec<usize>| pass.iter().filter_map(|&index| tokens.get(index)).sum::<u32>();
        let batch = |tokens: u32| {
            let positions = (0..tokens).map(|i| i % self.model.max_length()).collect();
            Batch { positions, ..Batch::sequence(&vec![0; tokens as usize]) }
        };
        let batches: Vec<Batch> =
            passes(settings, order, tokens).into_iter().map(|pass| batch(length(pass))).collect();
        for group in self.groups(settings, &batches)? {
            for batch in &batches {
                self.inputs(batch, &group).await?;
            }
        }
        Ok(())
    }

    /// The adapted matrices, in groups whose inputs are held at the same time.
    fn groups(&self, settings: &Settings, batches: &[Batch]) -> Result<Vec<Vec<TensorId>>> {
        let Method::Lora { targets, .. } = &settings.method else { return Ok(Vec::new()) };
        let spec = self.model.spec();
        let tokens: u64 = batches.iter().map(|batch| batch.ids.len() as u64).sum();
        let mut groups: Vec<Vec<TensorId>> = Vec::new();
        let mut held = BYTES;
        for id in lora_matrices(spec, targets)? {
            let width = u64::from(spec.tensors.as_slice()[id].width);
            let bytes = 4 * width * tokens;
            if held + bytes > BYTES {
                groups.push(Vec::new());
                held = 0;
            }
            held += bytes;
            groups.last_mut().into_iter().for_each(|group| group.push(id));
        }
        Ok(groups)
    }

    async fn inputs(&mut self, batch: &Batch, matrices: &[TensorId]) -> Result<Vec<Vec<f32>>> {
        let extent = Extent { tokens: batch.ids.len() as u32, ..Extent::least() };
        let (model, ws) = self.prepare(extent)?;
        model.layer_inputs(ws, batch, matrices).await
    }
}
