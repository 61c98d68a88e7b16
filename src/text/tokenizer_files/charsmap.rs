//! Checks SentencePiece's normalization rules before the crate `tokenizers` uses them.
//!
//! The rules are `[u32: bytes of the trie][trie][replacements]`. The trie is a Darts double array (github.com/s-yata/darts-clone):
//! the child of a node for a byte is at an offset that is stored in the node. The crate follows these offsets without checking
//! them, and slices the replacements at the values of the leaves.

use tokenizers::normalizers::Precompiled;

use crate::error::{Result, bail, err};

/// Reads the rules after checking every step that a text could take in their trie.
///
/// # Errors
/// `file-corrupt` if the rules do not follow their format or point outside of it.
pub(crate) fn read(bytes: &[u8], name: &str) -> Result<Precompiled> {
    let corrupt = |what: &str| err!(FileCorrupt, "{name}: expected normalization rules, found {what}");
    let Some((size, rest)) = bytes.split_first_chunk::<4>() else { return Err(corrupt("no size")) };
    let size = u32::from_le_bytes(*size) as usize;
    let Some((trie, replacements)) =
        rest.split_at_checked(size).filter(|_| size > 0 && size.is_multiple_of(4))
    else {
        return Err(corrupt("a trie whose size does not fit"));
    };
    let Ok(replacements) = std::str::from_utf8(replacements) else {
        return Err(corrupt("replacements that are not UTF-8"));
    };
    let units: Vec<u32> = trie.as_chunks::<4>().0.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
    if !stays_inside(&units, replacements) {
        bail!(FileCorrupt, "{name}: expected normalization rules, found a trie that points outside itself");
    }
    Precompiled::from(bytes).map_err(|e| corrupt(&e.to_string()))
}

/// Whether every walk from the root stays inside the trie, and every leaf points into the replacements.
fn stays_inside(units: &[u32], replacements: &str) -> bool {
    let offset = |unit: u32| ((unit >> 10) << ((unit & (1 << 9)) >> 6)) as usize;
    let Some(&root) = units.first() else { return false };
    let mut seen = vec![false; units.len()];
    let mut open = vec![offset(root)];
    while let Some(node) = open.pop() {
        // The crate looks up the child for every byte, even if it does not exist.
        if (node | 0xff) >= units.len() {
            return false;
        }
        if std::mem::replace(&mut seen[node], true) {
            continue;
        }
        for byte in 1..=255u32 {
            let position = node ^ byte as usize;
            let unit = units[position];
            if unit & ((1 << 31) | 0xff) != byte {
                continue;
            }
            let child = position ^ offset(unit);
            if (unit >> 8) & 1 == 1 {
                let value = units.get(child).map(|leaf| (leaf & 0x7fff_ffff) as usize);
                if !value.is_some_and(|value| replacements.is_char_boundary(value)) {
                    return false;
                }
            }
            open.push(child);
        }
    }
    true
}

#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn rules_that_lead_outside_are_refused() {
        let rules = |units: &[u32], text: &str| {
            let mut bytes = ((units.len() * 4) as u32).to_le_bytes().to_vec();
            bytes.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
            bytes.extend(text.as_bytes());
            bytes
        };
        // The root's children start at 0. "a" is a leaf whose value is in unit 512.
        let mut units = vec![0u32; 768];
        units[0] = 256 << 10;
        units[256 + 97] = 97 | (1 << 8) | ((353 ^ 512) << 10);
        let good = read(&rules(&units, "xy\0é"), "m").unwrap();
        assert_eq!(good.transform("a"), Some("xy"));
        assert_eq!(good.transform("b"), None);
        let with = |at: usize, unit: u32| {
            let mut units = units.clone();
            units[at] = unit;
            units
        };
        for (units, text) in [
            (with(0, 999 << 10), "xy"),                                // children behind the end
            (with(512, 9), "xy"),                                      // a value behind the end
            (with(512, 4), "xy\0é"),                                   // a value within a character
            (with(353, 97 | (1 << 8) | ((353 ^ 1024) << 10)), "xy\0"), // a leaf behind the end
            (units[..300].to_vec(), "xy"),
            (vec![], "xy"),
        ] {
            assert_eq!(read(&rules(&units, text), "m").unwrap_err().code(), Code::FileCorrupt);
        }
        for bytes in [&[][..], &[4, 0], &[255, 255, 255, 255, 1], &[3, 0, 0, 0, 1, 2, 3]] {
            assert_eq!(read(bytes, "m").unwrap_err().code(), Code::FileCorrupt);
        }
    }
}
