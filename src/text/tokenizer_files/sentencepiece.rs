//! Reads a SentencePiece model: a protocol buffer of the type `ModelProto` (`sentencepiece_model.proto` of SentencePiece).
//!
//! Only the fields that determine the tokens are read. A generated parser would add a code generator and a runtime to the engine
//! for a dozen fields. No length in the file determines the size of an allocation: fields are slices of the file, and pieces are
//! pushed one by one.

use super::merges::MAX_PIECE_BYTES;
use crate::error::{Result, bail, err};

/// The algorithm that a model was trained with, `trainer_spec.model_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// The most probable segmentation.
    Unigram,
    /// Merges of pairs.
    Bpe,
    /// `WORD` and `CHAR`, which no transformer uses.
    Other(u64),
}

/// The role of a piece, `SentencePiece.Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PieceType {
    /// It never comes from text: `<s>`, `</s>`.
    Control,
    /// It is matched as a whole, before anything else.
    UserDefined,
    /// Any other piece: an ordinary piece, the unknown piece, a byte, an unused piece.
    Plain,
}

/// One entry of the vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) score: f32,
    pub(super) kind: PieceType,
}

/// The parts of a model that determine the tokens of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SentencePiece {
    /// The pieces in the order of their ids.
    pub(super) pieces: Vec<Piece>,
    pub(super) algorithm: Algorithm,
    /// The id of the unknown piece, if there is one.
    pub(super) unk: Option<u32>,
    /// The normalization rules for text; empty if there are none.
    pub(super) charsmap: Vec<u8>,
}

impl SentencePiece {
    /// Parses the bytes of a model file. `name` is its name for messages.
    ///
    /// # Errors
    /// `file-corrupt` if the bytes are not a SentencePiece model.
    pub(super) fn parse(bytes: &[u8], name: &str) -> Result<Self> {
        let corrupt =
            |what: String| err!(FileCorrupt, "{name}: expected a SentencePiece model, found {what}");
        let mut model = SentencePiece {
            pieces: Vec::new(),
            algorithm: Algorithm::Unigram,
            unk: Some(0),
            charsmap: Vec::new(),
        };
        for field in Fields(bytes) {
            match field.map_err(corrupt)? {
                (1, Value::Bytes(bytes)) => {
                    let id = model.pieces.len();
                    let piece = piece(bytes).map_err(|what| corrupt(format!("{what} in piece {id}")))?;
                    model.pieces.push(piece);
                }
                (2, Value::Bytes(bytes)) => model.read_trainer_spec(bytes).map_err(corrupt)?,
                (3, Value::Bytes(bytes)) => model.read_normalizer_spec(bytes).map_err(corrupt)?,
                _ => {}
            }
        }
        if model.pieces.is_empty() {
            bail!(FileCorrupt, "{name}: expected a SentencePiece model, found no pieces");
        }
        model.unk = model.unk.filter(|&id| (id as usize) < model.pieces.len());
        Ok(model)
    }

    fn read_trainer_spec(&mut self, bytes: &[u8]) -> std::result::Result<(), String> {
        for field in Fields(bytes) {
            match field? {
                (3, Value::Number(1)) => self.algorithm = Algorithm::Unigram,
                (3, Value::Number(2)) => self.algorithm = Algorithm::Bpe,
                (3, Value::Number(other)) => self.algorithm = Algorithm::Other(other),
                // A negative id, such as -1 for none, is far above 2^32 as a varint.
                (40, Value::Number(id)) => self.unk = u32::try_from(id).ok(),
                _ => {}
            }
        }
        Ok(())
    }

    fn read_normalizer_spec(&mut self, bytes: &[u8]) -> std::result::Result<(), String> {
        for field in Fields(bytes) {
            if let (2, Value::Bytes(charsmap)) = field? {
                self.charsmap = charsmap.to_vec();
            }
        }
        Ok(())
    }
}

fn piece(bytes: &[u8]) -> std::result::Result<Piece, String> {
    let mut piece = Piece { text: String::new(), score: 0.0, kind: PieceType::Plain };
    for field in Fields(bytes) {
        match field? {
            (1, Value::Bytes(text)) => {
                piece.text = std::str::from_utf8(text)
                    .map_err(|e| format!("text that is not UTF-8 ({e})"))?
                    .to_owned();
            }
            (2, Value::Fixed32(bits)) => piece.score = f32::from_bits(bits),
            (3, Value::Number(3)) => piece.kind = PieceType::Control,
            (3, Value::Number(4)) => piece.kind = PieceType::UserDefined,
            (3, Value::Number(_)) => piece.kind = PieceType::Plain,
            _ => {}
        }
    }
    match piece.text.len() {
        0 => Err("no text".to_owned()),
        len if len > MAX_PIECE_BYTES => Err(format!("{len} bytes, more than {MAX_PIECE_BYTES},")),
        _ if !piece.score.is_finite() => Err(format!("the score {}", piece.score)),
        _ => Ok(piece),
    }
}

/// The value of a field, by its wire type.
enum Value<'a> {
    Number(u64),
    Fixed32(u32),
    Fixed64,
    Bytes(&'a [u8]),
}

/// Iterates over the fields of a message as (field number, value). It ends after an error.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> std::result::Result<u64, String> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or("a number without an end")?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number of more than 10 bytes".to_owned())
    }

    fn take(&mut self, len: u64) -> std::result::Result<&'a [u8], String> {
        let left = self.0.len();
        let split = usize::try_from(len).ok().and_then(|len| self.0.split_at_checked(len));
        let (bytes, rest) = split.ok_or_else(|| format!("a field of {len} bytes where {left} are left"))?;
        self.0 = rest;
        Ok(bytes)
    }

    fn field(&mut self) -> std::result::Result<(u64, Value<'a>), String> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => self.take(8).map(|_| Value::Fixed64)?,
            2 => {
                let len = self.varint()?;
                Value::Bytes(self.take(len)?)
            }
            5 => {
                let mut bits = [0; 4];
                bits.copy_from_slice(self.take(4)?);
                Value::Fixed32(u32::from_le_bytes(bits))
            }
            other => return Err(format!("a field of the wire type {other}")),
        };
        match key >> 3 {
            0 => Err("a field with the number 0".to_owned()),
            number => Ok((number, value)),
        }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = std::result::Result<(u64, Value<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}
