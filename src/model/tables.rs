//! Rows of embedding tables, as each branch sees the table.

use super::pass::Pass;
use super::tensors::TensorId;
use crate::error::Result;
use crate::gpu::Buffer;
use crate::kernel::{embedding, embedding_perturbed};

impl Pass<'_> {
    /// `y[b, i, :] = table_b[ids[i], :]`, or `+=` where it accumulates; ids `[count]`, y `[B, count, width]`.
    ///
    /// # Errors
    /// `invalid-argument`, by a fault of a family only.
    pub(super) fn table_rows(
        &mut self,
        table: TensorId,
        ids: &Buffer,
        count: u32,
        y: &Buffer,
        accumulate: bool,
    ) -> Result<()> {
        let table = self.model.weights().matrix(table)?;
        for part in &table.parts {
            if self.stored(table).is_some() {
                let params = embedding::Params {
                    tokens: count,
                    width: table.width,
                    branches: self.branches,
                    first_row: part.first_row,
                    rows: part.rows,
                    accumulate: accumulate.into(),
                    scale: 1.0,
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
                    accumulate: accumulate.into(),
                    scale: 1.0,
                };
                let step = &self.ws.step;
                embedding_perturbed::record(&mut self.r, table.dtype, &params, step, &part.buffer, ids, y);
            }
        }
        if let Some(pair) = self.pair(table.id) {
            self.factor_rows(pair, ids, count, y, table.width);
        }
        Ok(())
    }
}
