//! Prompt templates: `It was [MASK]. {text}`.

use crate::error::{Result, bail};

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Literal(String),
    /// The example's text.
    Text,
    /// The example's second text.
    TextB,
    /// The gap that a masked model fills.
    Mask,
}

/// A prompt with places for an example's texts, and the mask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

/// What stands for a piece. `<mask>` is how RoBERTa spells the same.
const MARKS: [(&str, Piece); 4] =
    [("{text_b}", Piece::TextB), ("{text}", Piece::Text), ("[MASK]", Piece::Mask), ("<mask>", Piece::Mask)];

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// `data-invalid` when `{text}` does not occur, `[MASK]` occurs more than once, or braces hold something else.
    pub fn parse(text: &str) -> Result<Template> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if let Some((mark, piece)) = MARKS.iter().find(|(mark, _)| rest.starts_with(mark)) {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(piece.clone());
                rest = &rest[mark.len()..];
                continue;
            }
            if first == '{'
                && let Some((name, _)) = rest[1..].split_once('}')
                && name.chars().all(|c| c.is_alphanumeric() || c == '_')
            {
                bail!(DataInvalid, "template {text:?}: {{{name}}}, expected {{text}} or {{text_b}}");
            }
            literal.push(first);
            rest = &rest[first.len_utf8()..];
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        if !pieces.contains(&Piece::Text) {
            bail!(DataInvalid, "template {text:?}: {{text}} does not occur in it");
        }
        if pieces.iter().filter(|p| **p == Piece::Mask).count() > 1 {
            bail!(DataInvalid, "template {text:?}: [MASK] occurs more than once");
        }
        Ok(Template { pieces })
    }

    /// The pieces in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether it has a mask.
    pub fn has_mask(&self) -> bool {
        self.pieces.contains(&Piece::Mask)
    }

    /// Whether the mask, or what follows the template, comes right after white space, or at the text's start.
    pub fn gap_after_space(&self) -> bool {
        let gap = self.pieces.iter().position(|p| *p == Piece::Mask).unwrap_or(self.pieces.len());
        match self.pieces[..gap].last() {
            Some(Piece::Literal(before)) => before.ends_with(char::is_whitespace),
            Some(_) => false,
            None => true,
        }
    }

    /// The prompt for an example, with `mask` in the mask's place. The texts are put in as they are, but for the mask's own spelling, which
    /// is broken up so that there is one mask.
    pub fn render(&self, text: &str, text_b: &str, mask: &str) -> String {
        let plain = |text: &str| match mask {
            "" => text.to_owned(),
            mask => {
                let mut chars = mask.chars();
                let (first, rest) = (chars.next().map(String::from).unwrap_or_default(), chars.as_str());
                text.replace(mask, &format!("{first} {rest}"))
            }
        };
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(literal) => literal.clone(),
                Piece::Text => plain(text),
                Piece::TextB => plain(text_b),
                Piece::Mask => mask.to_owned(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn pieces_are_found() {
        let template = Template::parse("{text}? [MASK], {text_b}").unwrap();
        assert_eq!(template.render("a", "b", "<mask>"), "a? <mask>, b");
        assert!(template.gap_after_space());
        assert!(!Template::parse("{text} It was").unwrap().gap_after_space());
    }

    #[test]
    fn the_examples_own_mask_is_no_mask() {
        let template = Template::parse("{text} [MASK]").unwrap();
        assert_eq!(template.render("a [MASK] b", "", "[MASK]"), "a [ MASK] b [MASK]");
    }

    #[test]
    fn bad_templates_are_refused() {
        for bad in ["", "no text", "{text} {label}", "{text} [MASK] [MASK]"] {
            assert_eq!(Template::parse(bad).unwrap_err().code(), Code::DataInvalid, "{bad}");
        }
        assert!(Template::parse("{text} {\"json\": 1}").is_ok());
    }
}
