//! The values of distances that attention with relative positions reads. Shapes use the letters of [`super::forward`]; R is the number
//! of distances between the tokens of a batch's longest sequence.

use super::linear::Input;
use super::pass::{Pass, Target};
use super::relative::{Disentangled, RelativePositions};
use super::tables::Rows;
use crate::error::Result;
use crate::gpu::Buffer;
use crate::kernel::attention;

impl<'a> Pass<'a> {
    /// R, the number of distances between the tokens of the longest sequence.
    fn distances(&self) -> u32 {
        (2 * self.longest).saturating_sub(1)
    }

    /// Looks up the rows of the batch's distances, as each branch sees them: biases `[B, R, H]`, or normalized embeddings `[B, R, C]`.
    pub(super) fn relative_positions(&mut self) -> Result<()> {
        let ws = self.ws;
        let Some((positions, relative)) = self.spec().embedding.relative.zip(ws.relative.as_ref()) else {
            return Ok(());
        };
        let distances = self.distances();
        let look_up = |pass: &mut Self, into| {
            pass.table_rows(positions.table(), &relative.rows, distances, into, Rows::Scaled(1.0))
        };
        match positions {
            RelativePositions::Disentangled(Disentangled { norm: Some(norm), .. }) => {
                look_up(self, &ws.wide)?;
                self.norm(&norm, distances, &ws.wide, &relative.values)
            }
            _ => look_up(self, &relative.values),
        }
    }

    /// The embeddings of distances as a further input of the layer for queries or keys, whose output begins at `column` of
    /// ws.wide `[B, R, 2 H D]`; `None` if the attention is not disentangled.
    pub(super) fn disentangled_input(&self, column: u32) -> Option<Input<'a>> {
        let relative = self.ws.relative.as_ref()?;
        let Some(RelativePositions::Disentangled(_)) = self.spec().embedding.relative else { return None };
        let y = Target { column, ..Target::new(&self.ws.wide, 2 * self.spec().q_width()) };
        Some(Input { rows: self.distances(), x: &relative.values, y })
    }

    /// What attention reads for the distance of a key from a query: the kind of the values, the values, and the number of tokens of
    /// the longest sequence. `None` if the model has no relative positions.
    pub(super) fn distance_values(&self) -> Option<(attention::Relative, &'a Buffer, u32)> {
        let relative = self.ws.relative.as_ref()?;
        let (kind, values) = match self.spec().embedding.relative? {
            RelativePositions::Bias { .. } => (attention::Relative::Bias, &relative.values),
            RelativePositions::Disentangled(_) => (attention::Relative::Disentangled, &self.ws.wide),
        };
        Some((kind, values, self.longest))
    }
}
