//! Label words: the tokens whose scores stand for the labels.

use crate::error::{Result, bail};
use crate::text::encode::HeadKind;
use crate::text::template::Template;
use crate::text::tokenizer::Tokenizer;

/// The labels of a classification, each with the word that the model predicts for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelWords {
    /// How rows may spell each label; the word itself unless it was given as `label=word` or `label:word`.
    pub names: Vec<String>,
    /// The words.
    pub words: Vec<String>,
    /// Each word's token.
    pub ids: Vec<u32>,
}

impl LabelWords {
    /// Finds each label's word in the vocabulary as the model spells it in the template: in the mask's place
    /// (after a space unless the mask starts the template), or right after the rendered template (after a space
    /// unless the template ends in one). A label is a word, or `label=word`, or `label:word` where rows name it
    /// otherwise.
    ///
    /// # Errors
    /// `invalid-argument` for fewer than two labels, an empty or repeated one, or a template that does not suit
    /// the head; `data-invalid` when a word is not one token, or two words are the same one.
    pub fn find(
        tokenizer: &Tokenizer,
        head: HeadKind,
        template: &Template,
        labels: &[String],
    ) -> Result<LabelWords> {
        check_template(tokenizer, head, template)?;
        if labels.len() < 2 {
            bail!(InvalidArgument, "labels: expected at least two, found {}", labels.len());
        }
        let leading_space = match head {
            HeadKind::MaskedLm => !template.starts_with_mask(),
            HeadKind::CausalLm => !template.ends_with_space(),
        };
        let mut found = LabelWords { names: Vec::new(), words: Vec::new(), ids: Vec::new() };
        for label in labels {
            let (name, word) = split(label.trim());
            if word.is_empty() {
                bail!(InvalidArgument, "labels: expected words, found an empty one");
            }
            if found.names.iter().any(|n| same(n, name)) {
                bail!(InvalidArgument, "labels: expected distinct labels, found {name:?} twice");
            }
            let id = tokenizer.single_token(word, leading_space)?;
            if let Some(other) = found.ids.iter().position(|&i| i == id) {
                bail!(
                    DataInvalid,
                    "label word {word:?}: expected a token of its own, found that of {:?} ({})",
                    found.words[other],
                    tokenizer.id_to_token(id).unwrap_or_default()
                );
            }
            found.names.push(name.to_string());
            found.words.push(word.to_string());
            found.ids.push(id);
        }
        Ok(found)
    }

    /// The index of a row's label: a name, a word (both in any case), or the index itself.
    ///
    /// # Errors
    /// `data-invalid` naming the label and the known ones.
    pub fn index_of(&self, label: &str) -> Result<u32> {
        let label = label.trim();
        let by = |list: &[String]| list.iter().position(|l| same(l, label));
        let by_index = || label.parse::<usize>().ok().filter(|&i| i < self.names.len());
        match by(&self.names).or_else(|| by(&self.words)).or_else(by_index) {
            Some(i) => Ok(super::index(i)),
            None => bail!(
                DataInvalid,
                "field `label`: expected {} or an index below {}, found {label:?}",
                self.names.join(", "),
                self.names.len()
            ),
        }
    }
}

/// Refuses a template whose mask does not suit the head.
pub(crate) fn check_template(tokenizer: &Tokenizer, head: HeadKind, template: &Template) -> Result<()> {
    match (head, template.has_mask(), tokenizer.mask()) {
        (HeadKind::MaskedLm, false, _) => {
            bail!(InvalidArgument, "template: expected [MASK] for a masked language model, found none")
        }
        (HeadKind::MaskedLm, true, None) => {
            bail!(ModelUnsupported, "tokenizer: expected a token [MASK] or <mask>, found none")
        }
        (HeadKind::CausalLm, true, _) => bail!(
            InvalidArgument,
            "template: expected no [MASK] for a causal language model, whose label word follows the template"
        ),
        _ => Ok(()),
    }
}

/// `label=word` or `label:word`; a separator at either end belongs to the word (`:)`).
fn split(label: &str) -> (&str, &str) {
    match label.split_once(['=', ':']) {
        Some((name, word)) if !name.trim().is_empty() && !word.trim().is_empty() => {
            (name.trim(), word.trim())
        }
        _ => (label, label),
    }
}

fn same(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}
