//! In-context learning: training rows with their answers are placed before every evaluated row, as in the tables of the MeZO paper
//! (arXiv 2305.17333). Nothing is trained.

use super::encoder::{ANSWER_TOKENS, ExampleEncoder};
use super::session::Session;
use crate::error::{Result, bail};
use crate::text::encode::HeadKind;
use crate::text::rows::{Classified, Dataset, Reply, Rows};
use crate::zo::random::sample_order;

/// The separator after each demonstration: a blank line, as in the paper's code.
const SEPARATOR: &str = "\n\n";

/// The default maximum tokens of an example with demonstrations, the same as for the paper's causal models.
pub const IN_CONTEXT_LENGTH: u32 = 2048;

/// Rows with their answers, as one text to put before a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demonstrations {
    /// The row of the file that each demonstration comes from, in the order of the text.
    pub rows: Vec<usize>,
    /// The number of demonstrations with each label. Empty for rows without labels.
    pub per_label: Vec<(String, usize)>,
    /// The text, including the blank line at its end.
    pub text: String,
}

/// A row as a demonstration.
struct Shown {
    class: usize,
    row: usize,
    text: String,
}

impl Demonstrations {
    /// Draws `count` rows of `data` in the order of [`sample_order`], the same number for each label. If `count` is not a multiple
    /// of the number of labels, the labels that are drawn first get one more. The rows are written as the encoder's prompts with
    /// the right answers.
    ///
    /// # Errors
    /// `invalid-argument` if the model is not causal, the rows are of a kind without prompts, or a label has too few of them;
    /// `data-invalid` naming a row that does not fit the template.
    pub fn draw(
        session: &Session,
        encoder: &ExampleEncoder,
        data: &Dataset,
        count: u32,
        seed: u64,
    ) -> Result<Self> {
        if session.head() != HeadKind::CausalLm {
            bail!(
                InvalidArgument,
                "in-context learning: expected a causal model, found a {} model, which fills masks",
                session.model.spec().family
            );
        }
        let (names, shown) = shown(encoder, &data.rows).map_err(|e| e.at(&data.name))?;
        let classes: Vec<usize> = shown.iter().map(|one| one.class).collect();
        let chosen = balanced(&classes, count as usize, seed);
        let of = |class: usize, of: &[usize]| of.iter().filter(|i| classes.get(**i) == Some(&class)).count();
        if chosen.len() < count as usize {
            let all: Vec<usize> = (0..classes.len()).collect();
            let has = names
                .iter()
                .enumerate()
                .map(|(class, name)| format!(", {} of them {name:?}", of(class, &all)));
            bail!(
                InvalidArgument,
                "{}: expected rows for {count} demonstrations, with equal numbers of each label, found {} rows{}",
                data.name,
                shown.len(),
                has.collect::<String>()
            );
        }
        let per_label =
            names.iter().enumerate().map(|(class, name)| (name.clone(), of(class, &chosen))).collect();
        let chosen: Vec<&Shown> = chosen.iter().filter_map(|i| shown.get(*i)).collect();
        let text = chosen.iter().map(|one| format!("{}{SEPARATOR}", one.text.trim())).collect();
        Ok(Demonstrations { rows: chosen.iter().map(|one| one.row).collect(), per_label, text })
    }

    /// The encoder and the data with the demonstrations added before each prompt.
    pub fn put_before(&self, encoder: &ExampleEncoder, data: &Dataset) -> (ExampleEncoder, Dataset) {
        let mut data = data.clone();
        let before = |prompt: &mut String| prompt.insert_str(0, &self.text);
        match &mut data.rows {
            Rows::Completion(rows) => rows.iter_mut().for_each(|row| before(&mut row.prompt)),
            Rows::Questions(rows) => rows.iter_mut().for_each(|row| before(&mut row.prompt)),
            Rows::Classified(_) | Rows::Chat(_) | Rows::Plain(_) => {}
        }
        let encoder = match encoder {
            ExampleEncoder::Classification { template, labels } => ExampleEncoder::Classification {
                template: template.after(&self.text),
                labels: labels.clone(),
            },
            other => other.clone(),
        };
        (encoder, data)
    }
}

/// The labels, and every row with its answer.
fn shown(encoder: &ExampleEncoder, rows: &Rows) -> Result<(Vec<String>, Vec<Shown>)> {
    Ok(match (encoder, rows) {
        (ExampleEncoder::Classification { template, labels }, Rows::Classified(rows)) => {
            let space = if template.ends_with_space() { "" } else { " " };
            let show = |row: &Classified| -> Result<Shown> {
                let class = labels.index_of(&row.label)? as usize;
                let prompt = template.render(&row.text, row.text_b.as_deref())?;
                let word = labels.words.get(class).map_or("", String::as_str);
                Ok(Shown { class, row: row.row, text: format!("{prompt}{space}{word}") })
            };
            let shown = rows.iter().map(|row| show(row).map_err(|e| e.at(format!("row {}", row.row))));
            (labels.names.clone(), shown.collect::<Result<_>>()?)
        }
        (ExampleEncoder::LanguageModel, Rows::Questions(rows)) => {
            let names = match rows.first().map(|row| (&row.class, &row.reply)) {
                Some((Some(_), Reply::Choice { candidates, .. })) => {
                    candidates.iter().map(|text| text.trim().to_owned()).collect()
                }
                _ => Vec::new(),
            };
            let shown = rows.iter().map(|row| Shown {
                class: row.class.unwrap_or_default() as usize,
                row: row.row,
                text: format!("{}{}", row.prompt, row.reply.trained()),
            });
            (names, shown.collect())
        }
        (ExampleEncoder::LanguageModel, Rows::Completion(rows)) => {
            let shown = rows.iter().map(|row| Shown {
                class: 0,
                row: row.row,
                text: format!("{}{}", row.prompt, row.completion),
            });
            (Vec::new(), shown.collect())
        }
        (ExampleEncoder::Readout(_), _) => bail!(
            InvalidArgument,
            "in-context learning: expected label words or a task, found a classifier, which reads no answers"
        ),
        _ => bail!(
            InvalidArgument,
            "in-context learning: expected texts with labels and a template, a task, or prompts with completions, found other rows"
        ),
    })
}

/// Indices of `count` rows in the order they are drawn, the same number for each class. There are fewer if a class has too few rows.
fn balanced(classes: &[usize], count: usize, seed: u64) -> Vec<usize> {
    let number = classes.iter().max().map_or(1, |most| most + 1);
    let mut present = vec![false; number];
    classes.iter().for_each(|class| present[*class] = true);
    let present = present.iter().filter(|present| **present).count().max(1);
    let (each, mut more) = (count / present, count % present);
    let mut taken = vec![0; number];
    let mut chosen = sample_order(seed, classes.len());
    chosen.retain(|i| {
        let taken = &mut taken[classes[*i]];
        let extra = *taken == each && more > 0;
        more -= usize::from(extra);
        *taken += 1;
        *taken <= each || extra
    });
    chosen
}

impl Session {
    /// Checks that no demonstration is cut off when rows are truncated to `length` tokens, and returns a sentence about rows whose
    /// own texts are truncated. `encoder` and `data` are the results of [`Demonstrations::put_before`].
    ///
    /// # Errors
    /// `invalid-argument` naming a row that does not fit.
    pub fn check_demonstrations(
        &self,
        encoder: &ExampleEncoder,
        data: &Dataset,
        length: u32,
    ) -> Result<Vec<String>> {
        let lengths = self.whole_lengths(encoder, data)?;
        let longer = lengths.iter().filter(|(_, tokens)| *tokens > length as usize);
        match (longer.clone().next(), &data.rows) {
            (None, _) => Ok(Vec::new()),
            // The encoder truncates the row's text, and rejects a template that leaves no tokens for it.
            (Some(_), Rows::Classified(_)) => Ok(vec![format!(
                "{}: {} of {} texts are truncated, so that they fit into {length} tokens with the demonstrations before them.",
                data.name,
                longer.count(),
                lengths.len()
            )]),
            (Some((row, tokens)), _) => bail!(
                InvalidArgument,
                "{}, row {row}: expected at most {length} tokens with the demonstrations before it, found {tokens}; show fewer of \
                 them, or allow a larger maximum length (the model's context has {} tokens)",
                data.name,
                self.model.spec().max_length
            ),
        }
    }

    /// The number of tokens of each row in its longest form, without truncation.
    fn whole_lengths(&self, encoder: &ExampleEncoder, data: &Dataset) -> Result<Vec<(usize, usize)>> {
        let endless = u32::MAX as usize;
        Ok(match &data.rows {
            Rows::Questions(rows) => {
                let mut lengths = Vec::with_capacity(rows.len());
                for row in rows {
                    let options = self.options(row, endless)?;
                    let longest = options.iter().map(|option| option.ids.len()).max().unwrap_or_default();
                    let written = match row.reply {
                        Reply::Text { .. } => self.prompt(&row.prompt)?.len() + ANSWER_TOKENS as usize,
                        Reply::Choice { .. } => 0,
                    };
                    lengths.push((row.row, longest.max(written)));
                }
                lengths
            }
            rows => {
                let numbers: Vec<usize> = match rows {
                    Rows::Classified(rows) => rows.iter().map(|row| row.row).collect(),
                    Rows::Completion(rows) => rows.iter().map(|row| row.row).collect(),
                    _ => Vec::new(),
                };
                let examples = encoder.encode(self, data, u32::MAX)?.examples;
                numbers.into_iter().zip(examples.iter().map(|example| example.ids.len())).collect()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_of_each_class_are_drawn_in_the_order_of_the_draw() {
        let classes: Vec<usize> = (0..60).map(|i| if i % 10 == 0 { 2 } else { i % 2 }).collect();
        for seed in 0..20 {
            let order = sample_order(seed, classes.len());
            for count in [1, 2, 3, 4, 7, 9, 18] {
                let chosen = balanced(&classes, count, seed);
                assert_eq!(chosen.len(), count);
                let of = |class: usize| chosen.iter().filter(|i| classes[**i] == class).count();
                let counts = [of(0), of(1), of(2)];
                assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
                let places: Vec<usize> =
                    chosen.iter().map(|i| order.iter().position(|o| o == i).unwrap()).collect();
                assert!(places.is_sorted(), "{places:?}");
            }
            // The third class has six rows.
            assert_eq!(balanced(&classes, 21, seed).len(), 20);
        }
        assert_ne!(balanced(&classes, 6, 0), balanced(&classes, 6, 1));
        assert!(balanced(&[], 3, 0).is_empty());
        assert_eq!(balanced(&[0; 5], 5, 1).len(), 5);
    }
}
