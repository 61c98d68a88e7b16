//! Attention over spans of every kind.

use std::rc::Rc;

use pocketllm::gpu::{Backend, Buffer, Recording};
use pocketllm::kernel::attention;

use crate::close;
use crate::common::{Lab, both, noise};

/// An attention case. Queries, keys and values are one fused projection unless there is a cache.
#[derive(Clone, Copy, Debug)]
struct Case {
    branches: u32,
    tokens: u32,
    heads: u32,
    kv_heads: u32,
    head_dim: u32,
    scale: f32,
    sees: Sees,
    /// Rows of the prefix.
    prefix: u32,
    /// Softcap of the scores; 0 for none.
    softcap: f32,
    /// How scores depend on distances.
    relative: attention::Relative,
    /// The distances that have values, in each direction; 0 for none.
    reach: u32,
}

#[derive(Clone, Copy, Debug)]
enum Sees {
    /// Packed sequences of this many tokens, in which each token sees its whole sequence.
    Packed(u32),
    /// The same, but each token sees only itself and earlier tokens.
    Causal(u32),
    /// The same, but each token sees only the last `window` tokens, including itself: length, then window.
    Window(u32, u32),
    /// A cache with this many rows, all of which are visible.
    Cache(u32),
}

impl Case {
    fn spans(&self) -> Vec<u32> {
        let span = |t: u32| match self.sees {
            Sees::Packed(length) => [t / length * length, (t / length * length + length).min(self.tokens)],
            Sees::Causal(length) => [t / length * length, t + 1],
            Sees::Window(length, window) => {
                [(t / length * length).max((t + 1).saturating_sub(window)), t + 1]
            }
            Sees::Cache(rows) => [0, rows],
        };
        (0..self.tokens).flat_map(span).collect()
    }

    fn record(&self, lab: &Lab<'_>, recording: &mut Recording, in_registers: bool) -> Vec<Buffer> {
        let Case { branches, tokens, heads, kv_heads, head_dim, scale, prefix, softcap, .. } = *self;
        let stride = (heads + 2 * kv_heads) * head_dim;
        let query = lab.floats("qkv", &noise(1, branches * tokens * stride));
        let mut params = attention::Params {
            tokens,
            heads,
            kv_heads,
            q_stride: stride,
            kv_rows: tokens,
            kv_stride: stride,
            k_column: heads * head_dim,
            v_column: (heads + kv_heads) * head_dim,
            scale,
            softcap,
            window: if let Sees::Window(_, window) = self.sees { window } else { 0 },
            ..Default::default()
        };
        let mut key_value = query.clone();
        if let Sees::Cache(rows) = self.sees {
            (params.kv_rows, params.kv_stride) = (rows, 2 * kv_heads * head_dim);
            (params.k_column, params.v_column) = (0, kv_heads * head_dim);
            key_value = lab.floats("cache", &noise(2, branches * rows * params.kv_stride));
        }
        let mut prefix_rows = lab.floats("prefix", &[f32::NAN]);
        if prefix > 0 {
            // Between other tensors of the adapter, with values before keys.
            let count = (prefix * kv_heads * head_dim).next_multiple_of(4);
            params.prefix_rows = prefix;
            (params.prefix_value, params.prefix_key) = (8, 12 + count);
            params.prefix_stride = params.prefix_key + count + 4;
            prefix_rows = lab.floats("prefix", &noise(3, branches * params.prefix_stride));
        }
        let width = match self.relative {
            attention::Relative::Disentangled => 2 * heads * head_dim,
            attention::Relative::Bias | attention::Relative::None => heads,
        };
        let mut distances = lab.floats("distances", &[f32::NAN]);
        if self.reach > 0 {
            params.reach = self.reach;
            distances = lab.floats("distances", &noise(4, branches * (2 * self.reach - 1) * width));
        }
        let spans = self.spans();
        let visible = spans.chunks_exact(2).map(|s| u64::from(s[1] - s[0])).sum();
        let spans = lab.words("spans", &spans);
        let output = lab.unwritten("output", branches * tokens * heads * head_dim);
        let tensors = attention::Tensors {
            query: &query,
            key_value: &key_value,
            spans: &spans,
            prefix: &prefix_rows,
            distances: &distances,
            output: &output,
        };
        let shape = attention::Shape { branches, head_dim, in_registers, visible, relative: self.relative };
        attention::record(recording, tensors, shape, params).unwrap();
        vec![output]
    }
}

/// Branches, tokens, heads, key and value heads, head size.
fn case([branches, tokens, heads, kv_heads, head_dim]: [u32; 5], scale: f32, sees: Sees) -> Case {
    let relative = attention::Relative::None;
    Case {
        branches,
        tokens,
        heads,
        kv_heads,
        head_dim,
        scale,
        sees,
        prefix: 0,
        softcap: 0.0,
        relative,
        reach: 0,
    }
}

fn prefixed(prefix: u32, case: Case) -> Case {
    Case { prefix, ..case }
}

fn capped(softcap: f32, case: Case) -> Case {
    Case { softcap, ..case }
}

fn biased(reach: u32, case: Case) -> Case {
    Case { relative: attention::Relative::Bias, reach, ..case }
}

fn disentangled(reach: u32, case: Case) -> Case {
    Case { relative: attention::Relative::Disentangled, reach, ..case }
}

kernel_test! {
    async fn attention_over_spans(backend: Rc<dyn Backend>) {
        let cases = [
            // 32 tokens per workgroup, or 8 per invocation.
            case([2, 130, 9, 3, 64], 0.125, Sees::Packed(37)),
            case([2, 65, 9, 3, 64], 1.0, Sees::Causal(65)),
            case([3, 17, 3, 1, 3], 0.6, Sees::Causal(17)),
            case([1, 33, 5, 5, 65], 0.2, Sees::Packed(13)),
            case([1, 5, 2, 1, 36], 0.6, Sees::Cache(100)),
            case([1, 9, 2, 2, 64], 0.125, Sees::Causal(9)),
            // One workgroup per token.
            case([1, 1, 9, 3, 64], 0.125, Sees::Cache(300)),
            case([1, 1, 9, 3, 64], 1.0, Sees::Cache(65)),
            case([1, 1, 1, 1, 1], 1.0, Sees::Causal(1)),
            case([2, 3, 2, 1, 36], 0.2, Sees::Packed(2)),
            case([1, 3, 3, 3, 65], 0.2, Sees::Causal(3)),
            case([1, 3, 1, 1, 256], 0.0625, Sees::Causal(3)),
            // Empty spans.
            case([1, 2, 3, 1, 3], 0.6, Sees::Cache(0)),
            case([1, 6, 3, 1, 3], 0.6, Sees::Cache(0)),
            // A prefix that is shorter than a tile, exactly one tile, or several tiles; before spans of every kind.
            prefixed(5, case([2, 130, 9, 3, 64], 0.125, Sees::Packed(37))),
            prefixed(32, case([3, 33, 4, 2, 36], 0.6, Sees::Causal(17))),
            prefixed(70, case([2, 17, 3, 1, 3], 0.6, Sees::Causal(17))),
            prefixed(1, case([2, 33, 5, 5, 3], 0.2, Sees::Packed(13))),
            prefixed(3, case([1, 6, 3, 1, 3], 0.6, Sees::Cache(0))),
            prefixed(5, case([1, 1, 9, 3, 64], 0.125, Sees::Cache(300))),
            prefixed(257, case([2, 3, 2, 1, 36], 0.2, Sees::Packed(2))),
            prefixed(256, case([2, 2, 4, 2, 3], 0.2, Sees::Causal(2))),
            prefixed(2, case([1, 2, 3, 1, 3], 0.6, Sees::Cache(0))),
            // Rows of a prefix that leave the window one after another.
            prefixed(5, case([2, 130, 9, 3, 64], 0.125, Sees::Window(37, 12))),
            prefixed(40, case([1, 33, 4, 2, 36], 0.6, Sees::Window(17, 30))),
            prefixed(3, case([2, 4, 3, 1, 3], 0.6, Sees::Window(4, 5))),
            prefixed(9, case([1, 3, 2, 1, 36], 0.2, Sees::Window(3, 2))),
            // A bias for each distance, of which all or some occur; for many tokens and for few.
            biased(37, case([2, 130, 3, 3, 64], 0.125, Sees::Packed(37))),
            biased(140, case([3, 130, 4, 2, 36], 0.3, Sees::Packed(130))),
            biased(20, case([1, 33, 5, 5, 3], 0.2, Sees::Packed(13))),
            biased(7, case([2, 4, 3, 1, 65], 0.2, Sees::Packed(2))),
            // A query and a key for each distance.
            disentangled(37, case([2, 130, 3, 3, 64], 0.1, Sees::Packed(37))),
            disentangled(140, case([3, 130, 4, 2, 36], 0.2, Sees::Packed(130))),
            disentangled(20, case([1, 33, 5, 5, 3], 0.2, Sees::Packed(13))),
            disentangled(7, case([2, 4, 3, 1, 65], 0.1, Sees::Packed(2))),
            // Windows that are shorter than a tile of keys, or longer; alone, and with a softcap.
            case([2, 130, 4, 2, 64], 0.125, Sees::Window(130, 16)),
            case([1, 100, 3, 1, 3], 0.6, Sees::Window(61, 40)),
            case([1, 3, 2, 1, 36], 0.2, Sees::Window(3, 2)),
            capped(0.5, case([2, 65, 4, 2, 64], 1.0, Sees::Window(65, 33))),
            capped(0.3, case([1, 1, 9, 3, 65], 1.0, Sees::Cache(300))),
            capped(0.4, prefixed(5, case([2, 33, 4, 2, 3], 2.0, Sees::Causal(33)))),
        ];
        for (case, in_registers) in cases.iter().flat_map(|case| [(case, false), (case, true)]) {
            let outputs = both(&backend, |lab, recording| {
                case.record(lab, recording, in_registers)
            }).await;
            close("attention", &format!("{case:?}, in registers: {in_registers}"), &outputs[0]);
        }
    }
}
