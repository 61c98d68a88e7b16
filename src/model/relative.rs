//! Relative positions: scores of attention that depend on the distance of a key from a query.

use super::tensors::{Norm, TensorId};
use crate::error::Result;
use crate::gpu::{Backend, Buffer, MemoryClass};
use crate::kernel::panels::PANEL;

/// How scores depend on the distance of a key from a query. The distances are grouped in buckets, each of which has a row in a table
/// that all layers share.
#[derive(Clone, Copy, Debug)]
pub enum RelativePositions {
    /// Each head adds a bias to the score, as in T5 (Raffel et al. 2020, arXiv 1910.10683). Half of the buckets are for keys after the
    /// query. On each side, half of the buckets are for one distance each, and the others for ranges that grow logarithmically.
    Bias {
        /// `[at least BUCKETS, heads]`.
        table: TensorId,
    },
    /// Disentangled attention (He et al. 2020, arXiv 2006.03654).
    Disentangled(Disentangled),
}

/// Disentangled attention: the table has embeddings of distances, from which each layer computes queries and keys as from hidden
/// states. The score of a key adds the products of the query with the distance's key, and of the key with the distance's query.
#[derive(Clone, Copy, Debug)]
pub struct Disentangled {
    /// `[2 * span, hidden]`: row `span` is for the distance 0.
    pub table: TensorId,
    /// Applied to the rows.
    pub norm: Option<Norm>,
    /// Number of buckets on each side.
    pub span: u32,
    /// If distances from half of the span on share buckets, whose ranges grow logarithmically, the number of positions that they
    /// are made for.
    pub positions: Option<u32>,
}

impl RelativePositions {
    /// Number of buckets of a bias. transformers uses this number whatever size the table has.
    pub const BUCKETS: u32 = 32;
    /// The distance from which on all keys on a side share the last bucket of a bias.
    const LAST: f64 = 128.0;

    /// The table of buckets.
    pub fn table(&self) -> TensorId {
        match self {
            RelativePositions::Bias { table } => *table,
            RelativePositions::Disentangled(disentangled) => disentangled.table,
        }
    }

    /// The rows of distances that pass through linear layers, for all branches together, if a sequence has up to `reach` tokens. A
    /// branch's rows are rounded up to whole panels.
    pub(super) fn projected_rows(&self, branches: u32, reach: u32) -> u64 {
        match self {
            RelativePositions::Bias { .. } => 0,
            RelativePositions::Disentangled(_) => {
                u64::from(branches) * u64::from((2 * reach).next_multiple_of(PANEL))
            }
        }
    }

    /// The rows of all distances `key - query` from `1 - reach` to `reach - 1`.
    fn rows(&self, reach: u32) -> Vec<u32> {
        let reach = i64::from(reach);
        let distances = 1 - reach..reach;
        match self {
            RelativePositions::Bias { .. } => distances.map(Self::bucket).collect(),
            RelativePositions::Disentangled(disentangled) => {
                distances.map(|distance| disentangled.row(distance)).collect()
            }
        }
    }

    /// The bucket of the bias for a distance. The operations and their precision are those of transformers.
    fn bucket(distance: i64) -> u32 {
        const HALF: u32 = RelativePositions::BUCKETS / 2;
        const EXACT: u32 = HALF / 2;
        let (side, away) = (if distance > 0 { HALF } else { 0 }, distance.unsigned_abs());
        if away < u64::from(EXACT) {
            return side + away as u32;
        }
        let ratio = libm::logf(away as f32 / EXACT as f32) / libm::log(Self::LAST / f64::from(EXACT)) as f32;
        side + (EXACT + (ratio * (HALF - EXACT) as f32) as u32).min(HALF - 1)
    }
}

impl Disentangled {
    /// The row for a distance: `span + bucket(query - key)`. The operations and their precision are those of transformers.
    fn row(&self, distance: i64) -> u32 {
        let (span, away, middle) = (i64::from(self.span), distance.abs(), i64::from(self.span / 2));
        let bucket = match self.positions {
            Some(positions) if away > middle => {
                let log = |distance: i64| libm::logf(distance as f32 / middle as f32);
                let ratio = log(away) / log(i64::from(positions) - 1);
                (ratio * (middle - 1) as f32).ceil() as i64 + middle
            }
            _ => away,
        };
        (span - bucket * distance.signum()).clamp(0, 2 * span - 1) as u32
    }
}

/// The buffers of relative positions.
pub struct Relative {
    /// Number of positions that tokens may have.
    reach: u32,
    /// The row of the table for each distance, `[2 reach - 1]`.
    pub(super) rows: Buffer,
    /// The values of distances as each branch sees them: biases `[branch, 2 reach - 1, heads]`, or embeddings after their norm
    /// `[branch, 2 reach - 1, hidden]`.
    pub(super) values: Buffer,
}

impl Relative {
    /// The buffers for sequences of up to `reach` tokens, if a row of the table has `width` elements.
    ///
    /// # Errors
    /// `limit-exceeded` naming the buffer that would not fit.
    pub(super) fn new(backend: &dyn Backend, [branches, reach, width]: [u32; 3]) -> Result<Relative> {
        let distances = 2 * u64::from(reach) - 1;
        let values = u64::from(branches) * distances * u64::from(width);
        let create = |name, elements| backend.create(name, elements * 4, MemoryClass::Activations);
        Ok(Relative {
            reach,
            rows: create("distances", distances)?,
            values: create("values of distances", values)?,
        })
    }

    /// Writes the rows of the table for a batch whose longest sequence has `longest` tokens.
    ///
    /// # Errors
    /// Errors from the backend.
    pub(super) fn write(
        &self,
        backend: &dyn Backend,
        positions: &RelativePositions,
        longest: u32,
    ) -> Result<()> {
        backend.write(&self.rows, 0, bytemuck::cast_slice(&positions.rows(longest.min(self.reach))))
    }
}

#[cfg(test)]
mod tests {
    use super::{Disentangled, RelativePositions};

    fn rows(positions: RelativePositions) -> Vec<(u32, i32)> {
        let mut rows = positions.rows(512).into_iter().zip(-511..).collect::<Vec<_>>();
        rows.dedup_by_key(|(row, _)| *row);
        rows
    }

    /// The first distance of each bucket, by transformers 5.24: MPNetEncoder.relative_position_bucket.
    #[test]
    fn biases_have_the_buckets_of_transformers() {
        let buckets = rows(RelativePositions::Bias { table: 0 });
        let before = [(15, -511), (14, -90), (13, -63), (12, -45), (11, -31), (10, -22), (9, -15), (8, -11)];
        let after = [(24, 8), (25, 12), (26, 16), (27, 23), (28, 32), (29, 46), (30, 64), (31, 91)];
        assert_eq!(buckets[..8], before);
        assert!(buckets[8..16].iter().copied().eq((-7..1).map(|d: i32| (d.unsigned_abs(), d))));
        assert!(buckets[16..23].iter().copied().eq((1..8).map(|d: i32| (16 + d.unsigned_abs(), d))));
        assert_eq!(buckets[23..], after);
    }

    /// The first distance of each row, and a weighted sum of all rows, by transformers 5.24: make_log_bucket_position.
    #[test]
    fn disentangled_attention_has_the_buckets_of_transformers() {
        let of = |span, positions| {
            let disentangled = Disentangled { table: 0, norm: None, span, positions: Some(positions) };
            RelativePositions::Disentangled(disentangled)
        };
        let found: Vec<_> =
            rows(of(16, 64)).into_iter().filter(|(_, distance)| distance.abs() < 64).collect();
        let before = [(30, -46), (29, -34), (28, -26), (27, -19), (26, -14), (25, -10), (24, -8), (23, -7)];
        let after = [(8, 8), (7, 9), (6, 11), (5, 15), (4, 20), (3, 27), (2, 35), (1, 47)];
        assert_eq!(found[..8], before);
        assert_eq!(found[found.len() - 8..], after);
        let weighted: u64 = (1..).zip(of(256, 512).rows(512)).map(|(i, row)| i * u64::from(row)).sum();
        assert_eq!(weighted, 79_172_230);
    }
}
