//! The figures of an evaluation on rows with labels: the accuracy with its confidence interval, a baseline to compare it with, and
//! the results of each label.
//!
//! An accuracy alone says little. If 70% of the rows have the same label, a model that always gives that label is right for 70% of
//! them without having learned anything. So the accuracy is always reported with that baseline, and a sentence says whether there
//! are enough rows to distinguish the two.

use serde::Serialize;

use crate::text::rows::Rows;

/// The standard normal quantile of a two-sided interval at 95%.
const Z: f64 = 1.959_963_984_540_054;

/// With fewer rows than this, an accuracy says very little.
const FEW: usize = 30;
/// With fewer rows than this, nothing is claimed about what was learned.
const TOO_FEW: usize = 10;

/// The label of a row and the answer to it, as indices into the labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The label that the row has.
    pub expected: u32,
    /// The label that the model gave it.
    pub answered: u32,
}

/// The result of an evaluation on rows with labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Figures {
    /// The share of the rows that have the commonest label: the accuracy of always answering it.
    pub baseline: f64,
    /// The commonest label; the first one of several.
    pub baseline_label: String,
    /// The result of each label, in the order in which the model has them.
    pub per_label: Vec<LabelFigures>,
    /// Whether the accuracy is distinguishable from the baseline.
    pub verdict: Verdict,
    /// What a person has to know about the accuracy, in sentences; the first one states the verdict.
    pub notes: Vec<String>,
    /// The answer to each row.
    pub answers: Vec<Answer>,
}

/// The result of the rows of one label.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelFigures {
    /// The label.
    pub label: String,
    /// The number of rows that have it.
    pub rows: usize,
    /// The number of these rows that the model answered with it.
    pub correct: usize,
    /// `correct / rows`; none where no row has the label.
    pub recall: Option<f64>,
    /// The share of the rows that were answered with this label that do have it; none where no row was answered with it.
    pub precision: Option<f64>,
    /// How many of its rows were answered with each label, in the order of the labels: a row of the confusion matrix.
    pub confusion: Vec<usize>,
}

/// A row that was answered wrongly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrongRow {
    /// The row, as in [`crate::text::rows::Classified::row`].
    pub row: usize,
    /// Its text; the first one of a pair.
    pub text: String,
    /// The second text of a pair.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_b: Option<String>,
    /// Its label.
    pub label: String,
    /// The label that the model gave it.
    pub answered: String,
}

/// How the 95% interval of the accuracy compares with the baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The whole interval is above the baseline.
    Better,
    /// The interval contains the baseline, so these rows do not show that the answers are better than it.
    NotBetter,
    /// The whole interval is below the baseline.
    Worse,
    /// There are fewer than 10 rows, or so few that even an accuracy of 100% could not be distinguished from the baseline.
    TooFew,
    /// All rows have the same label.
    OneLabel,
}

/// Wilson's score interval of a proportion at 95%: `right` of `rows`. It is `[0, 1]` if there are no rows.
///
/// E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference" (1927); statsmodels calls it
/// `proportion_confint(method="wilson")`.
pub fn wilson(right: usize, rows: usize) -> [f64; 2] {
    if rows == 0 {
        return [0.0, 1.0];
    }
    let (n, share) = (rows as f64, right as f64 / rows as f64);
    let center = share + Z * Z / (2.0 * n);
    let spread = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    // Rounding must not exclude the proportions 0 and 1 themselves.
    let low = if right == 0 { 0.0 } else { (center - spread) / scale };
    let high = if right == rows { 1.0 } else { (center + spread) / scale };
    [low, high]
}

impl Figures {
    /// Computes the figures for the answers to some rows. Indices beyond `labels` are ignored.
    pub fn of(labels: &[String], answers: Vec<Answer>) -> Figures {
        let mut confusion = vec![vec![0_usize; labels.len()]; labels.len()];
        for Answer { expected, answered } in &answers {
            let cell = confusion.get_mut(*expected as usize).and_then(|row| row.get_mut(*answered as usize));
            cell.into_iter().for_each(|count| *count += 1);
        }
        let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
        let per_label: Vec<LabelFigures> = labels
            .iter()
            .enumerate()
            .map(|(at, label)| {
                let rows = confusion[at].iter().sum();
                let correct = confusion[at][at];
                let answered = confusion.iter().map(|row| row[at]).sum();
                LabelFigures {
                    label: label.clone(),
                    rows,
                    correct,
                    recall: share(correct, rows),
                    precision: share(correct, answered),
                    confusion: confusion[at].clone(),
                }
            })
            .collect();
        let rows: usize = per_label.iter().map(|label| label.rows).sum();
        // `max_by_key` returns the last of several equal elements.
        let commonest = per_label.iter().rev().max_by_key(|label| label.rows);
        let (most, baseline_label) =
            commonest.map_or((0, String::new()), |label| (label.rows, label.label.clone()));
        let baseline = share(most, rows).unwrap_or(0.0);
        let right = per_label.iter().map(|label| label.correct).sum();
        let verdict = Verdict::of(right, rows, most);
        let notes = notes(verdict, rows, baseline, &baseline_label, &per_label);
        Figures { baseline, baseline_label, per_label, verdict, notes, answers }
    }

    /// The rows that were answered wrongly, in order.
    pub fn wrong(&self, rows: &Rows) -> Vec<WrongRow> {
        let name =
            |at: u32| self.per_label.get(at as usize).map_or("", |label| label.label.as_str()).to_owned();
        let wrong = self.answers.iter().enumerate().filter(|(_, answer)| answer.expected != answer.answered);
        let described = wrong.filter_map(|(at, answer)| {
            let (row, text, text_b) = match rows {
                Rows::Classified(rows) => rows.get(at).map(|row| (row.row, &row.text, &row.text_b)),
                Rows::Questions(rows) => rows.get(at).map(|row| (row.row, &row.prompt, &None)),
                Rows::Completion(_) | Rows::Chat(_) | Rows::Plain(_) => None,
            }?;
            let (label, answered) = (name(answer.expected), name(answer.answered));
            Some(WrongRow { row, text: text.clone(), text_b: text_b.clone(), label, answered })
        });
        described.collect()
    }
}

impl Verdict {
    /// The verdict for `right` right answers to `rows` rows, `most` of which have the most common label.
    fn of(right: usize, rows: usize, most: usize) -> Verdict {
        let baseline = most as f64 / rows.max(1) as f64;
        let [low, high] = wilson(right, rows);
        let [low_at_best, _] = wilson(rows, rows);
        match () {
            () if rows < TOO_FEW => Verdict::TooFew,
            () if most == rows => Verdict::OneLabel,
            () if low_at_best <= baseline => Verdict::TooFew,
            () if low > baseline => Verdict::Better,
            () if high < baseline => Verdict::Worse,
            () => Verdict::NotBetter,
        }
    }
}

/// Sentences about the verdict and about anything else that is notable.
fn notes(
    verdict: Verdict,
    rows: usize,
    baseline: f64,
    commonest: &str,
    per_label: &[LabelFigures],
) -> Vec<String> {
    let share = format!("{:.1}%", baseline * 100.0);
    let examples = if rows == 1 { "1 example".to_owned() } else { format!("{rows} examples") };
    let mut notes = vec![match verdict {
        Verdict::Better => {
            format!("This is better than always answering {commonest:?}, which would be right for {share}.")
        }
        Verdict::NotBetter => format!(
            "This is not shown to be better than always answering {commonest:?}, which would be right for {share}: {examples} \
             cannot tell the two apart."
        ),
        Verdict::Worse => {
            format!("This is worse than always answering {commonest:?}, which would be right for {share}.")
        }
        Verdict::TooFew => format!(
            "{examples} {} too few to say whether this is better than always answering {commonest:?}, which would be right for {share}.",
            if rows == 1 { "is" } else { "are" }
        ),
        Verdict::OneLabel => format!(
            "All {examples} have the label {commonest:?}, so the accuracy does not show whether the model distinguishes labels. \
             Evaluate on examples of at least two labels."
        ),
    }];
    let given = |label: &LabelFigures, at: usize| label.confusion.get(at).copied().unwrap_or(0);
    let answered: Vec<usize> =
        (0..per_label.len()).map(|at| per_label.iter().map(|label| given(label, at)).sum()).collect();
    if rows > 1
        && verdict != Verdict::OneLabel
        && let Some(only) = answered.iter().position(|count| *count == rows)
    {
        notes.push(format!("Every example was answered with {:?}.", per_label[only].label));
    }
    let one_label = per_label.iter().filter(|label| label.rows > 0).count() == 1;
    if one_label && verdict == Verdict::TooFew {
        notes.push(format!("All of them have the label {commonest:?}."));
    }
    if rows < FEW && !matches!(verdict, Verdict::TooFew | Verdict::OneLabel) {
        notes.push(format!("{examples} are few, so the interval is wide."));
    }
    notes
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn goldens() -> Value {
        serde_json::from_str(include_str!("../../tests/golden/figures.json")).unwrap()
    }

    fn close(found: f64, expected: &Value) -> bool {
        (found - expected.as_f64().unwrap()).abs() < 1e-12
    }

    fn answers(expected: &[u32], answered: &[u32]) -> Vec<Answer> {
        expected
            .iter()
            .zip(answered)
            .map(|(expected, answered)| Answer { expected: *expected, answered: *answered })
            .collect()
    }

    fn figures(labels: &[&str], expected: &[u32], answered: &[u32]) -> Figures {
        let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        Figures::of(&labels, answers(expected, answered))
    }

    #[test]
    fn intervals_are_those_of_statsmodels() {
        for case in goldens()["intervals"].as_array().unwrap() {
            let count = |name: &str| usize::try_from(case[name].as_u64().unwrap()).unwrap();
            let [low, high] = wilson(count("right"), count("rows"));
            assert!(close(low, &case["low"]) && close(high, &case["high"]), "{case}: {low} to {high}");
        }
        assert_eq!(wilson(0, 0), [0.0, 1.0]);
    }

    #[test]
    fn results_of_labels_are_those_of_scikit_learn() {
        for case in goldens()["cases"].as_array().unwrap() {
            let list = |name: &str| -> Vec<u32> { serde_json::from_value(case[name].clone()).unwrap() };
            let names: Vec<String> =
                (0..case["labels"].as_u64().unwrap()).map(|at| format!("label {at}")).collect();
            let found = Figures::of(&names, answers(&list("expected"), &list("answered")));
            assert!(close(found.baseline, &case["baseline"]), "{case}");
            let rows: usize = found.per_label.iter().map(|label| label.rows).sum();
            let correct: usize = found.per_label.iter().map(|label| label.correct).sum();
            assert!(close(correct as f64 / rows as f64, &case["accuracy"]), "{case}");
            for (at, label) in found.per_label.iter().enumerate() {
                assert_eq!(serde_json::json!(label.confusion), case["confusion"][at]);
                for (found, expected) in
                    [(label.recall, &case["recall"][at]), (label.precision, &case["precision"][at])]
                {
                    let same = found.map_or(expected.is_null(), |found| close(found, expected));
                    assert!(same, "{}: {label:?}", case["name"]);
                }
            }
        }
    }

    #[test]
    fn the_verdict_compares_with_the_commonest_label() {
        let half = [vec![0; 20], vec![1; 20]].concat();
        let most = [vec![0; 30], vec![1; 10]].concat();
        let flipped: Vec<u32> = half.iter().map(|label| 1 - label).collect();
        for (expected, answered, verdict, says) in [
            (
                &half,
                &half,
                Verdict::Better,
                "better than always answering \"real\", which would be right for 50.0%",
            ),
            (&half, &most, Verdict::Better, "better than"),
            (&most, &most, Verdict::Better, "better than"),
            (&most, &vec![0; 40], Verdict::NotBetter, "not shown to be better than always answering"),
            (&half, &flipped, Verdict::Worse, "worse than always answering"),
            (&vec![1; 40], &vec![1; 40], Verdict::OneLabel, "All 40 examples have the label \"junk\""),
            (&vec![0, 1, 0, 1], &vec![0, 1, 0, 1], Verdict::TooFew, "4 examples are too few"),
            // Of 40 rows, 39 have one label, so right answers to all of them could be chance.
            (&[vec![0; 39], vec![1]].concat(), &[vec![0; 39], vec![1]].concat(), Verdict::TooFew, "too few"),
        ] {
            let found = figures(&["real", "junk"], expected, answered);
            assert_eq!(found.verdict, verdict, "{found:?}");
            assert!(found.notes[0].contains(says), "{:?}", found.notes);
        }
    }

    #[test]
    fn what_stands_out_is_said() {
        let half = [vec![0; 10], vec![1; 10]].concat();
        let always = figures(&["가족", "Arbeit 🙂"], &half, &[1; 20]);
        assert_eq!(always.baseline_label, "가족", "the first of the commonest");
        assert_eq!(
            always.notes[1..],
            [
                "Every example was answered with \"Arbeit 🙂\".",
                "20 examples are few, so the interval is wide."
            ]
        );
        let one = figures(&["a", "b"], &[0; 4], &[0; 4]);
        assert!(one.notes.contains(&"All of them have the label \"a\".".to_owned()), "{:?}", one.notes);
        assert_eq!(figures(&["a", "b"], &[], &[]).baseline, 0.0);
    }

    #[test]
    fn wrong_rows_are_listed_with_their_texts() {
        let read = |text: &str| crate::text::dataset::read("x.csv", text.as_bytes()).unwrap();
        let data = read("text,label\n좋아요,a\n\nno,b\nja,b\n");
        let found = figures(&["a", "b"], &[0, 1, 1], &[1, 0, 1]);
        let wrong = |row, text: &str, label: &str, answered: &str| WrongRow {
            row,
            text: text.to_owned(),
            text_b: None,
            label: label.to_owned(),
            answered: answered.to_owned(),
        };
        assert_eq!(found.wrong(&data.rows), [wrong(2, "좋아요", "a", "b"), wrong(4, "no", "b", "a")]);
        let pairs = read("text,text_b,label\n좋아요,ja,a\nno,,b\n");
        let second = |text_b: &str| Some(text_b.to_owned());
        let first = WrongRow { text_b: second("ja"), ..wrong(2, "좋아요", "a", "b") };
        let expected = [first, WrongRow { text_b: second(""), ..wrong(3, "no", "b", "a") }];
        assert_eq!(figures(&["a", "b"], &[0, 1], &[1, 0]).wrong(&pairs.rows), expected);
    }
}
