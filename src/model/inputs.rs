//! Reads back the inputs of linear layers during a pass.

use std::collections::BTreeMap;

use super::pass::{Inputs, Pass};
use super::tensors::TensorId;
use super::transformer::Transformer;
use super::workspace::Workspace;
use crate::error::Result;
use crate::gpu::MemoryClass;
use crate::kernel::step::Step;
use crate::text::batch::Batch;

impl Transformer {
    /// The input that each of these matrices is multiplied by in a pass of the batch with the stored weights: `[token, width]`,
    /// f32. The matrices must belong to linear layers of the transformer's layers.
    ///
    /// # Errors
    /// `invalid-argument` for a batch that the model cannot process; `limit-exceeded`; errors from the backend.
    pub async fn layer_inputs(
        &self,
        ws: &Workspace,
        batch: &Batch,
        matrices: &[TensorId],
    ) -> Result<Vec<Vec<f32>>> {
        let (backend, tokens) = (self.backend(), batch.ids.len() as u32);
        let create =
            |name, elements: u32| backend.create(name, u64::from(elements) * 4, MemoryClass::Activations);
        let mut inputs = Inputs { every_row: create("token numbers", tokens)?, of: BTreeMap::new() };
        let rows: Vec<u32> = (0..tokens).collect();
        backend.write(&inputs.every_row, 0, bytemuck::cast_slice(&rows))?;
        let elements = |id: TensorId| tokens * self.spec().tensors.as_slice()[id].width;
        for id in matrices {
            inputs.of.insert(*id, create("layer inputs", elements(*id))?);
        }
        self.write_input(ws, batch, &Step::plain(), 0)?;
        let mut pass = Pass { inputs: Some(&inputs), ..Pass::plain(self, ws, batch) };
        pass.forward()?;
        pass.run().await?;
        let mut found = Vec::new();
        for (id, buffer) in matrices.iter().filter_map(|id| Some((*id, inputs.of.get(id)?))) {
            found.push(self.read(buffer, elements(id)).await?);
        }
        Ok(found)
    }
}
