//! In-context learning compared with transformers (`tests/golden/in_context.py`), and what the command line reports about it.

use std::rc::Rc;

use crate::common::compare::numbers;
use crate::common::{device_test, golden};
use pocketllm::dtype::DType;
use pocketllm::gpu::Backend;
use pocketllm::text::batch::Batch;
use pocketllm::text::rows::{Classified, Dataset, Question, Reply, Rows};
use pocketllm::train::{Demonstrations, ExampleEncoder, Session};
use serde_json::Value;

fn expected() -> Value {
    serde_json::from_str(include_str!("../golden/in_context.json")).unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    serde_json::from_value(value.clone()).unwrap()
}

/// Pairs of a text and a label, as the rows of a file whose first line is a header.
fn classified(name: &str, pairs: &Value) -> Dataset {
    let pairs: Vec<(String, String)> = serde_json::from_value(pairs.clone()).unwrap();
    let row = |((text, label), row)| Classified { text, text_b: None, label, row };
    Dataset {
        name: name.into(),
        rows: Rows::Classified(pairs.into_iter().zip(2..).map(row).collect()),
        task: None,
    }
}

/// The demonstrations that contain all rows in their order, with the first seed that draws them that way.
fn in_order(session: &Session, encoder: &ExampleEncoder, data: &Dataset) -> Option<Demonstrations> {
    let wanted: Vec<usize> = (2..data.len() + 2).collect();
    let draw = |seed| Demonstrations::draw(session, encoder, data, data.len() as u32, seed).unwrap();
    (!data.is_empty()).then(|| (0..1000).map(draw).find(|shown| shown.rows == wanted).unwrap())
}

device_test! {
    async fn label_log_likelihoods_are_those_of_transformers(backend: Rc<dyn Backend>) {
        let golden = expected();
        let dir = golden::dir("opt-published");
        let mut session = Session::open(backend, &dir, DType::F32, &mut |_| Ok(())).await.unwrap();
        let labels = strings(&golden["labels"]);
        let plain = ExampleEncoder::new(&session, golden["template"].as_str(), &labels).unwrap();
        let data = classified("evaluated", &golden["evaluated"]);
        let mut worst = 0.0f64;
        for case in golden["cases"].as_array().unwrap() {
            let train = classified("train", &case["demonstrations"]);
            let shown = in_order(&session, &plain, &train);
            let (encoder, data) = match &shown {
                Some(shown) => shown.put_before(&plain, &data),
                None => (plain.clone(), data.clone()),
            };
            assert!(session.check_demonstrations(&encoder, &data, 96).unwrap().is_empty());
            let examples = encoder.encode(&session, &data, 96).unwrap();
            let rows = case["rows"].as_array().unwrap();
            let (mut loss, mut right) = (0.0, 0);
            for (example, row) in examples.examples.iter().zip(rows) {
                assert_eq!(example.ids, numbers(&row["ids"]), "{row}");
                let seen = session.evaluate_batch(&encoder, &Batch::pack(&[example])).await.unwrap();
                let logits: Vec<f64> = seen.label_logits.iter().map(|l| f64::from(*l)).collect();
                let sum = logits.iter().map(|l| l.exp()).sum::<f64>().ln();
                let likely: Vec<f64> = serde_json::from_value(row["log_likelihoods"].clone()).unwrap();
                for (ours, theirs) in logits.iter().map(|l| l - sum).zip(&likely) {
                    worst = worst.max((ours - theirs).abs());
                }
                let label = example.targets[0].label;
                let best = u32::from(likely[1] > likely[0]);
                assert_eq!(seen.predictions, [best]);
                loss -= likely[label as usize];
                right += usize::from(best == label);
            }
            let report = session.evaluate(&encoder, &examples, &mut || Ok(())).await.unwrap();
            assert!((report.loss - loss / rows.len() as f64).abs() < 1e-5, "{} {loss}", report.loss);
            assert_eq!(report.accuracy, Some(right as f64 / rows.len() as f64));
        }
        crate::common::say(&format!("largest difference of a log-likelihood: {worst:.1e}"));
        assert!(worst < 1e-5, "{worst}");
    }
}

device_test! {
    async fn questions_are_asked_after_demonstrations(backend: Rc<dyn Backend>) {
        let golden = expected()["question"].clone();
        let dir = golden::dir("opt-published");
        let mut session = Session::open(backend, &dir, DType::F32, &mut |_| Ok(())).await.unwrap();
        let candidates = strings(&golden["candidates"]);
        let question = |prompt: &str, candidates: &[String], correct| {
            let reply = Reply::Choice { candidates: candidates.to_vec(), correct: vec![correct] };
            let row = Question { prompt: prompt.to_owned(), reply, class: None, row: 2 };
            Dataset { name: "asked".into(), rows: Rows::Questions(vec![row]), task: None }
        };
        // The demonstration is a question with its right answer, which is its second candidate.
        let train = question("The premise: model.\nbecause", &[" else".to_owned(), " it ends".to_owned()], 1);
        let plain = ExampleEncoder::LanguageModel;
        let shown = Demonstrations::draw(&session, &plain, &train, 1, 0).unwrap();
        assert_eq!((&shown.text[..], &shown.rows[..]), (golden["shown"].as_str().unwrap(), &[2][..]));
        let likely: Vec<f64> = serde_json::from_value(golden["log_likelihoods"].clone()).unwrap();
        for (correct, likely_of_it) in likely.iter().enumerate() {
            let data = question(golden["prompt"].as_str().unwrap(), &candidates, correct);
            let (encoder, data) = shown.put_before(&plain, &data);
            session.check_demonstrations(&encoder, &data, 96).unwrap();
            let examples = encoder.encode(&session, &data, 96).unwrap();
            let report = session.evaluate(&encoder, &examples, &mut || Ok(())).await.unwrap();
            assert!((report.loss + likely_of_it).abs() < 1e-4, "{} {likely_of_it}", report.loss);
            let best = if likely[1] > likely[0] { 1 } else { 0 };
            assert_eq!(report.accuracy, Some(f64::from(u8::from(best == correct))));
            // No part of a demonstration may be cut off.
            let error = session.check_demonstrations(&encoder, &data, 40).unwrap_err();
            assert!(error.message().contains("row 2: expected at most 40 tokens"), "{error}");
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod command_line {
    use super::expected;
    use crate::binary::{json, on_cpu, path, stderr};
    use crate::common::golden;

    #[test]
    fn evaluate_shows_rows_of_the_training_data_in_the_prompt() {
        let dir = tempfile::tempdir().unwrap();
        let golden = expected();
        let file = |name: &str, rows: &serde_json::Value| {
            let rows: Vec<(String, String)> = serde_json::from_value(rows.clone()).unwrap();
            let rows: String = rows.iter().map(|(text, label)| format!("\"{text}\",{label}\n")).collect();
            std::fs::write(path(dir.path(), name), format!("text,label\n{rows}")).unwrap();
            path(dir.path(), name)
        };
        let train = file("train.csv", &golden["cases"][1]["demonstrations"]);
        let eval = file("eval.csv", &golden["evaluated"]);
        let model = golden::path("opt-published");
        let evaluate = |more: &[&str]| {
            let prompt = ["--template", "{text} in", "--labels", "model,bert"];
            let all = ["evaluate", "--model", &model, "--eval", &eval];
            on_cpu(&[&all[..], &prompt, more].concat()).output().unwrap()
        };
        let zero_shot = json(&evaluate(&[]));
        assert!(zero_shot["in_context"].is_null() && zero_shot["baseline"] == 0.6, "{zero_shot}");
        let output = evaluate(&["--in-context", "2", "--train", &train, "--data-seed", "3"]);
        let report = json(&output);
        let shown = &report["in_context"];
        assert_eq!(shown["per_label"], serde_json::json!({ "model": 1, "bert": 1 }), "{report}");
        assert_eq!(shown["rows"].as_array().unwrap().len(), 2);
        assert!(shown["text"].as_str().unwrap().matches("\n\n").count() == 2, "{shown}");
        assert_ne!(report["loss"], zero_shot["loss"]);
        assert_eq!(report["interval"].as_array().unwrap().len(), 2);
        let said = stderr(&output);
        assert!(said.contains("2 examples (1 of \"model\", 1 of \"bert\") precede each row: "), "{said}");
        // Texts are truncated, but not silently, and demonstrations never are.
        let said = stderr(&evaluate(&["--in-context", "4", "--train", &train, "--max-length", "35"]));
        assert!(said.contains("3 of 5 texts are truncated, so that they fit into 35 tokens"), "{said}");

        let refused = |more: &[&str], expected: &str| {
            let output = evaluate(more);
            assert!(!output.status.success(), "{more:?}");
            let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr(&output));
            assert!(said.contains(expected), "{said} lacks {expected}");
        };
        refused(&["--in-context", "2"], "--train");
        refused(&["--train", &train], "--in-context");
        let many =
            "train.csv: expected rows for 5 demonstrations, with equal numbers of each label, found 4 rows";
        refused(&["--in-context", "5", "--train", &train], many);
        let long = "expected at most 30 tokens with an empty text, found 31";
        refused(&["--in-context", "4", "--train", &train, "--max-length", "30"], long);
        let model = golden::path("bert");
        let prompt = ["--template", "{text} [MASK] .", "--labels", "great,terrible", "--in-context", "2"];
        let all = ["evaluate", "--model", &model, "--train", &train, "--eval", &eval];
        let output = on_cpu(&[&all[..], &prompt].concat()).output().unwrap();
        let message = json(&output)["error"]["message"].as_str().unwrap().to_owned();
        assert!(
            message.contains("in-context learning: expected a causal model, found a bert model"),
            "{message}"
        );
    }
}
