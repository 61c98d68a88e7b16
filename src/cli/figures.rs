//! Formats the figures of an evaluation, as JSON fields and as sentences.

use serde_json::{Map, Value, json};

use crate::text::figures::{LabelFigures, WrongRow};
use crate::train::{EvaluationReport, ReadoutReport};

/// The fields of a report that explain its accuracy; empty for data without labels or answers.
pub(super) fn fields(report: &EvaluationReport) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    if let Some(f1) = report.f1 {
        add("f1", json!(f1));
    }
    if let Some(interval) = report.interval {
        add("interval", json!(interval));
    }
    if let Some(labels) = &report.labels {
        add("baseline", json!(labels.baseline));
        add("baseline_label", json!(labels.baseline_label));
        add("per_label", json!(labels.per_label));
        add("verdict", json!(labels.verdict));
        add("notes", json!(labels.notes));
    }
    fields
}

/// Adds a loss to a JSON object, if there is one.
pub(super) fn add_loss(object: &mut Value, name: &str, loss: Option<f64>) {
    if let Some(loss) = loss {
        object[name] = json!(loss);
    }
}

/// The accuracy with its interval and its baseline, on one line; empty for data without labels or answers.
pub(super) fn accuracy(report: &EvaluationReport) -> String {
    let (Some(accuracy), Some([low, high])) = (report.accuracy, report.interval) else {
        return String::new();
    };
    let baseline = report.labels.as_ref().map_or(String::new(), |labels| {
        format!("; always answering {:?} gives {}", labels.baseline_label, percent(labels.baseline))
    });
    format!("accuracy {} (95% interval {} to {}{baseline})", percent(accuracy), percent(low), percent(high))
}

/// The result of a readout's fit, on one line.
pub(super) fn readout(report: &ReadoutReport) -> String {
    let seconds = report.ms / 1e3;
    let held_out = report.held_out.as_ref().map_or(String::new(), |seen| {
        format!(", held-out loss {:.4} on {} rows, {}", seen.loss, seen.examples, accuracy(seen))
    });
    format!("{:>6} rows: loss {:.4}{held_out}, {seconds:.1} s", report.rows, report.loss)
}

/// What the accuracy means, and the result of each label, with one sentence per line.
pub(super) fn sentences(report: &EvaluationReport) -> Vec<String> {
    let Some(labels) = &report.labels else { return Vec::new() };
    let names: Vec<&str> = labels.per_label.iter().map(|label| label.label.as_str()).collect();
    let per_label =
        labels.per_label.iter().filter(|label| label.rows > 0).map(|label| sentence(label, &names));
    labels.notes.iter().cloned().chain(per_label).collect()
}

/// The result of the rows of one label.
fn sentence(label: &LabelFigures, names: &[&str]) -> String {
    let mut mistakes: Vec<(usize, &str)> =
        label.confusion.iter().copied().zip(names.iter().copied()).collect();
    mistakes.retain(|(count, name)| *count > 0 && *name != label.label);
    // Most frequent mistake first.
    mistakes.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    let mistakes: Vec<String> =
        mistakes.iter().map(|(count, name)| format!(", {count} answered as {name:?}")).collect();
    let mistaken = mistakes.concat();
    let recall = label.recall.map_or(String::new(), |recall| format!(" ({})", percent(recall)));
    let precision = label.precision.map_or_else(
        || "it was never given as an answer".to_owned(),
        |precision| format!("the answer {:?} is right {} of the time", label.label, percent(precision)),
    );
    format!("{:?}: {} of {} correct{recall}{mistaken}; {precision}.", label.label, label.correct, label.rows)
}

/// A row that was answered wrongly, with the beginning of each of its texts.
pub(super) fn wrong(row: &WrongRow) -> String {
    let beginning = |text: &str| {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let start: String = line.chars().take(100).collect();
        let more = if start.len() < line.len() { "…" } else { "" };
        format!("{start}{more}")
    };
    let second = row.text_b.as_deref().map_or(String::new(), |text| format!(" | {}", beginning(text)));
    let WrongRow { row, text, label, answered, .. } = row;
    format!("row {row}: {label:?} was answered as {answered:?}: {}{second}", beginning(text))
}

fn percent(share: f64) -> String {
    format!("{:.1}%", share * 100.0)
}
