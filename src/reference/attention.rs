//! CPU reference of `shaders/attention.wgsl`.

use super::Call;
use super::softcap::softcap;
use crate::error::Result;
use crate::kernel::attention::{Params, Relative};

/// `output[b, t, h] = softmax(softcap(scale * q k^T) + distances) v` over the rows of the prefix and the keys in the token's span.
pub(crate) fn run(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let head_dim = call.constant("HEAD_DIM").unwrap_or(1) as usize;
    let query = call.input::<f32>(0)?;
    let key_value = call.input::<f32>(1)?;
    let spans = call.input::<[u32; 2]>(2)?;
    let prefix = call.input::<f32>(3)?;
    let distances = call.input::<f32>(4)?;
    let relative = Relative::of(call.constant("RELATIVE"));
    let mut output = call.output::<f32>(5)?;
    let (tokens, heads) = (params.tokens as usize, params.heads as usize);
    let sharing = heads / params.kv_heads as usize;
    let branches = call.grid()[2] as usize;
    let mut weights = Vec::new();
    for (i, output) in output.chunks_exact_mut(head_dim).take(branches * tokens * heads).enumerate() {
        let (row, head) = (i / heads, i % heads);
        let (branch, token) = (row / tokens, row % tokens);
        let q = &query[row * params.q_stride as usize + head * head_dim..][..head_dim];
        let [first, end] = spans[token];
        let column = head / sharing * head_dim;
        let in_span = |key: u32, of: u32| {
            let row = branch * params.kv_rows as usize + key as usize;
            &key_value[row * params.kv_stride as usize + of as usize + column..][..head_dim]
        };
        let in_prefix = |key: u32, of: u32| {
            let row = key as usize * params.kv_heads as usize * head_dim;
            &prefix[branch * params.prefix_stride as usize + of as usize + row + column..][..head_dim]
        };
        // The key and value of each row that the token sees.
        let rows = (params.first_in_prefix(spans[token])..params.prefix_rows)
            .map(|key| (in_prefix(key, params.prefix_key), in_prefix(key, params.prefix_value)))
            .chain((first..end).map(|key| (in_span(key, params.k_column), in_span(key, params.v_column))));
        weights.clear();
        weights.extend(rows.clone().map(|(k, _)| {
            let score = params.scale * q.iter().zip(k).map(|(q, k)| q * k).sum::<f32>();
            if params.softcap > 0.0 { softcap(score, params.softcap) } else { score }
        }));
        // There is no prefix beside relative positions.
        for (key, score) in (first..end).zip(&mut weights).filter(|_| relative != Relative::None) {
            let row = branch * params.distances() + params.distance(token, key as usize);
            if relative == Relative::Bias {
                *score += distances[row * heads + head];
                continue;
            }
            let [of_query, of_key] =
                [0, heads].map(|part| &distances[(2 * row * heads + part + head) * head_dim..][..head_dim]);
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
            *score += params.scale * (dot(q, of_key) + dot(in_span(key, params.k_column), of_query));
        }
        let largest = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        weights.iter_mut().for_each(|weight| *weight = (*weight - largest).exp());
        let sum: f32 = weights.iter().sum();
        output.fill(0.0);
        for ((_, v), weight) in rows.zip(&weights) {
            for (output, v) in output.iter_mut().zip(v) {
                *output += weight / sum * v;
            }
        }
    }
    Ok(())
}
