//! Decodes the bytes of a text file, in whatever encoding they were saved.

use std::borrow::Cow;

use serde::Serialize;

use crate::error::{Error, Result, err};

/// The encoding of a text file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Encoding {
    /// UTF-8, with or without a byte-order mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16, little-endian, with a byte-order mark.
    #[serde(rename = "utf-16le")]
    Utf16Le,
    /// UTF-16, big-endian, with a byte-order mark.
    #[serde(rename = "utf-16be")]
    Utf16Be,
    /// Windows-1252, as written by spreadsheets in Western Europe.
    #[serde(rename = "windows-1252")]
    Windows1252,
}

impl Encoding {
    /// The name of the encoding in words.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Encoding::Utf8 => "UTF-8",
            Encoding::Utf16Le | Encoding::Utf16Be => "UTF-16",
            Encoding::Windows1252 => "Windows-1252",
        }
    }
}

/// The characters for the bytes 0x80 to 0x9f in Windows-1252 (encoding.spec.whatwg.org); `None` for the five bytes that it leaves
/// undefined. Every other byte is the character with the same number.
const WINDOWS_1252: [Option<char>; 32] = {
    const fn c(code: u32) -> Option<char> {
        char::from_u32(code)
    }
    [
        c(0x20ac),
        None,
        c(0x201a),
        c(0x0192),
        c(0x201e),
        c(0x2026),
        c(0x2020),
        c(0x2021), //
        c(0x02c6),
        c(0x2030),
        c(0x0160),
        c(0x2039),
        c(0x0152),
        None,
        c(0x017d),
        None, //
        None,
        c(0x2018),
        c(0x2019),
        c(0x201c),
        c(0x201d),
        c(0x2022),
        c(0x2013),
        c(0x2014), //
        c(0x02dc),
        c(0x2122),
        c(0x0161),
        c(0x203a),
        c(0x0153),
        None,
        c(0x017e),
        c(0x0178), //
    ]
};

/// Decodes the text of a file, without a byte-order mark.
///
/// UTF-16 is recognized by its byte-order mark. Bytes that are not UTF-8 are taken as Windows-1252 if no part of them is a UTF-8
/// character beyond ASCII. Otherwise the file is damaged UTF-8. The byte 0 never occurs in text.
///
/// # Errors
/// `data-invalid` with the first byte that is not text.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Cow<'_, str>, Encoding)> {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => utf16(rest, u16::from_le_bytes).map(|text| (text, Encoding::Utf16Le)),
        [0xFE, 0xFF, rest @ ..] => utf16(rest, u16::from_be_bytes).map(|text| (text, Encoding::Utf16Be)),
        _ => match std::str::from_utf8(bytes) {
            Ok(_) if bytes.contains(&0) => Err(err!(
                DataInvalid,
                "expected text, found the byte 0x00 at byte {}: if the file is in UTF-16, save it as UTF-8",
                bytes.iter().position(|byte| *byte == 0).unwrap_or_default()
            )),
            Ok(text) => Ok((text.strip_prefix('\u{FEFF}').unwrap_or(text).into(), Encoding::Utf8)),
            Err(e) if bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii()) => {
                Err(at(bytes, e.valid_up_to(), "UTF-8"))
            }
            Err(_) => windows_1252(bytes).map(|text| (text.into(), Encoding::Windows1252)),
        },
    }
}

fn at(bytes: &[u8], offset: usize, expected: &str) -> Error {
    let found = bytes.get(offset).copied().unwrap_or_default();
    err!(DataInvalid, "expected text in {expected}, found the byte 0x{found:02x} at byte {offset}")
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'_, str>> {
    let (units, rest) = bytes.as_chunks::<2>();
    let text: std::result::Result<String, _> =
        char::decode_utf16(units.iter().map(|pair| unit(*pair))).collect();
    match text {
        Ok(text) if rest.is_empty() => Ok(text.into()),
        _ => Err(err!(
            DataInvalid,
            "expected text in UTF-16, found an incomplete character: save the file as UTF-8"
        )),
    }
}

fn windows_1252(bytes: &[u8]) -> Result<String> {
    let character = |(offset, byte): (usize, &u8)| {
        let found = match byte {
            // It never occurs in text, but in nearly every other file.
            0 => None,
            0x80..=0x9f => WINDOWS_1252[usize::from(byte - 0x80)],
            _ => Some(char::from(*byte)),
        };
        found.ok_or_else(|| at(bytes, offset, "UTF-8 or Windows-1252"))
    };
    bytes.iter().enumerate().map(character).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encodings_of_spreadsheets_are_recognized() {
        let cases: [(&[u8], &str, Encoding); 7] = [
            ("für".as_bytes(), "für", Encoding::Utf8),
            (b"\xef\xbb\xbff", "f", Encoding::Utf8),
            (b"\xff\xfef\0\xfc\0r\0\x3d\xd8\x00\xde", "für😀", Encoding::Utf16Le),
            (b"\xfe\xff\0f\0\xfc\0r", "für", Encoding::Utf16Be),
            (b"f\xfcr", "für", Encoding::Windows1252),
            (b"\x80 5 \x96 \x93x\x94 \x9f", "€ 5 – “x” Ÿ", Encoding::Windows1252),
            (b"", "", Encoding::Utf8),
        ];
        for (bytes, text, encoding) in cases {
            assert_eq!(decode(bytes).unwrap(), (text.into(), encoding));
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_by_their_place() {
        for (bytes, part) in [
            (&b"abc\x81"[..], "Windows-1252, found the byte 0x81 at byte 3"),
            (b"\x89PNG\r\n\x1a\n\0\0", "found the byte 0x00 at byte 8"),
            // UTF-8 whose last character is truncated.
            (b"f\xc3\xbcr f\xc3", "UTF-8, found the byte 0xc3 at byte 6"),
            (b"\xff\xfea\0b", "UTF-16, found an incomplete character"),
            (b"\xff\xfe\x00\xd8", "UTF-16, found an incomplete character"),
        ] {
            let error = decode(bytes).unwrap_err();
            assert!(error.message().contains(part), "{error}");
        }
    }
}
