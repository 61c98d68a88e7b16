//! The forward pass, from token ids to the hidden states that a head reads, in order of execution.
//!
//! Shapes use these letters. B: branches, T: tokens, C: hidden width, H: query heads, K: key and value heads, D: width of a head,
//! F: intermediate width of the MLP. All tensors are f32, row-major. Every branch b sees its own weights W_b.

use super::pass::{Pass, Target};
use super::spec::{Mixer, Mlp, Norms};
use super::tables::Rows;
use super::tensors::Linear;
use crate::error::{Result, bail};
use crate::gpu::Buffer;
use crate::kernel::{gather_rows, glu};

impl<'a> Pass<'a> {
    /// Records the whole pass. Returns the buffer with the last hidden states `[B, T, C]`.
    ///
    /// # Errors
    /// `model-unsupported` for a shape that a kernel does not support; `invalid-argument` only if a family's spec is wrong.
    pub(super) fn forward(&mut self) -> Result<&'a Buffer> {
        let (spec, ws, tokens) = (self.spec(), self.ws, self.tokens);
        if !self.plain {
            self.materialize_small_tensors();
        }
        // x is the residual stream, y is scratch. A norm of the residual stream swaps them.
        let (mut x, mut y) = (&ws.hidden, &ws.normed); // [B, T, C] both
        self.embed(x)?;
        self.relative_positions()?;
        if let Some(norm) = spec.embedding.norm.filter(|_| !spec.embedding.projected_last) {
            let norm = &norm;
            self.norm(norm, tokens, x, y)?;
            std::mem::swap(&mut x, &mut y);
        }
        for (index, layer) in spec.layers.iter().enumerate() {
            if let Some(streamed) = self.model.weights().streamed() {
                self.r.upload(streamed.uploads(index));
            }
            let without_updates = ws.step_without_updates.as_ref().filter(|_| spec.repeats(index));
            self.step = without_updates.unwrap_or(&ws.step);
            // Attention: x += output(attention(norm(x))), with the norms that this layer has. A convolution may replace the attention.
            let mut input = self.input_norm(&layer.mixer_norms, x, y)?; // [B, T, C]
            let output_layer = match &layer.mixer {
                Mixer::Attention(attention) => {
                    self.queries_keys_values(attention, input)?; // ws.qkv [B, T, (H + 2K) D]
                    self.positions(attention)?; // ws.qkv, its queries and keys
                    self.attend(index, attention)?; // ws.attended [B, T, H D]
                    &attention.output
                }
                Mixer::Convolution(convolution) => {
                    self.convolve(index, convolution, input)?; // ws.attended [B, T, C]
                    &convolution.output
                }
            };
            if spec.parallel_residual {
                input = self.input_norm(&layer.mlp_norms, x, y)?; // of x without the attention
            }
            let output = self.residual(&layer.mixer_norms, x, y);
            self.linear(output_layer, tokens, &ws.attended, output)?;
            self.residual_norms(&layer.mixer_norms, &mut x, &mut y)?;

            // MLP: x += down(act(up(norm(x)))), with the norms that this layer has.
            if !spec.parallel_residual {
                input = self.input_norm(&layer.mlp_norms, x, y)?; // [B, T, C]
            }
            let output = self.residual(&layer.mlp_norms, x, y);
            self.mlp(&layer.mlp, input, output)?;
            self.residual_norms(&layer.mlp_norms, &mut x, &mut y)?;
        }
        self.step = &ws.step;
        if let Some(norm) = &spec.final_norm {
            self.norm(norm, tokens, x, y)?;
            return Ok(y);
        }
        Ok(x)
    }

    /// Records the pass and the head's transform of its `count` target rows. Returns the buffer `[B, count, width of the table]`.
    ///
    /// # Errors
    /// The errors of [`Pass::forward`].
    pub(super) fn head_rows(&mut self, count: u32) -> Result<&'a Buffer> {
        let (spec, ws) = (self.spec(), self.ws);
        let head = spec.head()?;
        let hidden = self.forward()?; // [B, T, C]
        let params = gather_rows::Params {
            branches: self.branches,
            x_start: 0,
            x_branch: self.tokens * spec.hidden,
            count,
            width: spec.hidden,
            scale: head.scale,
        };
        gather_rows::record(&mut self.r, hidden, &ws.target_rows, &ws.gathered, params);
        if let Some(transform) = &head.transform {
            let activation = Some(transform.activation);
            let output = Target { activation, ..Target::new(&ws.transformed, transform.dense.rows) };
            self.linear(&transform.dense, count, &ws.gathered, output)?;
            self.norm(&transform.norm, count, &ws.transformed, &ws.gathered)?;
        }
        if let Some(projection) = &head.projection {
            let output = Target::new(&ws.transformed, projection.rows);
            self.linear(projection, count, &ws.gathered, output)?;
            return Ok(&ws.transformed);
        }
        Ok(&ws.gathered)
    }

    /// x = scale * token + type + position `[B, T, C]`, where each term is a row of a table as the branch sees it. Token rows of
    /// another width are projected to C, either at once or after types, positions and the norm have been applied.
    fn embed(&mut self, x: &Buffer) -> Result<()> {
        let (embedding, ws, tokens) = (&self.spec().embedding, self.ws, self.tokens);
        let Some((projection, projected)) = embedding.projection.as_ref().zip(ws.projected.as_ref()) else {
            self.table_rows(embedding.tokens, &ws.ids, tokens, x, Rows::Scaled(embedding.scale))?;
            return self.add_types_and_positions(x);
        };
        let rows = &projected.rows; // [B, T, width]
        self.table_rows(embedding.tokens, &ws.ids, tokens, rows, Rows::Scaled(embedding.scale))?;
        if !embedding.projected_last {
            self.linear(projection, tokens, rows, Target::new(x, projection.rows))?;
            return self.add_types_and_positions(x);
        }
        self.add_types_and_positions(rows)?;
        let input = match (&embedding.norm, &projected.normed) {
            (Some(norm), Some(normed)) => {
                self.norm(norm, tokens, rows, normed)?;
                normed
            }
            _ => rows,
        };
        self.linear(projection, tokens, input, Target::new(x, projection.rows))
    }

    /// x += type + task + position, if the model has them.
    fn add_types_and_positions(&mut self, x: &Buffer) -> Result<()> {
        let (embedding, ws, tokens) = (&self.spec().embedding, self.ws, self.tokens);
        if let Some(table) = embedding.types {
            self.table_rows(table, &ws.types, tokens, x, Rows::Added)?;
        }
        if let Some((table, ids)) = embedding.tasks.zip(ws.tasks.as_ref()) {
            self.table_rows(table, ids, tokens, x, Rows::Added)?;
        }
        if let Some(positions) = embedding.positions {
            self.table_rows(positions.table, &ws.positions, tokens, x, Rows::Added)?;
        }
        Ok(())
    }

    /// The input of a sublayer: x, or y = norm(x) if the sublayer has an input norm.
    fn input_norm<'b>(&mut self, norms: &Norms, x: &'b Buffer, y: &'b Buffer) -> Result<&'b Buffer> {
        let Some(norm) = &norms.input else { return Ok(x) };
        self.norm(norm, self.tokens, x, y)?;
        Ok(y)
    }

    /// The destination of a sublayer. It adds to x, or overwrites y if its output is normalized before it is added to x.
    fn residual<'b>(&self, norms: &Norms, x: &'b Buffer, y: &'b Buffer) -> Target<'b> {
        match norms.output {
            Some(_) => Target::new(y, self.spec().hidden),
            None => Target { added: norms.scale, ..Target::onto(x, self.spec().hidden) },
        }
    }

    /// x += norm(y) if the sublayer has an output norm; then x = norm(x) if it has a norm of the residual stream, for which x and y
    /// swap buffers.
    fn residual_norms<'b>(&mut self, norms: &Norms, x: &mut &'b Buffer, y: &mut &'b Buffer) -> Result<()> {
        if let Some(norm) = &norms.output {
            self.add_norm(norm, y, x)?;
        }
        if let Some(norm) = &norms.residual {
            self.norm(norm, self.tokens, x, y)?;
            std::mem::swap(x, y);
        }
        Ok(())
    }

    /// output = down(act(up(input))), or down(act(gate(input)) * up(input)); input and output `[B, T, C]`.
    fn mlp(&mut self, mlp: &Mlp, input: &Buffer, output: Target<'_>) -> Result<()> {
        let (ws, tokens, width) = (self.ws, self.tokens, self.spec().intermediate);
        match mlp {
            Mlp::Plain { up, activation, down } => {
                let wide = Target { activation: Some(*activation), ..Target::new(&ws.wide, width) };
                self.linear(up, tokens, input, wide)?; // ws.wide [B, T, F]
                self.linear(down, tokens, &ws.wide, output)
            }
            Mlp::Glu { gate, up, together, activation, down } => {
                let Some(product) = &ws.glu else {
                    bail!(InvalidArgument, "the workspace has no buffer for a GLU's product");
                };
                let wide = |column| Target { column, ..Target::new(&ws.wide, 2 * width) };
                if *together {
                    let fused = Linear { rows: gate.rows + up.rows, ..*gate };
                    self.linear(&fused, tokens, input, wide(0))?; // ws.wide [B, T, 2F]
                } else {
                    self.linear(gate, tokens, input, wide(0))?; // ws.wide [B, T, 2F]
                    self.linear(up, tokens, input, wide(width))?;
                }
                let params = glu::Params { rows: self.branches * tokens, width };
                glu::record(&mut self.r, *activation, &ws.wide, product, params); // product [B, T, F]
                self.linear(down, tokens, product, output)
            }
        }
    }
}
