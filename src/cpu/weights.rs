//! Weights as branches see them. The results are bit-equal to those of the CPU references.

use half::f16;
use half::slice::HalfFloatSliceExt;

use super::random::{BLOCK, Weights};
use super::threads::{chunks, tasks};
use super::vector::{Vectorized, vectorized};
use crate::dtype::DType;
use crate::error::Result;
use crate::kernel::dequantize::Params as DequantizeParams;
use crate::kernel::materialize::Params;
use crate::kernel::storage::{from_device, group_bytes, group_len};
use crate::reference::storage::stored_as;
use crate::reference::{self, Call};

/// Vec4s that a thread writes at a time; whole groups of every format.
const CHUNK: usize = 4096;

/// Decodes stored elements, starting at `first`.
pub(super) fn decode(dtype: DType, words: &[u32], first: usize, out: &mut [f32]) {
    let bytes: &[u8] = bytemuck::cast_slice(words);
    let (len, of_group) = (group_len(dtype) as usize, group_bytes(dtype) as usize);
    if !dtype.is_quantized() {
        let size = of_group / len;
        return dtype.dequantize(&bytes[first * size..][..out.len() * size], out);
    }
    let groups = first / len..(first + out.len()).div_ceil(len);
    let file = from_device(dtype, bytes[groups.start * of_group..groups.end * of_group].to_vec());
    if first.is_multiple_of(len) && out.len().is_multiple_of(len) {
        return dtype.dequantize(&file, out);
    }
    let mut values = vec![0.0; groups.len() * len];
    dtype.dequantize(&file, &mut values);
    out.copy_from_slice(&values[first - groups.start * len..][..out.len()]);
}

/// Writes stored weights as f32. The reference handles panels.
pub(super) fn dequantize(call: &Call<'_>) -> Result<()> {
    let params: DequantizeParams = call.uniform()?;
    if params.across != 0 {
        return reference::dequantize::run(call);
    }
    let mut weights = call.output::<f32>(0)?;
    let stored = &call.input::<u32>(1)?[..];
    let dtype = stored_as(call);
    chunks(&mut weights[..4 * params.vec4s as usize], 4 * CHUNK, |i, weights| {
        decode(dtype, stored, 4 * (params.first_stored as usize + i * CHUNK), weights);
    });
    Ok(())
}

/// A range of vec4s that one thread updates and writes for every branch.
struct Range<'a> {
    first: u32,
    stored: &'a mut [u32],
    branches: Vec<&'a mut [f32]>,
}

/// Adds the pending updates, stores the sums, and writes the version that each branch sees. The reference handles panels, and
/// weights whose counters are listed.
pub(super) fn materialize(call: &Call<'_>) -> Result<()> {
    let params: Params = call.uniform()?;
    let dtype = stored_as(call);
    let rows = params.across == 0 && call.provider("counter") != Some("counter_packed");
    if !rows || !matches!(dtype, DType::F32 | DType::F16) {
        return reference::materialize::run(call);
    }
    let mut weights = call.output::<f32>(0)?;
    let mut stored = call.output::<u32>(1)?;
    let step = reference::step(&call.input::<u32>(2)?)?;
    let words = words_of(dtype, 4);
    let (vec4s, stride) = (params.vec4s as usize, params.branch_stride as usize * 4);
    let stored = &mut stored[words * params.first_stored as usize..][..words * vec4s];
    let mut ranges: Vec<Range<'_>> = (0..)
        .zip(stored.chunks_mut(words * CHUNK))
        .map(|(i, stored)| {
            let first = params.first_vec4.wrapping_add(i * CHUNK as u32);
            Range { first, stored, branches: Vec::new() }
        })
        .collect();
    for of_branch in weights.chunks_mut(stride.max(4 * vec4s)).take(params.branches as usize) {
        for (range, weights) in ranges.iter_mut().zip(of_branch[..4 * vec4s].chunks_mut(4 * CHUNK)) {
            range.branches.push(weights);
        }
    }
    let of = Weights { step: &step, dtype, ordinal: params.ordinal, decays: params.decays };
    tasks(ranges, |range| vectorized(Write { of, range }));
    Ok(())
}

/// Updates a range, stores it, and writes it for every branch.
struct Write<'a> {
    of: Weights<'a>,
    range: Range<'a>,
}

impl Vectorized for Write<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Write { of, range: Range { first, stored, mut branches } } = self;
        let words = words_of(of.dtype, BLOCK);
        for (i, stored) in stored.chunks_mut(words).enumerate() {
            let (at, count) = (i * BLOCK, stored.len() * BLOCK / words);
            let first = first.wrapping_add((at / 4) as u32);
            let mut w = [0.0; BLOCK];
            of.dtype.dequantize(bytemuck::cast_slice(stored), &mut w[..count]);
            of.update(&mut w, first);
            if of.step.header.count > 0 {
                store(of.dtype, &w[..count], stored);
            }
            of.seen(&w, first, 0..branches.len(), |b, seen| match branches[b][at..].first_chunk_mut() {
                Some(whole) if count == BLOCK => *whole = *seen,
                _ => branches[b][at..at + count].copy_from_slice(&seen[..count]),
            });
        }
    }
}

/// Number of words that store so many elements in f32 or f16.
fn words_of(dtype: DType, count: usize) -> usize {
    if dtype == DType::F32 { count } else { count / 2 }
}

/// Stores weights that have already been rounded to their format.
#[inline(always)]
fn store(dtype: DType, weights: &[f32], stored: &mut [u32]) {
    match dtype {
        DType::F16 => bytemuck::cast_slice_mut::<u32, f16>(stored).convert_from_f32_slice(weights),
        _ => stored.copy_from_slice(bytemuck::cast_slice(weights)),
    }
}
