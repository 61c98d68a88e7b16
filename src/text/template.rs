//! Prompt templates, such as `It was {text} [MASK] .`

use std::ops::Range;

use crate::error::{Result, bail};

/// The placeholder for the mask in every template, independent of the model's own spelling.
const MASK: &str = "[MASK]";

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Text,
    TextB,
    Mask,
}

/// A prompt with placeholders for a row's texts and, for a masked language model, for the predicted
/// word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
    /// The model's spelling of its mask.
    mask: Option<String>,
}

/// A rendered template with the byte ranges of the row's texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub(crate) string: String,
    pub(crate) text: Vec<Range<usize>>,
    pub(crate) text_b: Vec<Range<usize>>,
}

impl Template {
    /// Parses a template. `{text}` and `{text_b}` are replaced by a row's texts. `[MASK]`, or the
    /// model's own spelling `mask`, is the word to predict. `{{` and `}}` are braces.
    ///
    /// # Errors
    /// `invalid-argument` if there is another placeholder, an unclosed brace, no `{text}`, or more
    /// than one mask.
    pub fn parse(template: &str, mask: Option<&str>) -> Result<Self> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut rest = template;
        let mask = mask.filter(|m| !m.is_empty());
        while let Some(first) = rest.chars().next() {
            let (part, length) = if let Some(escaped) = ["{{", "}}"].iter().find(|e| rest.starts_with(**e)) {
                literal.push_str(&escaped[1..]);
                (None, escaped.len())
            } else if let Some(spelling) =
                [Some(MASK), mask].into_iter().flatten().find(|m| rest.starts_with(m))
            {
                (Some(Part::Mask), spelling.len())
            } else if first == '{' {
                let Some(end) = rest.find('}') else {
                    bail!(
                        InvalidArgument,
                        "template {template:?}: expected `}}` after `{{`, found the end; write `{{{{` for a brace"
                    );
                };
                let part = match &rest[1..end] {
                    "text" => Part::Text,
                    "text_b" => Part::TextB,
                    other => bail!(
                        InvalidArgument,
                        "template {template:?}: expected {{text}} or {{text_b}}, found {{{other}}}; write `{{{{` for a brace"
                    ),
                };
                (Some(part), end + 1)
            } else {
                literal.push(first);
                (None, first.len_utf8())
            };
            if let Some(part) = part {
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                parts.push(part);
            }
            rest = &rest[length..];
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        if !parts.contains(&Part::Text) {
            bail!(InvalidArgument, "template {template:?}: expected {{text}}, found none");
        }
        let masks = parts.iter().filter(|p| **p == Part::Mask).count();
        if masks > 1 {
            bail!(InvalidArgument, "template {template:?}: expected at most one mask, found {masks}");
        }
        Ok(Template { parts, mask: mask.map(str::to_string) })
    }

    /// Whether the template has a place for the second text of a pair.
    pub(crate) fn has_text_b(&self) -> bool {
        self.parts.contains(&Part::TextB)
    }

    /// Whether the template has a mask.
    pub fn has_mask(&self) -> bool {
        self.parts.contains(&Part::Mask)
    }

    /// Whether the template starts with the mask.
    pub(crate) fn starts_with_mask(&self) -> bool {
        self.parts.first() == Some(&Part::Mask)
    }

    /// Whether the rendered template ends in white space, so that the next word needs no leading
    /// space.
    pub(crate) fn ends_with_space(&self) -> bool {
        matches!(self.parts.last(), Some(Part::Literal(text)) if text.ends_with(char::is_whitespace))
    }

    /// The same template with a text before it.
    pub(crate) fn after(&self, text: &str) -> Template {
        let parts = std::iter::once(Part::Literal(text.to_owned())).chain(self.parts.iter().cloned());
        Template { parts: parts.collect(), mask: self.mask.clone() }
    }

    /// Renders the prompt for these texts, with the model's spelling of the mask. If a text
    /// contains the mask's spelling, a space is inserted into it, so that it remains text.
    ///
    /// # Errors
    /// `data-invalid` if the template has `{text_b}` but there is no second text.
    pub fn render(&self, text: &str, text_b: Option<&str>) -> Result<String> {
        Ok(self.render_ranges(text, text_b)?.string)
    }

    pub(crate) fn render_ranges(&self, text: &str, text_b: Option<&str>) -> Result<Rendered> {
        let mut out = Rendered { string: String::new(), text: Vec::new(), text_b: Vec::new() };
        for part in &self.parts {
            let start = out.string.len();
            match part {
                Part::Literal(literal) => out.string.push_str(literal),
                Part::Mask => out.string.push_str(self.mask.as_deref().unwrap_or(MASK)),
                Part::Text => {
                    out.string.push_str(&self.without_mask(text));
                    out.text.push(start..out.string.len());
                }
                Part::TextB => {
                    let Some(text_b) = text_b else {
                        bail!(
                            DataInvalid,
                            "field `text_b`: expected a text, because the template has {{text_b}}, found none"
                        );
                    };
                    out.string.push_str(&self.without_mask(text_b));
                    out.text_b.push(start..out.string.len());
                }
            }
        }
        Ok(out)
    }

    fn without_mask(&self, text: &str) -> String {
        match self.mask.as_deref().and_then(|mask| Some((mask, mask.chars().next()?))) {
            Some((mask, first)) => {
                let broken = format!("{first} {}", &mask[first.len_utf8()..]);
                text.replace(mask, &broken)
            }
            None => text.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn renders_places_and_keeps_the_rest() {
        let t = Template::parse("{text}? [MASK], {text_b}", Some("<mask>")).unwrap();
        assert_eq!(t.render("a", Some("b")).unwrap(), "a? <mask>, b");
        assert!(t.has_mask() && !t.starts_with_mask() && !t.ends_with_space());
        let own = Template::parse("{text}? <mask>, {text_b}", Some("<mask>")).unwrap();
        assert_eq!(own, t);
        let braces = Template::parse("{{x}} {text} } é\n", None).unwrap();
        assert_eq!(braces.render("{text}", None).unwrap(), "{x} {text} } é\n");
        assert!(braces.ends_with_space());
    }

    #[test]
    fn ranges_are_those_of_the_texts() {
        let t = Template::parse("é {text} [MASK] {text_b}{text}", Some("[MASK]")).unwrap();
        let r = t.render_ranges("naïve [MASK]", Some("")).unwrap();
        assert_eq!(r.string, "é naïve [ MASK] [MASK] naïve [ MASK]");
        assert_eq!(r.text.iter().map(|x| &r.string[x.clone()]).collect::<Vec<_>>(), ["naïve [ MASK]"; 2]);
        assert_eq!(&r.string[r.text_b[0].clone()], "");
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for bad in [
            "It was [MASK]",
            "",
            "{text} {label}",
            "{text",
            "{text} {",
            "{text} [MASK] [MASK]",
            "{Text}",
            "{}",
        ] {
            let e = Template::parse(bad, Some("[MASK]")).unwrap_err();
            assert_eq!(e.code(), Code::InvalidArgument, "{bad}");
        }
        assert!(Template::parse("{text} [MASK] <mask>", Some("<mask>")).is_err());
        let t = Template::parse("{text} {text_b}", None).unwrap();
        let e = t.render("a", None).unwrap_err();
        assert_eq!(e.code(), Code::DataInvalid);
        assert!(e.message().contains("text_b"));
    }

    #[test]
    fn no_template_text_panics() {
        let bits = ["{", "}", "text", "text_b", "[MASK]", "é", " ", "{{", "}}", "{text}"];
        for n in 0..10_000usize {
            let s: String = (0..4).map(|k| bits[n / 10usize.pow(k) % 10]).collect();
            if let Ok(t) = Template::parse(&s, Some("[MASK]")) {
                let _ = t.render("[MASK", Some("]"));
            }
        }
    }
}
