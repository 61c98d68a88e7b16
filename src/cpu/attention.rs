//! Attention over many tokens. For a few tokens, the CPU reference runs instead.
//!
//! The keys of each head are first interleaved in blocks of 16, so that a query is multiplied with 16 keys at once. Several tokens
//! whose spans begin at the same row are computed together, so that each key and each value is read once for all of them. A token's
//! sums have the same order in any group: rows that a token does not see have a weight of 0.

use std::array::from_fn;
use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::threads::chunks;
use super::vector::{dot, exp, largest, sum};
use crate::error::Result;
use crate::kernel::attention::{Params, Relative};
use crate::reference::{self, Call};

/// Number of keys that are interleaved.
const KEYS: usize = 16;

/// Maximum number of tokens for which the reference is faster than rearranging all keys.
const FEW_TOKENS: u32 = 4;

/// Tokens that a thread computes at a time.
const TOKENS: usize = 8;

/// Tokens that are computed together.
const GROUP: usize = 4;

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

/// `output[b, t, h] = softmax(softcap(scale * q k^T) + distances) v` over the rows of the prefix and the keys in the token's span.
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
    let distances = &call.input::<f32>(4)?[..];
    let relative = Relative::of(call.constant("RELATIVE"));
    let mut output = call.output::<f32>(5)?;
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
            let (mut first, mut output) = (i * TOKENS, output);
            while !output.is_empty() {
                let spans = &spans[first..first + output.len() / width];
                let seen = |span: &[u32; 2]| (span[0], params.first_in_prefix(*span));
                let together = spans.iter().take_while(|span| seen(span) == seen(&spans[0])).count();
                let group = if together < GROUP { 1 } else { GROUP };
                let (of_group, rest) = output.split_at_mut(group * width);
                for head in 0..heads {
                    Arch::new().dispatch(Head {
                        query: &query[(branch * tokens + first) * params.q_stride as usize + head * dim..],
                        query_stride: params.q_stride as usize,
                        dim,
                        keys: &keys[head / sharing * of_head..][..of_head],
                        values: v,
                        column: head / sharing * dim,
                        prefix: params.first_in_prefix(spans[0]) as usize..params.prefix_rows as usize,
                        spans: &spans[..group],
                        scale: params.scale,
                        softcap: params.softcap,
                        distances: Distances {
                            params: &params,
                            relative,
                            values: distances,
                            branch,
                            head,
                            first,
                            keys: k,
                        },
                        weights: &mut weights,
                        output: &mut of_group[head * dim..],
                        output_stride: width,
                    });
                }
                (first, output) = (first + group, rest);
            }
        });
    }
    Ok(())
}

/// What one head adds to scores for the distances of keys from queries, if there are relative positions.
#[derive(Clone, Copy)]
struct Distances<'a> {
    params: &'a Params,
    relative: Relative,
    /// `[branch, distance]`: the biases of the heads, or the queries and then the keys of the heads.
    values: &'a [f32],
    branch: usize,
    head: usize,
    /// The first token that is computed.
    first: usize,
    keys: Rows<'a>,
}

impl Distances<'_> {
    /// Adds to the scores of a token with consecutive keys from `key` on.
    #[inline(always)]
    fn add_to(&self, scores: &mut [f32], query: &[f32], token: usize, key: usize) {
        let (heads, dim) = (self.params.heads as usize, query.len());
        let width = match self.relative {
            Relative::None => return,
            Relative::Bias => heads,
            Relative::Disentangled => 2 * heads * dim,
        };
        let first = self.branch * self.params.distances() + self.params.distance(self.first + token, key);
        let rows = self.values[first * width..].chunks_exact(width);
        for (i, (score, row)) in scores.iter_mut().zip(rows).enumerate() {
            *score += match self.relative {
                Relative::Disentangled => {
                    let [of_query, of_key] = [0, heads].map(|part| &row[(part + self.head) * dim..][..dim]);
                    let column = self.head / (heads / self.params.kv_heads as usize) * dim;
                    let key = self.keys.at(self.keys.prefix_rows + key + i, column, dim);
                    self.params.scale * (dot(query, of_key) + dot(key, of_query))
                }
                _ => row[self.head],
            };
        }
    }
}

/// One head of a token, or of `GROUP` tokens that see the same rows of the prefix, and whose spans begin at the same row.
struct Head<'a> {
    query: &'a [f32],
    query_stride: usize,
    dim: usize,
    /// `[row / 16, column, row % 16]`
    keys: &'a [f32],
    values: Rows<'a>,
    /// The head's first column in a row of values.
    column: usize,
    /// The rows of the prefix that the tokens see.
    prefix: Range<usize>,
    /// For each token, the range of rows that it sees, apart from those of the prefix.
    spans: &'a [[u32; 2]],
    scale: f32,
    softcap: f32,
    distances: Distances<'a>,
    /// Scratch `[token, row]`.
    weights: &'a mut Vec<f32>,
    output: &'a mut [f32],
    output_stride: usize,
}

impl WithSimd for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.spans.len() {
            GROUP => self.of_tokens::<S, GROUP>(simd),
            _ => self.of_tokens::<S, 1>(simd),
        }
    }
}

impl Head<'_> {
    #[inline(always)]
    fn of_tokens<S: Simd, const TOKENS: usize>(self, simd: S) {
        // The number of vectors in 16 keys, the number of key blocks that are multiplied at once, and the number of value vectors.
        match S::F32_LANES {
            16 => self.run::<S, TOKENS, 1, 2, 2>(simd),
            8 => self.run::<S, TOKENS, 2, 1, 1>(simd),
            4 => self.run::<S, TOKENS, 4, 1, 1>(simd),
            _ => self.run::<S, TOKENS, 16, 1, 1>(simd),
        }
    }

    #[inline(always)]
    fn run<
        S: Simd,
        const TOKENS: usize,
        const OF_KEYS: usize,
        const BLOCKS: usize,
        const OF_VALUES: usize,
    >(
        mut self,
        simd: S,
    ) {
        let prefix = self.values.prefix_rows;
        let first = prefix + self.spans[0][0] as usize;
        let end = prefix + self.spans.iter().map(|span| span[1] as usize).max().unwrap_or(0);
        let segments = [self.prefix.clone(), first..end.max(first)];
        let count: usize = segments.iter().map(Range::len).sum();
        self.weights.resize(TOKENS * count, 0.0);
        let mut at = 0;
        for mut rows in segments.clone() {
            while !rows.is_empty() {
                let next = match rows.end.div_ceil(KEYS) - rows.start / KEYS {
                    blocks if blocks >= BLOCKS => {
                        self.scores::<S, TOKENS, OF_KEYS, BLOCKS>(simd, &rows, at, count)
                    }
                    _ => self.scores::<S, TOKENS, OF_KEYS, 1>(simd, &rows, at, count),
                };
                at += next - rows.start;
                rows.start = next;
            }
        }
        for (token, (weights, span)) in
            self.weights.chunks_exact_mut(count.max(1)).zip(self.spans).enumerate()
        {
            let (seen, unseen) = weights.split_at_mut(count + span[1] as usize + prefix - end.max(first));
            if self.softcap > 0.0 {
                let cap = self.softcap;
                seen.iter_mut().for_each(|score| *score = cap * (*score / cap).tanh());
            }
            let query = &self.query[token * self.query_stride..][..self.dim];
            self.distances.add_to(seen, query, token, span[0] as usize);
            let largest = largest(seen);
            seen.iter_mut().for_each(|score| *score = exp(*score - largest));
            let sum = sum(seen, |weight| weight);
            seen.iter_mut().for_each(|weight| *weight /= sum);
            unseen.fill(0.0);
        }
        let [prefix, seen] = segments;
        let rows = prefix.chain(seen);
        let mut column = 0;
        while column < self.dim {
            column += match (self.dim - column) / S::F32_LANES {
                vectors if vectors >= OF_VALUES => {
                    self.values::<S, TOKENS, OF_VALUES>(simd, rows.clone(), column, count)
                }
                0 => self.value(rows.clone(), column, count),
                _ => self.values::<S, TOKENS, 1>(simd, rows.clone(), column, count),
            };
        }
    }

    /// Writes the scores of the first rows in `rows`, up to the end of `BLOCKS` blocks of keys, to the weights, whose rows have
    /// `count` elements, from column `at` on. Returns the next row.
    #[inline(always)]
    fn scores<S: Simd, const TOKENS: usize, const OF_KEYS: usize, const BLOCKS: usize>(
        &mut self,
        simd: S,
        rows: &Range<usize>,
        at: usize,
        count: usize,
    ) -> usize {
        let (first, of_block) = (rows.start / KEYS, self.dim * KEYS);
        let keys: [_; BLOCKS] = from_fn(|block| &self.keys[(first + block) * of_block..][..of_block]);
        let queries: [_; TOKENS] = from_fn(|token| &self.query[token * self.query_stride..][..self.dim]);
        let mut sums = [[[simd.splat_f32s(0.0); OF_KEYS]; BLOCKS]; TOKENS];
        for k in 0..self.dim {
            let keys = keys.map(|keys| S::as_simd_f32s(&keys[k * KEYS..][..KEYS]).0);
            for (sums, query) in sums.iter_mut().zip(queries) {
                let q = simd.splat_f32s(query[k]);
                for (sums, keys) in sums.iter_mut().zip(keys) {
                    for (sum, keys) in sums.iter_mut().zip(keys) {
                        *sum = simd.mul_add_e_f32s(q, *keys, *sum);
                    }
                }
            }
        }
        let next = rows.end.min((first + BLOCKS) * KEYS);
        let scale = self.scale;
        for (token, sums) in sums.iter().enumerate() {
            let mut scores = [[0.0; KEYS]; BLOCKS];
            for (scores, sums) in scores.iter_mut().zip(sums) {
                scores.copy_from_slice(bytemuck::cast_slice(sums));
            }
            let scores = &scores.as_flattened()[rows.start % KEYS..][..next - rows.start];
            let weights = &mut self.weights[token * count + at..];
            weights.iter_mut().zip(scores).for_each(|(weight, score)| *weight = score * scale);
        }
        next
    }

    /// Writes `VECTORS` vectors of the output, starting at `column`, and returns the number of columns written. Even and odd rows
    /// have separate sums.
    #[inline(always)]
    fn values<S: Simd, const TOKENS: usize, const VECTORS: usize>(
        &mut self,
        simd: S,
        rows: impl Iterator<Item = usize>,
        column: usize,
        count: usize,
    ) -> usize {
        let columns = VECTORS * S::F32_LANES;
        let weights: [_; TOKENS] = from_fn(|token| &self.weights[token * count..][..count]);
        let mut sums = [[[simd.splat_f32s(0.0); VECTORS]; TOKENS]; 2];
        let mut rows = rows.enumerate();
        let mut left = true;
        while left {
            for sums in &mut sums {
                let Some((i, row)) = rows.next() else {
                    left = false;
                    break;
                };
                let values = S::as_simd_f32s(self.values.at(row, self.column + column, columns)).0;
                for (sums, weights) in sums.iter_mut().zip(weights) {
                    let weight = simd.splat_f32s(weights[i]);
                    for (sum, values) in sums.iter_mut().zip(values) {
                        *sum = simd.mul_add_e_f32s(weight, *values, *sum);
                    }
                }
            }
        }
        let [even, odd] = sums;
        for (token, (mut even, odd)) in even.into_iter().zip(odd).enumerate() {
            for (even, odd) in even.iter_mut().zip(odd) {
                *even = simd.add_f32s(*even, odd);
            }
            let output = &mut self.output[token * self.output_stride + column..][..columns];
            output.copy_from_slice(bytemuck::cast_slice(&even));
        }
        columns
    }

    /// Writes one column of the output, for a head that is narrower than a vector, or for the columns left over.
    #[inline(always)]
    fn value(&mut self, rows: impl Iterator<Item = usize> + Clone, column: usize, count: usize) -> usize {
        for token in 0..self.spans.len() {
            let mut sums = [0.0; 2];
            for (i, (row, weight)) in rows.clone().zip(&self.weights[token * count..]).enumerate() {
                sums[i % 2] += weight * self.values.at(row, self.column + column, 1)[0];
            }
            self.output[token * self.output_stride + column] = sums[0] + sums[1];
        }
        1
    }
}
