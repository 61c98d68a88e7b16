//! A run's random numbers, specified exactly, so that another program can draw the same ones.
//!
//! The generator is Threefry-2x32 with 13 rounds ([`crate::rng::threefry2x32`]).
//!
//! - *Stream key*: `key = threefry(key = (seed's low word, seed's high word), counter = (step, stream))`. The stream of a direction
//!   is the index of its probe. The other streams are listed here, with the number that replaces the step in parentheses:
//!   - `0x8000_0000`: the order of the data (epoch)
//!   - `0x8000_0001`: sampling (index of the generated token)
//!   - `0x8000_0002`: the rounding of updates (step)
//!   - `0x8000_0003`: the tokens that initialize a prefix (0)
//!   - `0x8000_0004`: LoRA's initial A (0)
//!   - `0x8000_0005`: the signs of V in low-rank directions (window)
//!   - `0x8000_0006`: the rounding when the sum of a window is merged (window)
//!   - `0x8000_0007`: a draw of rows from a file (0)
//! - *Direction*: element `e` (row-major, as the device holds it: a matrix is `[outputs, inputs]`, also where a checkpoint stores
//!   the transpose, as those of GPT-2 do) of the tensor with ordinal `o`, its place in the family's [`crate::model::TensorList`],
//!   uses lane `e mod 4` of `(x0, x1) = threefry(key, counter = (e div 4, o))`. The lanes are the
//!   low half of x0, its high half, the low half of x1, and its high half.
//! - *Gaussian*: bit 15 of a lane's 16 bits is the sign (set for negative), and bits 0 to 10 are an
//!   index into a table of 2048 half-normal quantiles, `Phi^-1(1/2 + (i + 1/2) / 4096)`, scaled to
//!   unit variance (`quantiles.bin`, f32 little-endian).
//! - *Rademacher*: bit 15 is the sign, and every entry of the table is 1.
//! - *Low rank*: the direction of a matrix `[rows, width]` is U V^T. U `[rows, rank]` is drawn as
//!   above, with the ordinal of the matrix's B ([`crate::model::AdapterSpec`]). Element e of V^T
//!   `[rank, width]` is the sign of lane `e mod 4` at counter `(e div 4, ordinal of A)`.
//! - *Rounding to f16* ([`crate::rng::stochastic_half`]): the 16 bits of the lane are the random
//!   bits of an element.
//! - *Scaling*: the host multiplies the table by epsilon, or by the coefficient of the update, in
//!   f32. Results below 1e-30 in magnitude become zero. Devices only add: `w + scaled z`, rounded
//!   once, where no value can be subnormal.
//! - *Order of the data*: the permutation of epoch k is a Fisher-Yates shuffle,
//!   `for i in (1..n).rev() { swap(i, r mod (i + 1)) }`, where r are the words x0, x1 of
//!   `threefry(key, counter = (block, 0))` for block 0, 1, ... The concatenated epochs are split
//!   into batches. A draw of rows is the beginning of such a permutation.
//! - *Order with labels spread evenly*: the m rows of a label keep their order in the permutation. Their row j, from 0, moves to
//!   the place `(j + u) / m` of the epoch, where u is the place in the permutation of the label's first row in the data, divided by
//!   n. Rows with equal places keep the order of the permutation. With one label this is the permutation itself.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::names::names;
use crate::rng::{QUANTILES, Table, direction, threefry2x32};

/// Stream of the order of the data.
const ORDER: u32 = 0x8000_0000;

/// Stream of sampled tokens.
const SAMPLING: u32 = 0x8000_0001;

/// Stream of the random bits for the rounding of updates.
const ROUNDING: u32 = 0x8000_0002;

/// Stream of the tokens that initialize a prefix.
const PREFIX: u32 = 0x8000_0003;

/// Stream of LoRA's initial A.
const LORA: u32 = 0x8000_0004;

/// Stream of the signs of low-rank directions.
const SIGNS: u32 = 0x8000_0005;

/// Stream of the random bits for the rounding of merged sums.
const MERGING: u32 = 0x8000_0006;

/// Stream of a draw of rows.
const SAMPLE: u32 = 0x8000_0007;

/// Scaled quantiles below this magnitude become zero, so that no sum of normal weights is
/// subnormal.
const SMALLEST: f32 = 1e-30;

/// The key of a step's stream.
pub fn stream_key(seed: u64, step: u32, stream: u32) -> [u32; 2] {
    threefry2x32([seed as u32, (seed >> 32) as u32], [step, stream])
}

/// The key for sampling token number `index` of a generated text.
pub fn sampling_key(seed: u64, index: u32) -> [u32; 2] {
    stream_key(seed, index, SAMPLING)
}

/// The key for rounding the updates of a step.
pub fn rounding_key(seed: u64, step: u32) -> [u32; 2] {
    stream_key(seed, step, ROUNDING)
}

/// The key for rounding the merged sum of a window.
pub fn merging_key(seed: u64, window: u32) -> [u32; 2] {
    stream_key(seed, window, MERGING)
}

/// The distribution of a direction's elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Distribution {
    /// The normal distribution, quantized to 4096 values.
    #[default]
    Gaussian,
    /// 1 or -1 with equal probability.
    Rademacher,
}

names!(Distribution: Gaussian = "gaussian", Rademacher = "rademacher");

/// The tokens, with ids below `vocabulary`, whose keys and values initialize a prefix.
pub fn prefix_tokens(seed: u64, count: u32, vocabulary: u32) -> Vec<u32> {
    let key = stream_key(seed, 0, PREFIX);
    (0..count).map(|i| threefry2x32(key, [i, 0])[0] % vocabulary.max(1)).collect()
}

/// LoRA's initial A with this ordinal, uniform in +/- 1 / sqrt(width) as in peft. Each element uses
/// 24 random bits, from the word x0 at counter (element, ordinal).
pub fn lora_a(seed: u64, ordinal: u32, rows: u32, width: u32) -> Vec<f32> {
    let key = stream_key(seed, 0, LORA);
    let bound = 1.0 / f64::from(width).sqrt();
    let value = |i| f64::from(threefry2x32(key, [i, ordinal])[0] >> 8) / f64::from(1 << 24);
    (0..rows * width).map(|i| ((2.0 * value(i) - 1.0) * bound) as f32).collect()
}

/// The signs V^T `[rank, width]` of a window's low-rank directions, row-major.
pub fn signs(seed: u64, window: u32, ordinal: u32, rank: u32, width: u32) -> Vec<f32> {
    let key = stream_key(seed, window, SIGNS);
    let vectors =
        (0..(rank * width).div_ceil(4)).flat_map(|block| direction(key, [block, ordinal], &[1.0; QUANTILES]));
    vectors.take((rank * width) as usize).collect()
}

/// The order in which rows are drawn from a file of `n` rows.
pub fn sample_order(seed: u64, n: usize) -> Vec<usize> {
    shuffled(stream_key(seed, 0, SAMPLE), n)
}

/// The table of half-normal quantiles with unit variance.
pub fn quantiles() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let bytes: &[u8; QUANTILES * 4] = include_bytes!("quantiles.bin");
        let (words, _) = bytes.as_chunks::<4>();
        std::array::from_fn(|i| f32::from_le_bytes(words[i]))
    })
}

/// The table of a distribution, multiplied by `factor`.
pub fn scaled(distribution: Distribution, factor: f32) -> Table {
    let scale = |magnitude: f32| {
        let scaled = factor * magnitude;
        if scaled.abs() < SMALLEST { 0.0 } else { scaled }
    };
    match distribution {
        Distribution::Gaussian => quantiles().map(scale),
        Distribution::Rademacher => [scale(1.0); QUANTILES],
    }
}

/// The order of `n` examples in epoch number `epoch`.
pub fn permutation(seed: u64, epoch: u32, n: usize) -> Vec<usize> {
    shuffled(stream_key(seed, epoch, ORDER), n)
}

fn shuffled(key: [u32; 2], n: usize) -> Vec<usize> {
    let mut words = (0_u32..).flat_map(|block| threefry2x32(key, [block, 0]));
    let mut order: Vec<usize> = (0..n).collect();
    for i in (1..n).rev() {
        let word = words.next().unwrap_or_default();
        order.swap(i, word as usize % (i + 1));
    }
    order
}

/// A permutation of rows with their labels spread evenly, so that every batch has about the label proportions of the whole data.
fn spread(permutation: &[usize], labels: &[u32]) -> Vec<usize> {
    struct Label {
        offset: u128,
        rows: u128,
        taken: u128,
    }
    let n = permutation.len() as u128;
    let mut places = vec![0_u128; labels.len()];
    for (place, &row) in (0..).zip(permutation) {
        places[row] = place;
    }
    let mut by_label: HashMap<u32, Label> = HashMap::new();
    for (&label, &place) in labels.iter().zip(&places) {
        by_label.entry(label).or_insert(Label { offset: place, rows: 0, taken: 0 }).rows += 1;
    }
    // A row's place in the epoch, times n, as a fraction.
    let mut keyed = Vec::with_capacity(permutation.len());
    for &row in permutation {
        if let Some(label) = by_label.get_mut(&labels[row]) {
            keyed.push((row, label.taken * n + label.offset, label.rows));
            label.taken += 1;
        }
    }
    keyed.sort_by(|(_, place, rows), (_, other, of)| (place * of).cmp(&(other * rows)));
    keyed.into_iter().map(|(row, ..)| row).collect()
}

/// How the examples of a run are ordered.
#[derive(Clone, Debug)]
enum Kind {
    AsGiven,
    Shuffled(u64),
    /// Shuffled, with the labels spread evenly.
    Balanced(u64, Vec<u32>),
}

/// Selects the examples of each step's batch. It stores the order of the current epoch.
#[derive(Clone, Debug)]
pub struct Order {
    kind: Kind,
    examples: usize,
    epoch: Option<(u32, Vec<usize>)>,
}

impl Order {
    /// Creates the order of `examples` examples, at least one: shuffled with a seed in every epoch or, without a seed, in the given
    /// order.
    pub fn new(seed: Option<u64>, examples: usize) -> Self {
        let kind = seed.map_or(Kind::AsGiven, Kind::Shuffled);
        Order { kind, examples: examples.max(1), epoch: None }
    }

    /// Creates the order of examples with these labels: shuffled in every epoch, with the labels spread evenly.
    pub fn balanced(seed: u64, labels: Vec<u32>) -> Self {
        match labels.len() {
            0 => Order::new(Some(seed), 0),
            examples => Order { kind: Kind::Balanced(seed, labels), examples, epoch: None },
        }
    }

    /// The indices of the examples in the batch of step `step`.
    pub fn batch(&mut self, step: u32, batch_size: usize) -> Vec<usize> {
        let first = u64::from(step) * batch_size as u64;
        (first..first + batch_size as u64)
            .map(|i| {
                let (epoch, at) = (i / self.examples as u64, (i % self.examples as u64) as usize);
                self.epoch(epoch as u32)[at]
            })
            .collect()
    }

    fn epoch(&mut self, epoch: u32) -> &[usize] {
        if self.epoch.as_ref().is_none_or(|(at, _)| *at != epoch) {
            self.epoch = None;
        }
        let (kind, examples) = (&self.kind, self.examples);
        let order = || match kind {
            Kind::AsGiven => (0..examples).collect(),
            Kind::Shuffled(seed) => permutation(*seed, epoch, examples),
            Kind::Balanced(seed, labels) => spread(&permutation(*seed, epoch, examples), labels),
        };
        &self.epoch.get_or_insert_with(|| (epoch, order())).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_unit_variance_and_rises() {
        let table = quantiles();
        let variance = table.iter().map(|q| f64::from(*q).powi(2)).sum::<f64>() / QUANTILES as f64;
        assert!((variance - 1.0).abs() < 1e-6, "{variance}");
        assert!(table.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(table[0] > 0.0);
    }

    #[test]
    fn every_epoch_visits_every_example_once() {
        let mut order = Order::new(Some(7), 10);
        for epoch in 0..3 {
            let mut seen: Vec<usize> = (0..5).flat_map(|step| order.batch(epoch * 5 + step, 2)).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..10).collect::<Vec<_>>());
        }
    }

    #[test]
    fn labels_are_spread_over_every_batch() {
        // 70 rows of one label, 25 of another, 4 and 1 of two more.
        let labels: Vec<u32> = (0..100)
            .map(|i| [(70, 0), (95, 1), (99, 2), (100, 3)].iter().find(|l| i < l.0).unwrap().1)
            .collect();
        for seed in 0..20 {
            let mut order = Order::balanced(seed, labels.clone());
            for step in 0..5 {
                let batch = order.batch(step, 20);
                let count = |label| batch.iter().filter(|row| labels[**row] == label).count();
                assert!(
                    (13..=15).contains(&count(0)) && (4..=6).contains(&count(1)) && count(2) <= 2,
                    "{seed} {step}"
                );
            }
        }
    }

    #[test]
    fn one_label_is_shuffled_as_ever() {
        let (mut order, mut balanced) = (Order::new(Some(3), 17), Order::balanced(3, vec![5; 17]));
        for step in 0..9 {
            assert_eq!(order.batch(step, 4), balanced.batch(step, 4));
        }
        assert_eq!(Order::balanced(3, Vec::new()).batch(0, 2), [0, 0]);
    }

    #[test]
    fn batches_go_on_over_the_end_of_an_epoch() {
        let mut order = Order::new(Some(7), 3);
        let all: Vec<usize> = (0..6).flat_map(|step| order.batch(step, 4)).collect();
        for epoch in all.chunks(3) {
            let mut sorted = epoch.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2]);
        }
    }
}
