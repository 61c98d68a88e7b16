//! Label words: the tokens whose scores represent the labels.

use crate::error::{Result, bail};
use crate::text::encode::HeadKind;
use crate::text::template::Template;
use crate::text::tokenizer::Tokenizer;

/// The labels of a classification task, each with the word that the model predicts for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelWords {
    /// The name of each label in the rows. It is the word itself, unless it was given as `label=word` or `label:word`.
    pub names: Vec<String>,
    /// The label words.
    pub words: Vec<String>,
    /// The token id of each word.
    pub ids: Vec<u32>,
}

impl LabelWords {
    /// Finds the token of each label's word, as the vocabulary spells it within the template. In place of the mask, the word has a
    /// leading space unless the mask starts the template. After the template, it has a leading space unless the template ends in
    /// one. A label is a word, or `label=word` or `label:word` if the rows use another name.
    ///
    /// # Errors
    /// `invalid-argument` if there are fewer than two labels, one is empty or repeated, or the
    /// template does not match the head; `data-invalid` if a word is not a single token, or two
    /// words have the same token.
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

    /// The index of a row's label, given as a name or a word, ignoring case. If the labels are words without other names, and no
    /// word is a number, a row may also give the index itself.
    ///
    /// # Errors
    /// `data-invalid`, naming the label and the known labels.
    pub fn index_of(&self, label: &str) -> Result<u32> {
        let label = label.trim();
        let by = |list: &[String]| list.iter().position(|l| same(l, label));
        let numbered = self.names == self.words && self.words.iter().all(|word| word.parse::<f64>().is_err());
        let by_index = || label.parse::<usize>().ok().filter(|&i| numbered && i < self.names.len());
        match by(&self.names).or_else(|| by(&self.words)).or_else(by_index) {
            Some(i) => Ok(super::index(i)),
            None => {
                let or_index =
                    if numbered { format!(" or an index below {}", self.names.len()) } else { String::new() };
                bail!(
                    DataInvalid,
                    "field `label`: expected {}{or_index}, found {label:?}",
                    self.names.join(", ")
                )
            }
        }
    }
}

/// Returns an error if the head needs a mask and the template has none, or vice versa.
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

/// Splits `label=word` or `label:word`. A separator at either end belongs to the word, as in `:)`.
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
