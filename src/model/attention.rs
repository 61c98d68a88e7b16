//! Attention: from the input of a layer to the weighted values of every head. Shapes use the letters of [`super::forward`].

use super::linear::Input;
use super::pass::{Pass, Target};
use super::spec::{Attention, Projection};
use super::workspace::{ByHead, Rotation};
use crate::error::{Result, bail};
use crate::gpu::Buffer;
use crate::kernel::{attention, gather_rows, kv_append, rotary};

impl Pass<'_> {
    /// Projects the input `[B, T, C]` to queries, keys and values side by side: ws.qkv `[B, T, (H + 2K) D]`.
    pub(super) fn queries_keys_values(&mut self, layer: &Attention, input: &Buffer) -> Result<()> {
        let (ws, tokens, stride) = (self.ws, self.tokens, self.spec().qkv_width());
        let (key, value) = (self.spec().q_width(), self.spec().q_width() + self.spec().kv_width());
        match (layer.projection, &ws.by_head) {
            (Projection::Parts, _) => {
                // Disentangled attention has queries and keys of distances too, one beside the other.
                let parts = [
                    (&layer.query, 0, self.disentangled_input(0)),
                    (&layer.key, key, self.disentangled_input(self.spec().q_width())),
                    (&layer.value, value, None),
                ];
                for (linear, column, distances) in parts {
                    self.keep_input(linear.weight, input, linear.width);
                    let y = Target { column, ..Target::new(&ws.qkv, stride) };
                    let inputs = [Some(Input { rows: tokens, x: input, y }), distances];
                    self.linear_of_all(linear, &inputs.into_iter().flatten().collect::<Vec<_>>())?;
                }
            }
            (_, _) if self.disentangled_input(0).is_some() => {
                bail!(
                    InvalidArgument,
                    "disentangled attention needs separate layers for queries, keys and values"
                );
            }
            (Projection::Together, _) => {
                self.linear(&layer.fused(), tokens, input, Target::new(&ws.qkv, stride))?;
            }
            (Projection::ByHead, Some(ByHead { values, picks })) => {
                self.linear(&layer.fused(), tokens, input, Target::new(values, stride))?;
                let width = self.spec().head_dim;
                let params = gather_rows::Params {
                    branches: self.branches,
                    x_start: 0,
                    x_branch: tokens * stride,
                    count: tokens * (stride / width),
                    width,
                    scale: 1.0,
                };
                gather_rows::record(&mut self.r, values, picks, &ws.qkv, params);
            }
            (Projection::ByHead, None) => {
                bail!(InvalidArgument, "the workspace has no buffer for queries, keys and values by head");
            }
        }
        Ok(())
    }

    /// Normalizes the query and key heads in ws.qkv and rotates them by the token's position, if the layer does so, in the layer's order.
    pub(super) fn positions(&mut self, layer: &Attention) -> Result<()> {
        if layer.rotated_first {
            self.turn(layer);
            return self.norm_queries_and_keys(layer);
        }
        self.norm_queries_and_keys(layer)?;
        self.turn(layer);
        Ok(())
    }

    /// Normalizes the query and key heads in ws.qkv.
    fn norm_queries_and_keys(&mut self, layer: &Attention) -> Result<()> {
        let spec = self.spec();
        if let Some(norm) = &layer.query_norm {
            self.norm_heads(norm, spec.q_width() / norm.width, 0)?;
        }
        if let Some(norm) = &layer.key_norm {
            self.norm_heads(norm, spec.kv_width() / norm.width, spec.q_width())?;
        }
        Ok(())
    }

    /// Rotates the query and key heads in ws.qkv by the token's position.
    fn turn(&mut self, layer: &Attention) {
        let (spec, ws) = (self.spec(), self.ws);
        let rotation =
            layer.rotary.as_ref().and_then(|rotary| ws.rotations.iter().find(|r| r.rotary == *rotary));
        if let Some(Rotation { rotary, table, positions, .. }) = rotation {
            let (step, apart) = if rotary.adjacent { (2, 1) } else { (1, rotary.columns() / 2) };
            let params = rotary::Params {
                rows: self.branches * self.tokens,
                tokens: self.tokens,
                stride: spec.qkv_width(),
                heads: spec.heads + spec.kv_heads,
                head_dim: spec.head_dim,
                dim: rotary.columns(),
                step,
                apart,
            };
            let positions = positions.as_ref().unwrap_or(&ws.positions);
            rotary::record(&mut self.r, &ws.qkv, table, positions, params);
        }
    }

    /// ws.attended `[B, T, H D]` = softmax(softcap(scale * q k^T) + distances) v over the keys that each token sees: a prefix, cached tokens,
    /// and its own sequence.
    pub(super) fn attend(&mut self, index: usize, layer: &Attention) -> Result<()> {
        let (spec, ws) = (self.spec(), self.ws);
        let (q_width, kv_width) = (spec.q_width(), spec.kv_width());
        let mut params = attention::Params {
            tokens: self.tokens,
            heads: spec.heads,
            kv_heads: spec.kv_heads,
            q_stride: spec.qkv_width(),
            kv_rows: self.tokens,
            kv_stride: spec.qkv_width(),
            k_column: q_width,
            v_column: q_width + kv_width,
            scale: layer.scale,
            softcap: layer.softcap.unwrap_or(0.0),
            // With attention to both sides, a window has no place for a prefix, so every token sees all of it.
            window: layer.window.filter(|_| spec.causal).unwrap_or(0),
            ..Default::default()
        };
        // Without a prefix the kernel does not read this binding, so any buffer may be bound.
        let mut prefix = &ws.qkv;
        if let Some((rows, key, value)) = self.model.adapter().and_then(|adapter| adapter.prefix(index))
            && let Some(stored) = self.factor(key)
        {
            prefix = stored.buffer;
            params.prefix_rows = rows;
            params.prefix_stride = stored.branch;
            params.prefix_key = key.first;
            params.prefix_value = value.first;
        }
        let mut key_value = &ws.qkv;
        if let Some(cache) = self.cache {
            key_value = &cache.layers[index]; // [capacity, 2 K D]
            let appended = kv_append::Params {
                rows: self.tokens,
                width: 2 * kv_width,
                stride: spec.qkv_width(),
                column: q_width,
                first_row: cache.length,
            };
            kv_append::record(&mut self.r, &ws.qkv, key_value, appended);
            params.kv_rows = cache.capacity;
            params.kv_stride = 2 * kv_width;
            params.k_column = 0;
            params.v_column = kv_width;
        }
        let spans = ws.spans.iter().find(|(window, _)| *window == layer.window);
        let Some((_, spans)) = spans else {
            bail!(InvalidArgument, "the workspace has no spans for a window of {:?}", layer.window);
        };
        // The same holds for the values of distances.
        let (relative, distances, reach) =
            self.distance_values().unwrap_or((attention::Relative::None, &ws.qkv, 0));
        params.reach = reach;
        let shape = attention::Shape {
            branches: self.branches,
            head_dim: spec.head_dim,
            in_registers: self.plan.attention_in_registers(),
            visible: self.visible,
            relative,
        };
        let tensors =
            attention::Tensors { query: &ws.qkv, key_value, spans, prefix, distances, output: &ws.attended };
        attention::record(&mut self.r, tensors, shape, params)
    }
}
