//! Batches of examples that are packed end to end, so that no padding is stored or computed.

use crate::text::encode::{Example, Target};

/// The input of a model: sequences packed end to end, their offsets, and the targets to score.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// `[token]` Token ids of all sequences.
    pub ids: Vec<u32>,
    /// `[token]` Type of each token; empty if all are of type 0.
    pub types: Vec<u32>,
    /// `[token]` Position of each token within its sequence, from 0.
    pub positions: Vec<u32>,
    /// `[sequence + 1]` Start of each sequence in `ids`; the last entry is the number of tokens.
    pub cu_seqlens: Vec<u32>,
    /// `[target]` All targets in ascending order; `position` is an index into `ids`.
    pub targets: Vec<Target>,
    /// `[sequence + 1]` Start of each sequence's targets in `targets`; the last entry is the number
    /// of targets.
    pub example_targets: Vec<u32>,
}

impl Batch {
    /// Packs examples in the given order. A batch has fewer than 2^32 tokens, because the GPU's
    /// indices have 32 bits. Examples that do not fit are left out.
    pub fn pack(examples: &[&Example]) -> Batch {
        let tokens = examples.iter().map(|e| e.ids.len()).sum();
        let mut batch = Batch {
            ids: Vec::with_capacity(tokens),
            types: Vec::new(),
            positions: Vec::with_capacity(tokens),
            cu_seqlens: vec![0],
            targets: Vec::new(),
            example_targets: vec![0],
        };
        for example in examples {
            let start = batch.ids.len();
            let ends = (u32::try_from(start), u32::try_from(start + example.ids.len()));
            let count = u32::try_from(batch.targets.len() + example.targets.len());
            let ((Ok(start), Ok(end)), Ok(count)) = (ends, count) else { break };
            batch.ids.extend_from_slice(&example.ids);
            if !example.types.is_empty() {
                // The examples before this one are of type 0.
                batch.types.resize(start as usize, 0);
                batch.types.extend_from_slice(&example.types);
            }
            batch.positions.extend(0..end - start);
            batch.cu_seqlens.push(end);
            let packed = |t: &Target| Target { position: start + t.position, label: t.label };
            batch.targets.extend(example.targets.iter().map(packed));
            batch.example_targets.push(count);
        }
        if !batch.types.is_empty() {
            batch.types.resize(batch.ids.len(), 0);
        }
        batch
    }

    /// Creates a batch of one sequence without targets. As in [`Batch::pack`], tokens beyond 2^32 are left out.
    pub fn sequence(ids: &[u32]) -> Batch {
        Batch::continuing(ids, 0)
    }

    /// Creates a batch, without targets, of the tokens of one sequence after its first `cached` tokens.
    pub fn continuing(ids: &[u32], cached: u32) -> Batch {
        let tokens = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        Batch {
            ids: ids[..tokens as usize].to_vec(),
            types: Vec::new(),
            positions: (0..tokens).map(|i| cached.saturating_add(i)).collect(),
            cu_seqlens: vec![0, tokens],
            targets: Vec::new(),
            example_targets: vec![0, 0],
        }
    }

    /// The number of tokens of the longest sequence.
    pub fn longest(&self) -> u32 {
        self.cu_seqlens.windows(2).map(|bounds| bounds[1] - bounds[0]).max().unwrap_or(0)
    }

    /// Number of sequences.
    pub fn sequences(&self) -> usize {
        self.cu_seqlens.len().saturating_sub(1)
    }

    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// Length of the longest sequence in tokens.
    pub fn max_len(&self) -> usize {
        self.cu_seqlens.windows(2).map(|w| (w[1] - w[0]) as usize).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(len: u32, positions: &[u32]) -> Example {
        let targets = positions.iter().map(|&position| Target { position, label: 7 + position }).collect();
        Example { ids: (100..100 + len).collect(), targets, ..Example::default() }
    }

    #[test]
    fn positions_restart_and_targets_move() {
        let (a, b, c) = (example(3, &[2]), example(1, &[]), example(2, &[0, 1]));
        let batch = Batch::pack(&[&a, &b, &c]);
        assert_eq!(batch.ids, [100, 101, 102, 100, 100, 101]);
        assert_eq!(batch.positions, [0, 1, 2, 0, 0, 1]);
        assert_eq!(batch.cu_seqlens, [0, 3, 4, 6]);
        assert_eq!(batch.example_targets, [0, 1, 1, 3]);
        let at: Vec<_> = batch.targets.iter().map(|t| (t.position, t.label)).collect();
        assert_eq!(at, [(2, 9), (4, 7), (5, 8)]);
        assert_eq!((batch.sequences(), batch.tokens(), batch.max_len()), (3, 6, 3));
    }

    #[test]
    fn examples_without_types_are_of_type_0() {
        let typed = Example { types: vec![0, 1], ..example(2, &[]) };
        let batch = Batch::pack(&[&example(1, &[]), &typed, &example(2, &[])]);
        assert_eq!(batch.types, [0, 0, 1, 0, 0]);
        assert!(Batch::pack(&[&example(3, &[])]).types.is_empty());
    }

    #[test]
    fn a_sequence_may_continue_a_text() {
        let (whole, rest) = (Batch::sequence(&[5, 6, 7]), Batch::continuing(&[6, 7], 1));
        assert_eq!((&whole.positions[..], &whole.cu_seqlens[..]), (&[0, 1, 2][..], &[0, 3][..]));
        assert_eq!((&rest.positions[..], &rest.cu_seqlens[..]), (&[1, 2][..], &[0, 2][..]));
        assert_eq!((whole.targets.len(), &whole.example_targets[..]), (0, &[0, 0][..]));
    }

    #[test]
    fn nothing_packs_to_an_empty_batch() {
        let batch = Batch::pack(&[]);
        assert_eq!((batch.sequences(), batch.tokens(), batch.max_len()), (0, 0, 0));
        assert_eq!((batch.cu_seqlens.as_slice(), batch.example_targets.as_slice()), (&[0][..], &[0][..]));
    }

    #[test]
    fn every_packing_keeps_its_sequences() {
        for n in 0..200u32 {
            let examples: Vec<Example> =
                (0..n % 7).map(|i| example(1 + (n * 31 + i * 17) % 9, &[0])).collect();
            let batch = Batch::pack(&examples.iter().collect::<Vec<_>>());
            for (i, e) in examples.iter().enumerate() {
                let (start, end) = (batch.cu_seqlens[i] as usize, batch.cu_seqlens[i + 1] as usize);
                assert_eq!(batch.ids[start..end], e.ids);
                assert_eq!(batch.positions[start..end], (0..e.ids.len() as u32).collect::<Vec<_>>());
                assert_eq!(batch.targets[batch.example_targets[i] as usize].position as usize, start);
            }
        }
    }
}
