//! Looks up rows of embedding tables, as each branch sees the table.

use super::pass::{Pass, Target};
use super::tensors::TensorId;
use crate::error::Result;
use crate::gpu::Buffer;
use crate::kernel::{embedding, embedding_perturbed};

/// What to do with looked-up rows.
#[derive(Clone, Copy)]
pub(super) enum Rows {
    /// Multiply them by a factor and overwrite the destination.
    Scaled(f32),
    /// Add them to the destination.
    Added,
}

impl Pass<'_> {
    /// `y[b, i, :] = scale * table_b[ids[i], :]`, or `+=`, depending on `then`; ids `[count]`, y `[B, count, width]`.
    ///
    /// # Errors
    /// `invalid-argument` only if a family's spec is wrong.
    pub(super) fn table_rows(
        &mut self,
        table: TensorId,
        ids: &Buffer,
        count: u32,
        y: &Buffer,
        then: Rows,
    ) -> Result<()> {
        let table = self.model.weights().matrix(table)?;
        let (scale, accumulate) = match then {
            Rows::Scaled(scale) => (scale, 0),
            Rows::Added => (1.0, 1),
        };
        for part in &table.parts {
            if self.stored(table).is_some() {
                let params = embedding::Params {
                    tokens: count,
                    width: table.width,
                    branches: self.branches,
                    first_row: part.first_row,
                    rows: part.rows,
                    accumulate,
                    scale,
                };
                embedding::record(&mut self.r, table.dtype, &params, &part.buffer, ids, y);
            } else {
                let params = embedding_perturbed::Params {
                    tokens: count,
                    width: table.width,
                    branches: self.branches,
                    ordinal: table.id as u32,
                    decays: 1,
                    first_row: part.first_row,
                    rows: part.rows,
                    accumulate,
                    scale,
                };
                let step = &self.ws.step;
                embedding_perturbed::record(&mut self.r, table.dtype, &params, step, &part.buffer, ids, y);
            }
        }
        if let Some(pair) = self.pair(table.id) {
            self.factor_rows(pair, ids, count, Target { added: scale, ..Target::new(y, table.width) });
        }
        Ok(())
    }
}
