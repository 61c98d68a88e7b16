//! The merges that a SentencePiece vocabulary implies, used for both kinds of files.

use std::collections::HashSet;

use tokenizers::models::bpe::Merges;

/// Maximum number of bytes in one piece. SentencePiece's own pieces have at most 16 characters. The recursion depth of the crate
/// `tokenizers` is the length of a piece.
pub(crate) const MAX_PIECE_BYTES: usize = 1024;

/// Every way to join two pieces to a third one, in the order of the joined pieces and, for the same joined piece, shortest left
/// part first. A SentencePiece model has no merges: it joins the two neighbors whose joined piece comes first.
///
/// Pieces longer than [`MAX_PIECE_BYTES`] have no merges, because the work is quadratic in the length.
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
