//! Attention over many tokens. For a few tokens, the CPU reference runs instead.
//!
//! The keys of each head are first interleaved in blocks of 16, so that a query is multiplied with 16 keys at once. Each addition
//! has to wait for the previous one in the same sum, so several vectors of sums are accumulated alternately.

use pulp::{Arch, Simd, WithSimd};

use super::threads::chunks;
use super::vector::{exp, largest, sum};
use crate::error::Result;
use crate::kernel::attention::Params;
use crate::reference::{self, Call};

/// Number of keys that are interleaved.
const KEYS: usize = 16;

/// Maximum number of tokens for which the reference is faster than rearranging all keys.
const FEW_TOKENS: u32 = 4;

/// Tokens that a thread computes at a time.
const TOKENS: usize = 8;

/// The keys or the values: the rows of the prefix, followed by those of the batch.
#[derive(Clone, Copy)]
struct Rows<'a> {
    prefix: &'a [f32],
    prefix_rows: usize,
    prefix_width: usize,
    key_value: &'a [f32],
    stride: usize,
}

impl Rows<'_> {
    /// `count` elements of a row, starting at `column` of its heads.
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
    // No token sees a row at or beyond this one.
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
                    Arch::new().dispatch(Head {
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
    /// The range of rows that the token sees, apart from those of the prefix.
    span: [usize; 2],
    scale: f32,
    softcap: f32,
    /// Scratch.
    weights: &'a mut Vec<f32>,
    output: &'a mut [f32],
}

impl WithSimd for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // The number of vectors in 16 keys, the number of key blocks that are multiplied at once, and the number of value vectors.
        match S::F32_LANES {
            16 => self.run::<S, 1, 4, 2>(simd),
            8 => self.run::<S, 2, 2, 2>(simd),
            4 => self.run::<S, 4, 1, 2>(simd),
            _ => self.run::<S, 16, 1, 1>(simd),
        }
    }
}

impl Head<'_> {
    #[inline(always)]
    fn run<S: Simd, const OF_KEYS: usize, const BLOCKS: usize, const OF_VALUES: usize>(mut self, simd: S) {
        let [first, end] = self.span;
        let prefix = self.values.prefix_rows;
        self.weights.clear();
        for mut rows in [0..prefix, first..end] {
            while !rows.is_empty() {
                rows.start = match rows.end.div_ceil(KEYS) - rows.start / KEYS {
                    blocks if blocks >= BLOCKS => self.scores::<S, OF_KEYS, BLOCKS>(simd, &rows),
                    _ => self.scores::<S, OF_KEYS, 1>(simd, &rows),
                };
            }
        }
        if self.softcap > 0.0 {
            let cap = self.softcap;
            self.weights.iter_mut().for_each(|score| *score = cap * (*score / cap).tanh());
        }
        let largest = largest(self.weights);
        self.weights.iter_mut().for_each(|score| *score = exp(*score - largest));
        let sum = sum(self.weights, |weight| weight);
        self.weights.iter_mut().for_each(|weight| *weight /= sum);
        let rows = (0..prefix).chain(first..end);
        let mut column = 0;
        while column < self.output.len() {
            column += match (self.output.len() - column) / S::F32_LANES {
                vectors if vectors >= OF_VALUES => self.values::<S, OF_VALUES>(simd, rows.clone(), column),
                0 => self.value(rows.clone(), column),
                _ => self.values::<S, 1>(simd, rows.clone(), column),
            };
        }
    }

    /// Appends the scores of the first rows in `rows`, up to the end of `BLOCKS` blocks of keys, to the weights. Returns the next row.
    #[inline(always)]
    fn scores<S: Simd, const OF_KEYS: usize, const BLOCKS: usize>(
        &mut self,
        simd: S,
        rows: &std::ops::Range<usize>,
    ) -> usize {
        let (first, of_block) = (rows.start / KEYS, self.query.len() * KEYS);
        let keys = &self.keys[first * of_block..][..BLOCKS * of_block];
        let mut sums = [[simd.splat_f32s(0.0); OF_KEYS]; BLOCKS];
        for (k, q) in self.query.iter().enumerate() {
            let q = simd.splat_f32s(*q);
            for (block, sums) in sums.iter_mut().enumerate() {
                let keys = S::as_simd_f32s(&keys[block * of_block + k * KEYS..][..KEYS]).0;
                for (sum, keys) in sums.iter_mut().zip(keys) {
                    *sum = simd.mul_add_e_f32s(q, *keys, *sum);
                }
            }
        }
        let next = rows.end.min((first + BLOCKS) * KEYS);
        let mut scores = [[0.0; KEYS]; BLOCKS];
        for (scores, sums) in scores.iter_mut().zip(&sums) {
            scores.copy_from_slice(bytemuck::cast_slice(sums));
        }
        let scores = &scores.as_flattened()[rows.start % KEYS..][..next - rows.start];
        let scale = self.scale;
        self.weights.extend(scores.iter().map(|score| score * scale));
        next
    }

    /// Writes `VECTORS` vectors of the output, starting at `column`, and returns the number of columns written. Even and odd rows
    /// have separate sums.
    #[inline(always)]
    fn values<S: Simd, const VECTORS: usize>(
        &mut self,
        simd: S,
        mut rows: impl Iterator<Item = usize>,
        column: usize,
    ) -> usize {
        let columns = VECTORS * S::F32_LANES;
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; 2];
        for weights in self.weights.chunks(2) {
            for ((sums, weight), row) in sums.iter_mut().zip(weights).zip(&mut rows) {
                let weight = simd.splat_f32s(*weight);
                let values = S::as_simd_f32s(self.values.at(row, self.column + column, columns)).0;
                for (sum, values) in sums.iter_mut().zip(values) {
                    *sum = simd.mul_add_e_f32s(weight, *values, *sum);
                }
            }
        }
        let [mut even, odd] = sums;
        for (even, odd) in even.iter_mut().zip(odd) {
            *even = simd.add_f32s(*even, odd);
        }
        self.output[column..][..columns].copy_from_slice(bytemuck::cast_slice(&even));
        columns
    }

    /// Writes one column of the output, for a head that is narrower than a vector, or for the columns left over.
    #[inline(always)]
    fn value(&mut self, rows: impl Iterator<Item = usize>, column: usize) -> usize {
        let mut sums = [0.0; 2];
        for (i, (row, weight)) in rows.zip(self.weights.iter()).enumerate() {
            sums[i % 2] += weight * self.values.at(row, self.column + column, 1)[0];
        }
        self.output[column] = sums[0] + sums[1];
        1
    }
}
