//! Rotary positions: their frequencies, and the table of rotations that the kernel reads.
//!
//! The first `dim` columns of every query and key head are rotated in pairs (i, i + dim / 2), or (2i, 2i + 1), by position * f_i,
//! where f_i = theta^(-2i / dim) (Su et al. 2021, arXiv 2104.09864). Models that were extended to longer texts scale the f_i.

use std::rc::Rc;

/// The rotary positions of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotary {
    /// Base of the frequencies.
    pub theta: f32,
    /// `dim` in the frequencies: usually the number of rotated columns of a head.
    pub dim: u32,
    /// Whether the columns of a pair are adjacent, (2i, 2i + 1), instead of half the rotated columns apart.
    pub adjacent: bool,
    /// How the frequencies are scaled.
    pub scaling: RotaryScaling,
}

/// The scaling of frequencies for texts that are longer than those of the pretraining.
#[derive(Clone, Debug, PartialEq)]
pub enum RotaryScaling {
    /// No scaling.
    None,
    /// All frequencies are divided by a factor.
    Linear {
        /// The factor.
        factor: f32,
    },
    /// Llama 3.1's scaling: low frequencies are divided by a factor, high ones are unchanged, and those in between are interpolated.
    Llama3 {
        /// The factor.
        factor: f32,
        /// A frequency is low if it makes fewer than this many turns in `original` positions.
        low: f32,
        /// A frequency is high if it makes more than this many turns in `original` positions.
        high: f32,
        /// The longest text of the pretraining, in tokens.
        original: u32,
    },
    /// YaRN (Peng et al. 2023, arXiv 2309.00071): as Llama 3's, but interpolated over the pairs instead of over the frequencies.
    Yarn {
        /// The factor.
        factor: f32,
        /// Turns in `original` positions above which a frequency is unchanged.
        fast: f32,
        /// Turns in `original` positions below which a frequency is divided by the factor.
        slow: f32,
        /// The longest text of the pretraining, in tokens.
        original: u32,
        /// Whether the bounds between pairs are rounded to whole pairs.
        truncate: bool,
        /// The factor of cosines and sines.
        attention: f32,
    },
    /// LongRoPE (Ding et al. 2024, arXiv 2402.13753): each frequency is divided by its own factor, with different factors for
    /// sequences that are longer than those of the pretraining.
    LongRope {
        /// The factors for sequences of at most `original` tokens, `[dim / 2]`.
        short: Rc<[f32]>,
        /// The factors for longer sequences, `[dim / 2]`.
        long: Rc<[f32]>,
        /// The longest text of the pretraining, in tokens.
        original: u32,
        /// The factor of cosines and sines.
        attention: f32,
    },
}

impl Rotary {
    /// Rotated columns of a head. An odd number is rounded up, since columns are rotated in pairs.
    pub fn columns(&self) -> u32 {
        self.dim.next_multiple_of(2)
    }

    /// The length beyond which sequences use other frequencies, if there is one.
    pub fn long_beyond(&self) -> Option<u32> {
        match self.scaling {
            RotaryScaling::LongRope { original, .. } => Some(original),
            _ => None,
        }
    }

    /// f_i for each pair, in radians per position. `long` selects the frequencies of sequences longer than those of the pretraining.
    pub fn frequencies(&self, long: bool) -> Vec<f32> {
        let (dim, theta) = (f64::from(self.dim), f64::from(self.theta));
        // `turns`: the number of turns that a pair makes in `positions` positions. `pair_of` is its inverse: the (fractional) pair
        // that makes `turns` turns.
        let turns = |frequency: f64, positions: u32| f64::from(positions) * frequency / std::f64::consts::TAU;
        let pair_of = |turns: f32, positions: u32| {
            let frequency = f64::from(turns) * std::f64::consts::TAU / f64::from(positions);
            -dim * frequency.ln() / (2.0 * theta.ln())
        };
        let scaled = |pair: u32| {
            let frequency = theta.powf(-2.0 * f64::from(pair) / dim);
            match &self.scaling {
                RotaryScaling::None => frequency,
                RotaryScaling::Linear { factor } => frequency / f64::from(*factor),
                &RotaryScaling::Llama3 { factor, low, high, original } => {
                    let (low, high) = (f64::from(low), f64::from(high));
                    let kept = ((turns(frequency, original) - low) / (high - low)).clamp(0.0, 1.0);
                    frequency * (kept + (1.0 - kept) / f64::from(factor))
                }
                &RotaryScaling::Yarn { factor, fast, slow, original, truncate, .. } => {
                    let (first, last) = (pair_of(fast, original), pair_of(slow, original));
                    let (first, last) = if truncate { (first.floor(), last.ceil()) } else { (first, last) };
                    let (first, last) = (first.max(0.0), last.min(dim - 1.0));
                    let span = if first == last { 0.001 } else { last - first };
                    let divided = ((f64::from(pair) - first) / span).clamp(0.0, 1.0);
                    frequency * (1.0 - divided + divided / f64::from(factor))
                }
                RotaryScaling::LongRope { short, long: beyond, .. } => {
                    let factors = if long { beyond } else { short };
                    frequency / f64::from(factors[pair as usize])
                }
            }
        };
        (0..self.columns() / 2).map(|pair| scaled(pair) as f32).collect()
    }

    /// The factor of cosines and sines.
    pub fn attention_factor(&self) -> f32 {
        match self.scaling {
            RotaryScaling::Yarn { attention, .. } | RotaryScaling::LongRope { attention, .. } => attention,
            _ => 1.0,
        }
    }

    /// (cos, sin) of positions 0.. and pairs, `[positions, dim / 2]`. If long sequences have other frequencies and `positions`
    /// exceeds the original length, their rows follow. The angles are rounded to f32 as in transformers; their cosines and sines
    /// are computed in f64, since a GPU's are too inaccurate at large positions.
    pub fn table(&self, positions: u32) -> Vec<[f32; 2]> {
        let factor = f64::from(self.attention_factor());
        let turn = |position: u32, frequency: &f32| {
            let angle = f64::from(position as f32 * frequency);
            [(angle.cos() * factor) as f32, (angle.sin() * factor) as f32]
        };
        let part = |long: bool| {
            let frequencies = self.frequencies(long);
            (0..positions)
                .flat_map(|position| frequencies.iter().map(|f| turn(position, f)).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        let mut table = part(false);
        if self.long_beyond().is_some_and(|short| positions > short) {
            table.extend(part(true));
        }
        table
    }
}
