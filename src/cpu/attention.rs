//! Attention of many tokens. A few tokens have the CPU reference.
//!
//! The keys of each head are written side by side first, 16 at a time, so that a query is multiplied with 16 keys at once.

use super::threads::chunks;
use super::vector::{Vectorized, exp, largest, sum, vectorized};
use crate::error::Result;
use crate::kernel::attention::Params;
use crate::reference::{self, Call};

/// Keys that are multiplied at once.
const KEYS: usize = 16;

/// Up to so many tokens the reference is faster than arranging all keys.
const FEW_TOKENS: u32 = 4;

/// Tokens that a thread computes at a time.
const TOKENS: usize = 8;

/// The rows of one kind, keys or values: those of the prefix, then those of the batch.
#[derive(Clone, Copy)]
struct Rows<'a> {
    prefix: &'a [f32],
    prefix_rows: usize,
    prefix_width: usize,
    key_value: &'a [f32],
    stride: usize,
}

impl Rows<'_> {
    /// `count` elements of a row, from `column` of its heads on.
    #[inline(always)]
    fn at(&self, row: usize, column: usize, count: usize) -> &[f32] {
        match row.checked_sub(self.prefix_rows) {
            None => &self.prefix[row * self.prefix_width + column..][..count],
            Some(row) => &self.key_value[row * self.stride + column..][..count],
        }
    }
}

/// `output[b, t, h] = softmax(softcap(scale * q k^T)) v` over the rows of the prefix and the keys in the token's span.
pub(super) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    if params.tokens <= FEW_TOKENS {
        return reference::attention::run(call);
    }
    let dim = call.constant("HEAD_DIM").unwrap_or(1) as usize;
    let query = &call.input::<f32>(0)?[..];
    let key_value = &call.input::<f32>(1)?[..];
    let spans = &call.input::<[u32; 2]>(2)?[..];
    let prefix = &call.input::<f32>(3)?[..];
    let mut output = call.output::<f32>(4)?;
    let [tokens, heads, kv_heads] = [params.tokens, params.heads, params.kv_heads].map(|n| n as usize);
    let sharing = heads / kv_heads;
    let rows_of = |branch: usize, column: u32, prefix_start: u32| Rows {
        prefix: if params.prefix_rows == 0 {
            &[]
        } else {
            &prefix[branch * params.prefix_stride as usize + prefix_start as usize..]
        },
        prefix_rows: params.prefix_rows as usize,
        prefix_width: kv_heads * dim,
        key_value: &key_value
            [(branch * params.kv_rows as usize * params.kv_stride as usize) + column as usize..],
        stride: params.kv_stride as usize,
    };
    // No row beyond the last that any token sees.
    let end = spans[..tokens].iter().map(|span| span[1]).max().unwrap_or(0) as usize;
    let seen = params.prefix_rows as usize + end;
    let of_head = seen.next_multiple_of(KEYS) * dim;
    let mut keys = Vec::new();
    for branch in 0..call.grid()[2] as usize {
        let (k, v) = (
            rows_of(branch, params.k_column, params.prefix_key),
            rows_of(branch, params.v_column, params.prefix_value),
        );
        // [kv head, row / 16, column, row % 16]
        keys.resize(kv_heads * of_head, 0.0);
        chunks(&mut keys, of_head, |head, keys| {
            for row in 0..seen {
                let places = keys[row / KEYS * dim * KEYS + row % KEYS..].iter_mut().step_by(KEYS);
                places.zip(k.at(row, head * dim, dim)).for_each(|(place, key)| *place = *key);
            }
        });
        let width = heads * dim;
        let output = &mut output[branch * tokens * width..][..tokens * width];
        chunks(output, TOKENS * width, |i, output| {
            let mut weights = Vec::new();
            for (t, output) in output.chunks_exact_mut(width).enumerate() {
                let token = i * TOKENS + t;
                let query = &query[(branch * tokens + token) * params.q_stride as usize..];
                for (head, output) in output.chunks_exact_mut(dim).enumerate() {
                    vectorized(Head {
                        query: &query[head * dim..][..dim],
                        keys: &keys[head / sharing * of_head..][..of_head],
                        values: v,
                        column: head / sharing * dim,
                        span: spans[token].map(|row| params.prefix_rows as usize + row as usize),
                        scale: params.scale,
                        softcap: params.softcap,
                        weights: &mut weights,
                        output,
                    });
                }
            }
        });
    }
    Ok(())
}

/// One head of one token.
struct Head<'a> {
    query: &'a [f32],
    /// `[row / 16, column, row % 16]`
    keys: &'a [f32],
    values: Rows<'a>,
    /// The head's first column in a row of values.
    column: usize,
    /// The rows that the token sees after those of the prefix.
    span: [usize; 2],
    scale: f32,
    softcap: f32,
    /// Scratch.
    weights: &'a mut Vec<f32>,
    output: &'a mut [f32],
}

impl Head<'_> {
    /// Appends the scores of the rows of a range to the weights.
    #[inline(always)]
    fn scores(&mut self, rows: std::ops::Range<usize>) {
        let dim = self.query.len();
        let mut row = rows.start;
        while row < rows.end {
            let block = row / KEYS;
            let mut sums = [0.0_f32; KEYS];
            for (q, keys) in self.query.iter().zip(self.keys[block * dim * KEYS..].as_chunks::<KEYS>().0) {
                for (sum, key) in sums.iter_mut().zip(keys) {
                    *sum += q * key;
                }
            }
            for sum in &mut sums {
                *sum *= self.scale;
            }
            let next = rows.end.min((block + 1) * KEYS);
            self.weights.extend_from_slice(&sums[row % KEYS..row % KEYS + next - row]);
            row = next;
        }
    }
}

impl Vectorized for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let [first, end] = self.span;
        let (prefix, column) = (self.values.prefix_rows, self.column);
        self.weights.clear();
        self.scores(0..prefix);
        self.scores(first..end);
        if self.softcap > 0.0 {
            let cap = self.softcap;
            self.weights.iter_mut().for_each(|score| *score = cap * (*score / cap).tanh());
        }
        let largest = largest(self.weights);
        self.weights.iter_mut().for_each(|score| *score = exp(*score - largest));
        let sum = sum(self.weights, |weight| weight);
        self.weights.iter_mut().for_each(|weight| *weight /= sum);
        self.output.fill(0.0);
        for (row, weight) in (0..prefix).chain(first..end).zip(self.weights.iter()) {
            let values = self.values.at(row, column, self.output.len());
            for (output, value) in self.output.iter_mut().zip(values) {
                *output += weight * value;
            }
        }
    }
}
