//! The function `strftime_now` of chat templates, for a fixed date that all runs share.

use crate::error::{Result, bail};

/// The meaning of a strftime code on Friday, 26 July 2024, at midnight.
#[derive(Clone, Copy)]
enum Field {
    /// A number, its minimum number of digits, and the padding character.
    Number(u32, usize, char),
    Text(&'static str),
}

/// The value of a code, as in Python on Linux in the C locale.
fn field(code: char) -> Option<Field> {
    use Field::{Number, Text};
    Some(match code {
        'Y' | 'G' => Number(2024, 4, '0'),
        'C' => Number(20, 2, '0'),
        'y' | 'g' => Number(24, 2, '0'),
        'm' => Number(7, 2, '0'),
        'd' => Number(26, 2, '0'),
        'e' => Number(26, 2, ' '),
        'j' => Number(208, 3, '0'),
        'U' => Number(29, 2, '0'),
        'V' | 'W' => Number(30, 2, '0'),
        'u' | 'w' => Number(5, 1, '0'),
        'H' | 'M' | 'S' => Number(0, 2, '0'),
        'k' => Number(0, 2, ' '),
        'I' => Number(12, 2, '0'),
        'l' => Number(12, 2, ' '),
        'f' => Text("000000"),
        'B' => Text("July"),
        'b' | 'h' => Text("Jul"),
        'A' => Text("Friday"),
        'a' => Text("Fri"),
        'p' => Text("AM"),
        'P' => Text("am"),
        'c' => Text("Fri Jul 26 00:00:00 2024"),
        'D' | 'x' => Text("07/26/24"),
        'F' => Text("2024-07-26"),
        'R' => Text("00:00"),
        'T' | 'X' => Text("00:00:00"),
        'r' => Text("12:00:00 AM"),
        // The time has no time zone.
        'z' | 'Z' => Text(""),
        'n' => Text("\n"),
        't' => Text("\t"),
        '%' => Text("%"),
        _ => return None,
    })
}

/// Formats the date in strftime's format. The flags `-` (no padding), `_` (spaces), `0` (zeros) and `^` (upper case) may precede a code.
///
/// # Errors
/// `model-unsupported` with the first unknown code.
pub(super) fn on_the_day(format: &str) -> Result<String> {
    let mut out = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let rest = chars.as_str();
        let code = rest.trim_start_matches(['-', '_', '0', '^']);
        let flags = &rest[..rest.len() - code.len()];
        let Some((code, known)) = code.chars().next().and_then(|code| Some((code, field(code)?))) else {
            let found: String = rest.chars().take(flags.len() + 1).collect();
            bail!(ModelUnsupported, "strftime_now: expected a code of strftime, found \"%{found}\"");
        };
        let text = match known {
            Field::Text(text) => text.to_owned(),
            Field::Number(number, digits, fill) => {
                let (digits, fill) = match flags.trim_matches('^').chars().last() {
                    Some('-') => (1, fill),
                    Some('_') => (digits, ' '),
                    Some('0') => (digits, '0'),
                    _ => (digits, fill),
                };
                let number = number.to_string();
                let filling = std::iter::repeat_n(fill, digits.saturating_sub(number.len()));
                filling.chain(number.chars()).collect()
            }
        };
        out.push_str(&if flags.contains('^') { text.to_uppercase() } else { text });
        chars = rest[flags.len() + code.len_utf8()..].chars();
    }
    Ok(out)
}
