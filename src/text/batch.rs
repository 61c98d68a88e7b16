//! Packed batches: sequences laid end to end, so that no padding is ever computed.

use super::encode::{Example, Target};

/// Sequences end to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Token ids `[token]`.
    pub ids: Vec<u32>,
    /// Place of each token in its sequence `[token]`, from 0.
    pub positions: Vec<u32>,
    /// Where each sequence begins, and where the last ends `[sequences + 1]`.
    pub cu_seqlens: Vec<u32>,
    /// What is scored; positions are those of the packed tokens.
    pub targets: Vec<Target>,
}

impl Batch {
    /// Packs examples in their order.
    pub fn pack(examples: &[&Example]) -> Batch {
        let mut batch = Batch { cu_seqlens: vec![0], ..Batch::default() };
        for example in examples {
            let first = batch.ids.len() as u32;
            batch.ids.extend(&example.ids);
            batch.positions.extend(0..example.ids.len() as u32);
            batch.cu_seqlens.push(batch.ids.len() as u32);
            let moved = |t: &Target| Target { position: first + t.position, label: t.label };
            batch.targets.extend(example.targets.iter().map(moved));
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_start_again_and_targets_move() {
        let a = Example { ids: vec![5, 6], targets: vec![Target { position: 1, label: 0 }] };
        let b = Example { ids: vec![7, 8, 9], targets: vec![Target { position: 0, label: 1 }] };
        let batch = Batch::pack(&[&a, &b]);
        assert_eq!(batch.ids, [5, 6, 7, 8, 9]);
        assert_eq!(batch.positions, [0, 1, 0, 1, 2]);
        assert_eq!(batch.cu_seqlens, [0, 2, 5]);
        assert_eq!(batch.targets[1], Target { position: 2, label: 1 });
    }
}
