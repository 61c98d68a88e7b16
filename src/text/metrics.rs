//! Metrics other than the loss: accuracy, exact match and token F1. They are plain functions, because both evaluation and training
//! use them; training uses them as objectives without a gradient.

use std::collections::BTreeMap;

use crate::text::encode::Target;

/// Number of predictions that equal their target's label.
fn right(predictions: &[u32], targets: &[Target]) -> usize {
    predictions.iter().zip(targets).filter(|(p, t)| **p == t.label).count()
}

/// Share of the targets whose label was predicted; 0 if there are no targets.
pub fn accuracy(predictions: &[u32], targets: &[Target]) -> f64 {
    right(predictions, targets) as f64 / targets.len().max(1) as f64
}

/// F1 of two bags of tokens: 2 precision recall / (precision + recall). It is 0 if they share no
/// token, and 1 if both are empty.
pub fn token_f1<T: Ord>(predicted: &[T], gold: &[T]) -> f64 {
    if predicted.is_empty() || gold.is_empty() {
        return f64::from(u8::from(predicted.len() == gold.len()));
    }
    let mut left: BTreeMap<&T, usize> = BTreeMap::new();
    for token in gold {
        *left.entry(token).or_default() += 1;
    }
    let mut same = 0_usize;
    for token in predicted {
        if let Some(count) = left.get_mut(token).filter(|count| **count > 0) {
            *count -= 1;
            same += 1;
        }
    }
    // 2pr / (p + r) with p = same / predicted and r = same / gold.
    2.0 * same as f64 / (predicted.len() + gold.len()) as f64
}

/// Mean over the examples of a batch of [`token_f1`] between the tokens predicted at an example's
/// targets and the correct ones.
/// `example_targets` is [`crate::text::batch::Batch::example_targets`].
pub fn mean_token_f1(predictions: &[u32], targets: &[Target], example_targets: &[u32]) -> f64 {
    let gold: Vec<u32> = targets.iter().map(|t| t.label).collect();
    let mut sum = 0.0;
    let mut count = 0_usize;
    for bounds in example_targets.windows(2) {
        let range = bounds[0] as usize..bounds[1] as usize;
        if let (Some(predicted), Some(gold)) = (predictions.get(range.clone()), gold.get(range)) {
            sum += token_f1(predicted, gold);
            count += 1;
        }
    }
    sum / count.max(1) as f64
}

/// The rule for comparing an answer in words with the correct ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalize {
    /// The rule of SQuAD's official script: lower case, no ASCII punctuation, no articles, words
    /// separated by one space.
    Squad,
    /// SQuAD's rule with two changes. A word that is a number (a sign, digits, commas between
    /// thousands, a decimal point) is compared by its value, so that `1,000`, `1000` and `1000.0`
    /// are equal and `3.5` is not 35. Hyphens separate words. This is DROP's rule for numbers.
    /// Unlike in its official script, answers of several spans are alternatives and not a set to
    /// match span by span, as in the code of MeZO's authors.
    Drop,
}

impl Normalize {
    /// The words that are compared.
    pub fn words(self, text: &str) -> Vec<String> {
        let lower = text.to_lowercase();
        let separates = |c: char| c.is_whitespace() || (self == Normalize::Drop && c == '-');
        let spaced = match self {
            Normalize::Squad => lower.chars().filter(|c| !c.is_ascii_punctuation()).collect::<String>(),
            Normalize::Drop => lower,
        };
        let word = |word: &str| match (self, number(word)) {
            (Normalize::Drop, Some(value)) => value,
            _ => word.chars().filter(|c| !c.is_ascii_punctuation()).collect(),
        };
        let words = spaced.split(separates).map(word);
        words.filter(|w| !w.is_empty() && !matches!(w.as_str(), "a" | "an" | "the")).collect()
    }

    /// Whether all words of the two texts are equal.
    pub fn exact(self, predicted: &str, gold: &str) -> bool {
        self.words(predicted) == self.words(gold)
    }

    /// The best F1 of `predicted` against any of the correct answers; 0 if there are none. If the
    /// first answer is `no answer` or `CANNOTANSWER`, only that answer counts.
    pub fn f1(self, predicted: &str, golds: &[String]) -> f64 {
        let predicted = self.words(predicted);
        let golds = match golds.first() {
            Some(none) if none == "no answer" || none == "CANNOTANSWER" => {
                return f64::from(u8::from(predicted == self.words(none)));
            }
            _ => golds,
        };
        golds.iter().map(|gold| token_f1(&predicted, &self.words(gold))).fold(0.0, f64::max)
    }
}

/// The value of a word that is a number, in a canonical spelling.
fn number(word: &str) -> Option<String> {
    let trimmed = word.trim_matches(|c: char| c.is_ascii_punctuation() && c != '.');
    let trimmed = trimmed.strip_suffix('.').unwrap_or(trimmed);
    let digits: String = trimmed.chars().filter(|c| *c != ',').collect();
    if !digits.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return None;
    }
    digits.parse::<f64>().ok().map(|value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golds(all: &[&str]) -> Vec<String> {
        all.iter().map(|s| s.to_string()).collect()
    }

    #[test]
    fn accuracy_counts_what_is_right() {
        let target = |label| Target { position: 0, label };
        assert_eq!(accuracy(&[1, 2, 3, 4], &[target(1), target(0), target(3), target(4)]), 0.75);
        assert_eq!(accuracy(&[], &[]), 0.0);
    }

    #[test]
    fn f1_is_of_bags() {
        assert_eq!(token_f1(&[1, 2, 3], &[3, 2, 1]), 1.0);
        assert_eq!(token_f1(&[1, 1, 1], &[1]), 0.5);
        assert_eq!(token_f1(&[1, 2], &[3]), 0.0);
        assert_eq!(token_f1(&[1, 2, 3], &[1, 4]), 2.0 * (1.0 / 3.0) * 0.5 / (1.0 / 3.0 + 0.5));
        assert_eq!((token_f1::<u32>(&[], &[]), token_f1(&[1], &[]), token_f1(&[], &[1])), (1.0, 0.0, 0.0));
        let target = |label| Target { position: 0, label };
        let targets = [target(1), target(2), target(7)];
        assert_eq!(mean_token_f1(&[2, 1, 8], &targets, &[0, 2, 3]), 0.5);
        assert_eq!(mean_token_f1(&[2], &targets, &[0, 2, 3]), 0.0);
    }

    #[test]
    fn words_are_those_of_the_official_script() {
        let words = |text: &str| Normalize::Squad.words(text).join(" ");
        for (text, expected) in [
            ("The  Denver Broncos!", "denver broncos"),
            ("an apple, a day", "apple day"),
            ("theatre", "theatre"),
            ("U.S.-led", "usled"),
            ("1,000", "1000"),
            ("«Größe»", "«größe»"),
            (" \n", ""),
        ] {
            assert_eq!(words(text), expected, "{text:?}");
        }
        assert!(Normalize::Squad.exact("The cat.", "cat"));
        assert_eq!(Normalize::Squad.f1("the big cat", &golds(&["a dog", "big cat sat"])), 0.8);
        assert_eq!(Normalize::Squad.f1("x", &[]), 0.0);
        assert_eq!(Normalize::Squad.f1("no answer", &golds(&["no answer", "x"])), 1.0);
        assert_eq!(Normalize::Squad.f1("x", &golds(&["no answer", "x"])), 0.0);
    }

    #[test]
    fn numbers_are_compared_by_value() {
        let same = |a: &str, b: &str| Normalize::Drop.exact(a, b);
        assert!(same("1,000", "1000") && same("5.0", "5") && same("$20", "20") && same("3.5.", "3.50"));
        assert!(!same("3.5", "35") && !same("50", "5.0") && !same("five", "5"));
        assert!(same("5-yard run", "5 yard run") && same("The 12 yards", "12 yards"));
        for odd in ["-", ".", ",", "1.2.3", "1e5", "-.-", "…", "٣", "1,,2", "99999999999999999999999999"] {
            let _ = Normalize::Drop.words(odd);
        }
    }
}
