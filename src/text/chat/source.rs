//! Prepares the text of a template before it is compiled.

/// The text with Jinja2's line ends, in which `generation` and `endgeneration`, which Hugging Face uses to mark an answer, are
/// replaced by tags without effect.
pub(super) fn prepared(source: &str) -> String {
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut out = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start);
        out.push_str(before);
        let Some(end) = tag[2..].find("%}").map(|end| end + 2) else {
            rest = tag;
            break;
        };
        let (tag, after) = tag.split_at(end + 2);
        match tag[2..end].trim_matches(['-', '+']).trim() {
            // Like Hugging Face's block, `with` limits the scope of the variables that are set in it.
            "generation" => out.push_str(&tag.replacen("generation", "with", 1)),
            "endgeneration" => out.push_str(&tag.replacen("endgeneration", "endwith", 1)),
            _ => out.push_str(tag),
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Whether a name occurs in the text as a separate word.
pub(super) fn mentions(source: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    source
        .match_indices(name)
        .any(|(at, _)| !source[..at].ends_with(is_part) && !source[at + name.len()..].starts_with(is_part))
}

/// The maximum number of bytes outside quotes in any tag.
pub(super) fn longest_tag(source: &str) -> usize {
    let (mut longest, mut own) = (0, 0);
    let (mut tag, mut quote, mut brackets) = (false, None, 0_usize);
    let mut bytes = source.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let pair = (byte, bytes.peek().copied().unwrap_or_default());
        match (tag, quote) {
            (false, _) => {
                if matches!(pair, (b'{', b'{' | b'%')) {
                    bytes.next();
                    (tag, own, brackets) = (true, 0, 0);
                }
            }
            (true, Some(end)) => {
                if byte == b'\\' {
                    bytes.next();
                } else if byte == end {
                    quote = None;
                }
            }
            (true, None) => {
                own += 1;
                longest = longest.max(own);
                match pair {
                    (b'\'' | b'"', _) => quote = Some(byte),
                    (b'(' | b'[' | b'{', _) => brackets += 1,
                    (b')' | b']' | b'}', _) if brackets > 0 => brackets -= 1,
                    (b'}', b'}') | (b'%', b'}') => tag = false,
                    _ => {}
                }
            }
        }
    }
    longest
}
