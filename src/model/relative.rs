//! Relative positions: a learned bias for the distance of a key from a query.

use super::tensors::TensorId;

/// Each head adds a bias to the score of a key, which depends on the key's distance from the query. The distances are grouped in
/// buckets, as in T5 (Raffel et al. 2020, arXiv 1910.10683): half of them are for keys after the query. On each side, half of the
/// buckets are for one distance each, and the others for ranges that grow logarithmically.
#[derive(Clone, Copy, Debug)]
pub struct RelativePositions {
    /// The table `[at least BUCKETS, heads]`, which all layers share.
    pub table: TensorId,
}

impl RelativePositions {
    /// Number of buckets. transformers uses this number whatever size the table has.
    pub const BUCKETS: u32 = 32;
    /// The distance from which on all keys on a side share the last bucket.
    const LAST: f64 = 128.0;

    /// The bucket of the distance `key - query`. The operations and their precision are those of transformers.
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

    /// The buckets of all distances from `1 - reach` to `reach - 1`.
    pub fn buckets(reach: u32) -> Vec<u32> {
        let reach = i64::from(reach);
        (1 - reach..reach).map(Self::bucket).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::RelativePositions;

    /// The first distance of each bucket, by transformers 5.24: MPNetEncoder.relative_position_bucket.
    #[test]
    fn distances_are_in_the_buckets_of_transformers() {
        let mut buckets = RelativePositions::buckets(512).into_iter().zip(-511..).collect::<Vec<_>>();
        buckets.dedup_by_key(|(bucket, _)| *bucket);
        let before = [(15, -511), (14, -90), (13, -63), (12, -45), (11, -31), (10, -22), (9, -15), (8, -11)];
        let after = [(24, 8), (25, 12), (26, 16), (27, 23), (28, 32), (29, 46), (30, 64), (31, 91)];
        assert_eq!(buckets[..8], before);
        assert!(buckets[8..16].iter().copied().eq((-7..1).map(|d: i32| (d.unsigned_abs(), d))));
        assert!(buckets[16..23].iter().copied().eq((1..8).map(|d: i32| (16 + d.unsigned_abs(), d))));
        assert_eq!(buckets[23..], after);
    }
}
