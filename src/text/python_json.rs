//! The numbers that Python's `json` writes although JSON does not have them.

use std::borrow::Cow;

use serde_json::Value;

/// A number that JSON does not have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Special {
    name: &'static str,
    /// The number as transformers writes it in valid JSON.
    tagged: &'static str,
}

/// `-Infinity` comes before `Infinity`, which it contains.
const SPECIAL: [Special; 3] = [
    Special { name: "NaN", tagged: r#"{"__float__":"NaN"}"# },
    Special { name: "-Infinity", tagged: r#"{"__float__":"-Infinity"}"# },
    Special { name: "Infinity", tagged: r#"{"__float__":"Infinity"}"# },
];

/// Parses a configuration, in which NaN and infinite numbers get the form that transformers gives them in valid JSON. So a field that
/// is not read may have them.
///
/// # Errors
/// The errors of [`serde_json::from_slice`].
pub(crate) fn parse(bytes: &[u8]) -> serde_json::Result<Value> {
    match std::str::from_utf8(bytes) {
        Ok(text) => serde_json::from_str(&without_special_numbers(text, |number| number.tagged)),
        Err(_) => serde_json::from_slice(bytes),
    }
}

/// The text with something else in place of NaN, Infinity and -Infinity outside of strings.
pub(crate) fn without_special_numbers(text: &str, instead: fn(Special) -> &'static str) -> Cow<'_, str> {
    if SPECIAL.iter().all(|number| !text.contains(number.name)) {
        return Cow::Borrowed(text);
    }
    let mut standard = String::with_capacity(text.len() + 16);
    let (mut rest, mut in_string) = (text, false);
    while let Some(next) = rest.chars().next() {
        let number = SPECIAL.iter().find(|number| !in_string && rest.starts_with(number.name));
        let (written, read) = match (number, next) {
            (Some(number), _) => (instead(*number), number.name.len()),
            // The next character is escaped.
            (None, '\\') if in_string => {
                let escaped = rest[1..].chars().next().map_or(0, char::len_utf8);
                (&rest[..1 + escaped], 1 + escaped)
            }
            (None, next) => (&rest[..next.len_utf8()], next.len_utf8()),
        };
        in_string ^= next == '"';
        standard.push_str(written);
        rest = &rest[read..];
    }
    Cow::Owned(standard)
}
