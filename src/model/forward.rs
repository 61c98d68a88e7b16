//! The forward pass, from token ids to the hidden states that a head reads, in the order in which it runs.
//!
//! Shapes are written with these letters. B: branches, T: tokens, C: hidden width, H: query heads, K: key and value heads,
//! D: width of a head, F: intermediate width of the MLP. All tensors are f32, row-major. Every branch b sees its own weights W_b.

use super::pass::{Pass, Target};
use super::spec::{Mlp, Norm, Positions};
use crate::error::{Result, bail};
use crate::gpu::Buffer;
use crate::kernel::glu;

impl<'a> Pass<'a> {
    /// Records the whole pass; returns the buffer that holds the last hidden states `[B, T, C]`.
    ///
    /// # Errors
    /// `model-unsupported` for a shape that a kernel does not take; `invalid-argument` by a fault of a family only.
    pub(super) fn forward(&mut self) -> Result<&'a Buffer> {
        let (spec, ws, tokens) = (self.spec(), self.ws, self.tokens);
        if !self.plain {
            self.materialize_vectors();
        }
        // x is the residual stream, y is scratch. A norm after the residual swaps them.
        let (mut x, mut y) = (&ws.hidden, &ws.normed); // [B, T, C] both
        self.embed(x)?;
        if let Some(norm) = &spec.embedding_norm {
            self.norm(norm, tokens, x, y)?;
            std::mem::swap(&mut x, &mut y);
        }
        for (index, layer) in spec.layers.iter().enumerate() {
            // Attention: x += output(attention(norm(x))), or x = norm(x + output(attention(x))).
            let input = self.norm_before(&layer.attention_norm, x, y)?; // [B, T, C]
            self.queries_keys_values(layer, input)?; // ws.qkv [B, T, (H + 2K) D]
            self.rotate(); // ws.qkv, its queries and keys
            self.attend(index)?; // ws.attended [B, T, H D]
            self.linear(&layer.output, tokens, &ws.attended, Target::onto(x, spec.hidden))?;
            self.norm_after(&layer.attention_norm, &mut x, &mut y)?;

            // MLP: x += down(act(up(norm(x)))), or x = norm(x + down(act(up(x)))).
            let input = self.norm_before(&layer.mlp_norm, x, y)?; // [B, T, C]
            self.mlp(&layer.mlp, input, x)?;
            self.norm_after(&layer.mlp_norm, &mut x, &mut y)?;
        }
        if let Some(norm) = &spec.final_norm {
            self.norm(norm, tokens, x, y)?;
            return Ok(y);
        }
        Ok(x)
    }

    /// x = token + type + position `[B, T, C]`, each a row of a table as the branch sees it.
    fn embed(&mut self, x: &Buffer) -> Result<()> {
        let (spec, ws, tokens) = (self.spec(), self.ws, self.tokens);
        self.table_rows(spec.token_table, &ws.ids, tokens, x, false)?;
        if let Some(table) = spec.type_table {
            self.table_rows(table, &ws.types, tokens, x, true)?;
        }
        if let Positions::Learned { table, .. } = spec.positions {
            self.table_rows(table, &ws.positions, tokens, x, true)?;
        }
        Ok(())
    }

    /// Normalizes x into y where the model's norms stand before the sublayer; returns what the sublayer reads.
    fn norm_before<'b>(&mut self, norm: &Norm, x: &'b Buffer, y: &'b Buffer) -> Result<&'b Buffer> {
        if !self.spec().pre_norm {
            return Ok(x);
        }
        self.norm(norm, self.tokens, x, y)?;
        Ok(y)
    }

    /// Normalizes x into y and swaps them, where the model's norms stand after the residual.
    fn norm_after<'b>(&mut self, norm: &Norm, x: &mut &'b Buffer, y: &mut &'b Buffer) -> Result<()> {
        if !self.spec().pre_norm {
            self.norm(norm, self.tokens, x, y)?;
            std::mem::swap(x, y);
        }
        Ok(())
    }

    /// x += down(act(up(input))), or x += down(act(gate(input)) * up(input)); input and x `[B, T, C]`.
    fn mlp(&mut self, mlp: &Mlp, input: &Buffer, x: &Buffer) -> Result<()> {
        let (ws, tokens, width) = (self.ws, self.tokens, self.spec().intermediate);
        let output = Target::onto(x, self.spec().hidden);
        match mlp {
            Mlp::Plain { up, activation, down } => {
                let wide = Target { activation: Some(*activation), ..Target::new(&ws.wide, width) };
                self.linear(up, tokens, input, wide)?; // ws.wide [B, T, F]
                self.linear(down, tokens, &ws.wide, output)
            }
            Mlp::Gated { gate, up, activation, down } => {
                let Some(product) = &ws.glu else {
                    bail!(InvalidArgument, "the workspace has no buffer for a GLU's product");
                };
                let wide = |column| Target { column, ..Target::new(&ws.wide, 2 * width) };
                self.linear(gate, tokens, input, wide(0))?; // ws.wide [B, T, 2F]
                self.linear(up, tokens, input, wide(width))?;
                let params = glu::Params { rows: self.branches * tokens, width };
                glu::record(&mut self.r, *activation, &ws.wide, product, params); // product [B, T, F]
                self.linear(down, tokens, product, output)
            }
        }
    }
}
