//! A Rust file as names and punctuation, without comments, literals and tests.

/// A name, or a punctuation mark; `::` is one mark.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token(String);

impl Token {
    pub(super) fn is(&self, text: &str) -> bool {
        self.0 == text
    }

    /// The name, if it is one that can be part of a path.
    pub(super) fn name(&self) -> Option<String> {
        let is_name = self.0.starts_with(|c: char| c.is_alphabetic() || c == '_') && !self.is("as");
        is_name.then(|| self.0.clone())
    }
}

/// The tokens of a file.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or_default();
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let mut found = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        match (at(i), at(i + 1)) {
            ('/', '/') => i += chars[i..].iter().position(|c| *c == '\n').unwrap_or(chars.len() - i),
            ('/', '*') => {
                let mut depth = 0;
                loop {
                    match (at(i), at(i + 1)) {
                        ('/', '*') => (depth, i) = (depth + 1, i + 2),
                        ('*', '/') => (depth, i) = (depth - 1, i + 2),
                        _ => i += 1,
                    }
                    if depth == 0 || i >= chars.len() {
                        break;
                    }
                }
            }
            ('"', _) => i = after_string(&chars, i),
            ('r', '"' | '#') | ('b', 'r') if raw_hashes(&chars, i).is_some() => {
                let (start, hashes) = raw_hashes(&chars, i).unwrap();
                let end: String = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
                let rest: String = chars[start..].iter().collect();
                i = start
                    + rest
                        .find(&end)
                        .map_or(rest.chars().count(), |bytes| rest[..bytes].chars().count() + end.len());
            }
            // A character literal; otherwise a lifetime.
            ('\'', '\\') => i += 3 + chars[i + 3..].iter().position(|c| *c == '\'').unwrap_or_default() + 1,
            ('\'', _) if at(i + 2) == '\'' => i += 3,
            ('\'', _) => {
                i += 1;
                while is_name(at(i)) {
                    i += 1;
                }
            }
            (':', ':') => {
                found.push(Token("::".into()));
                i += 2;
            }
            (c, _) if is_name(c) => {
                let end = chars[i..].iter().position(|c| !is_name(*c)).map_or(chars.len(), |n| i + n);
                found.push(Token(chars[i..end].iter().collect()));
                i = end;
            }
            (c, _) => {
                if !c.is_whitespace() {
                    found.push(Token(c.into()));
                }
                i += 1;
            }
        }
    }
    found
}

fn after_string(chars: &[char], start: usize) -> usize {
    let mut i = start + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

/// Where the text of a raw string literal begins, and the number of its hashes.
fn raw_hashes(chars: &[char], start: usize) -> Option<(usize, usize)> {
    let mut i = start + if chars[start] == 'b' { 2 } else { 1 };
    let first = i;
    while chars.get(i) == Some(&'#') {
        i += 1;
    }
    (chars.get(i) == Some(&'"')).then_some((i + 1, i - first))
}

/// The tokens without the items that are preceded by `#[cfg(test)]`.
pub(super) fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if !mark.iter().enumerate().all(|(n, text)| tokens.get(i + n).is_some_and(|token| token.is(text))) {
            kept.push(tokens[i].clone());
            i += 1;
            continue;
        }
        i += mark.len();
        // The item ends with its outermost braces, or with a semicolon before any braces.
        let mut depth = 0_usize;
        while i < tokens.len() {
            let token = &tokens[i];
            i += 1;
            depth += usize::from(token.is("{"));
            if token.is("}") {
                depth -= 1;
            }
            if depth == 0 && (token.is("}") || token.is(";")) {
                break;
            }
        }
    }
    kept
}
