//! What SentencePiece's vocabularies in both kinds of files have in common: the merges that they imply.

use std::collections::HashSet;

use tokenizers::models::bpe::Merges;

/// Maximum number of bytes in one piece. SentencePiece's own have at most 16 characters. The crate `tokenizers` recurses as deep
/// as a piece is long.
pub(crate) const MAX_PIECE_BYTES: usize = 1024;

/// Every way to join two pieces to a third, those of the first pieces first, and among those of a piece the shortest left part
/// first. A SentencePiece model has no merges: it joins the two neighbors whose joint piece comes first.
///
/// Pieces of more than [`MAX_PIECE_BYTES`] have no merges, because the work grows with the square of the length.
pub(crate) fn of_pieces<'a>(pieces: impl Iterator<Item = &'a str> + Clone) -> Merges {
    let known: HashSet<&str> = pieces.clone().collect();
    let mut merges = Merges::new();
    for piece in pieces.filter(|piece| piece.len() <= MAX_PIECE_BYTES) {
        for (at, _) in piece.char_indices().skip(1) {
            let (left, right) = piece.split_at(at);
            if known.contains(left) && known.contains(right) {
                merges.push((left.to_owned(), right.to_owned()));
            }
        }
    }
    merges
}
