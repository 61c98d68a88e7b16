//! The merges that a SentencePiece model implies.

use std::collections::HashSet;

use tokenizers::models::bpe::Merges;

/// Every way to join two pieces to a third, those of the first pieces first, and among those of a piece the shortest left part
/// first. A SentencePiece model has no merges: it joins the two neighbors whose joint piece comes first.
pub(crate) fn of_pieces<'a>(pieces: impl Iterator<Item = &'a str> + Clone) -> Merges {
    let known: HashSet<&str> = pieces.clone().collect();
    let mut merges = Merges::new();
    for piece in pieces {
        for (at, _) in piece.char_indices().skip(1) {
            let (left, right) = piece.split_at(at);
            if known.contains(left) && known.contains(right) {
                merges.push((left.to_owned(), right.to_owned()));
            }
        }
    }
    merges
}
