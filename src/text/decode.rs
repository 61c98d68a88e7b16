//! The bytes of a file as text.

use crate::error::{Result, bail, err};

/// UTF-8 without a byte-order mark.
pub(crate) fn decode(bytes: &[u8]) -> Result<&str> {
    if let [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] = bytes {
        bail!(DataInvalid, "expected UTF-8, found UTF-16 at byte 0: save the file as UTF-8");
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let offset = e.valid_up_to();
        let found = bytes.get(offset).copied().unwrap_or_default();
        err!(DataInvalid, "expected UTF-8, found the byte 0x{found:02x} at byte {offset}")
    })?;
    Ok(text.strip_prefix('\u{FEFF}').unwrap_or(text))
}
