//! Translates regular expressions of Oniguruma, in which tokenizers are written, to those of the crate `fancy-regex`, which also
//! compiles to WebAssembly. The two read some of them differently; the others are left as they are.

use serde_json::Value;

/// The word characters in a class. `fancy-regex` counts joiners among them too.
const WORD: &str = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}";

/// The word characters outside of a class, where Oniguruma counts the numbers of Latin-1 among them.
const ALONE: &str = r"\p{Alphabetic}\p{M}\p{Nd}\p{Pc}²³¹¼½¾";

/// POSIX classes, which contain the characters of all scripts in Oniguruma, and those of ASCII in `fancy-regex`.
const CLASSES: [(&str, &str); 13] = [
    ("alnum", r"\p{Alphabetic}\p{Nd}"),
    ("alpha", r"\p{Alphabetic}"),
    ("ascii", r"\x00-\x7f"),
    ("blank", r"\t\p{Zs}"),
    ("cntrl", r"\p{Cc}"),
    ("digit", r"\p{Nd}"),
    ("graph", r"\p{L}\p{M}\p{N}\p{P}\p{S}\p{Cf}\p{Co}"),
    ("lower", r"\p{Lowercase}"),
    ("print", r"\p{L}\p{M}\p{N}\p{P}\p{S}\p{Cf}\p{Co}\p{Zs}"),
    ("punct", r"\p{P}\p{S}"),
    ("space", r"\s"),
    ("upper", r"\p{Uppercase}"),
    ("word", WORD),
];

/// The same expression for `fancy-regex`.
pub(crate) fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let (mut rest, mut depth) = (pattern, 0_usize);
    while let Some(next) = rest.chars().next() {
        let mut read = next.len_utf8();
        let in_class = depth > 0;
        match next {
            '\\' => {
                let escaped = rest[1..].chars().next();
                read += escaped.map_or(0, char::len_utf8);
                match (escaped, in_class) {
                    (Some('w'), true) => out += WORD,
                    (Some('W'), true) => out += &format!("[^{WORD}]"),
                    (Some('w'), false) => out += &format!("[{ALONE}]"),
                    (Some('W'), false) => out += &format!("[^{ALONE}]"),
                    (Some('b'), false) => {
                        out += &format!("(?:(?<=[{ALONE}])(?![{ALONE}])|(?<![{ALONE}])(?=[{ALONE}]))");
                    }
                    (Some('B'), false) => {
                        out += &format!("(?:(?<=[{ALONE}])(?=[{ALONE}])|(?<![{ALONE}])(?![{ALONE}]))");
                    }
                    _ => out += &rest[..read],
                }
            }
            '[' => match posix(rest).filter(|_| in_class) {
                Some((class, length)) => {
                    out += &class;
                    read = length;
                }
                None => {
                    depth += 1;
                    // A `]` right after the beginning is a member.
                    read += usize::from(rest[read..].starts_with('^'));
                    out += &rest[..read];
                    if rest[read..].starts_with(']') {
                        out += r"\]";
                        read += 1;
                    }
                }
            },
            ']' if in_class => {
                depth -= 1;
                out.push(']');
            }
            // At the start of every line, but not after a line break at the end of the text.
            '^' if !in_class => out += r"(?:\A|(?<=\n)(?!\z))",
            '$' if !in_class => out += r"(?=\n|\z)",
            _ => out.push(next),
        }
        rest = &rest[read..];
    }
    out
}

/// The members of the POSIX class at the start of a text, and the length of its name with brackets.
fn posix(text: &str) -> Option<(String, usize)> {
    let (name, _) = text.strip_prefix("[:")?.split_once(":]")?;
    let (negative, class) = name.strip_prefix('^').map_or((false, name), |class| (true, class));
    let (_, members) = CLASSES.iter().find(|(known, _)| *known == class)?;
    let members = if negative { format!("[^{members}]") } else { (*members).to_owned() };
    Some((members, name.len() + 4))
}

/// Translates the expressions in a part of a `tokenizer.json`. Returns whether any of them has changed.
pub(super) fn translate_all(part: &mut Value) -> bool {
    let mut changed = false;
    match part {
        Value::Array(items) => {
            for item in items {
                changed |= translate_all(item);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(pattern) if name == "Regex" => {
                        let translated = translate(pattern);
                        changed |= translated != *pattern;
                        *pattern = translated;
                    }
                    value => changed |= translate_all(value),
                }
            }
        }
        _ => {}
    }
    changed
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
    use tokenizers::{
        OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer, SplitDelimiterBehavior,
    };

    use super::*;

    fn pieces(pattern: &str, text: &str) -> Vec<String> {
        let pattern = SplitPattern::Regex(translate(pattern));
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false).unwrap();
        let mut pieces = PreTokenizedString::from(text);
        split.pre_tokenize(&mut pieces).unwrap();
        let splits = pieces.get_splits(OffsetReferential::Original, OffsetType::Byte);
        splits.into_iter().map(|(piece, ..)| piece.to_owned()).collect()
    }

    /// The pieces are those of `tokenizers` 0.22 in Python, which uses Oniguruma: `pre_tokenizers.Split(Regex(pattern), "isolated")`.
    #[test]
    fn texts_are_split_as_by_oniguruma() {
        let cases: [(&str, &str, &[&str]); 14] = [
            (r"\d{1,3}(?=(?:\d{3})*\b)", "5½ 10² 1234567 m", &["5½ 10² ", "1", "234", "567", " m"]),
            (r"\w+", "a\u{200d}b½c é_1", &["a", "\u{200d}", "b½c", " ", "é_1"]),
            (r"\W", "a\u{200d}b½c", &["a", "\u{200d}", "b½c"]),
            (r"\bb\B", "b½ bc b b", &["b", "½ ", "b", "c b b"]),
            (r"[^\w\s]+", "½!x— y", &["½!", "x", "—", " y"]),
            (r"[[:alpha:]]+", "été 1wir", &["été", " 1", "wir"]),
            (r"[[:^alpha:]]+", "été 1wir", &["été", " 1", "wir"]),
            (r"[[:upper:]][[:lower:]]", "ÉtÉ Œuvre", &["Ét", "É ", "Œu", "vre"]),
            (r"[[:punct:]]+", "«a» – b…$", &["«", "a", "»", " ", "–", " b", "…$"]),
            (r"[[:space:][:digit:]]", "a\u{a0}b\u{3000}c٣", &["a", "\u{a0}", "b", "\u{3000}", "c", "٣"]),
            (r"^\s*[-*]", "a\n- b\n- c", &["a\n", "-", " b\n", "-", " c"]),
            (r"\s+$", "one \ntwo \n", &["one", " ", "\ntwo", " \n"]),
            (r"^", "ab\ncd\n", &["ab\n", "cd\n"]),
            (r"[]a]+", "]a[b", &["]a", "[b"]),
        ];
        for (pattern, text, expected) in cases {
            assert_eq!(pieces(pattern, text), expected, "{pattern} {text:?}: {}", translate(pattern));
        }
    }

    #[test]
    fn the_expressions_of_common_tokenizers_are_left_as_they_are() {
        for pattern in [
            r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)",
            r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"##,
        ] {
            assert_eq!(translate(pattern), pattern);
        }
    }
}
