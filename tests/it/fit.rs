//! Classifiers fitted on the host, compared with scikit-learn (`tests/golden/readout.py`), and labels that are rejected.

use pocketllm::error::Code;
use pocketllm::fit::{Fit, Labels, MAX_LABELS, Readout, Strength, position};
use pocketllm::rng::threefry2x32;
use serde_json::Value;
use sha2::{Digest, Sha256};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A digest of the weights, biases, strength and losses of [`both_ways`], as the bits of f64. It is the same natively and in every
/// browser.
const DIGEST: &str = "f105e4f72923048fb9e33c2860ba6d2a29a520eedb1dbbfc06a5140911a30003";

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

fn labels(rows: &[usize]) -> Labels {
    Labels::of(&rows.iter().map(|label| format!("{label:04}")).collect::<Vec<_>>()).unwrap()
}

fn biased(strength: Strength) -> Fit {
    Fit { strength, bias: true }
}

/// Clusters of `classes` classes, `[rows, width]`, from the crate's own random numbers.
fn clusters(rows: usize, width: usize, classes: usize, seed: u32) -> (Vec<f32>, Labels) {
    let of_rows: Vec<usize> = (0..rows).map(|row| row % classes).collect();
    let uniform = |a: u32, b: u32| threefry2x32([seed, 0], [a, b])[0] as f32 / u32::MAX as f32 - 0.5;
    let value = |row: usize, at: usize| {
        uniform(row as u32, at as u32) + 0.4 * uniform(1_000_000 + of_rows[row] as u32, at as u32)
    };
    let features = (0..rows * width).map(|at| value(at / width, at % width)).collect();
    (features, labels(&of_rows))
}

/// One fit with more rows than features and one with fewer.
fn both_ways() -> [Readout; 2] {
    [(90, 7, 3), (20, 96, 2)].map(|(rows, width, classes)| {
        let (features, labels) = clusters(rows, width, classes, 5);
        Readout::fit(&features, width, &labels, biased(Strength::Chosen)).unwrap()
    })
}

#[test]
fn weights_and_loss_are_those_of_scikit_learn() {
    let mut cases: Vec<Value> = serde_json::from_str(include_str!("../golden/readout.json")).unwrap();
    assert_eq!(cases.len(), 10);
    // More cases, in any units, written by tests/reference/fits.py.
    if let Ok(path) = std::env::var("POCKETLLM_FITS") {
        cases.extend(serde_json::from_slice::<Vec<Value>>(&std::fs::read(path).unwrap()).unwrap());
    }
    let mut failures = Vec::new();
    for (number, case) in cases.into_iter().enumerate() {
        let committed = number < 10;
        let features: Vec<f32> = numbers(&case["features"]).iter().map(|&value| value as f32).collect();
        let of_rows: Vec<usize> = numbers(&case["labels"]).iter().map(|&label| label as usize).collect();
        let strength = Strength::Fixed(case["strength"].as_f64().unwrap());
        let width = features.len() / of_rows.len();
        let fit = Fit { strength, bias: case["biased"].as_bool().unwrap() };
        let readout = Readout::fit(&features, width, &labels(&of_rows), fit).unwrap();
        // Weights of features in tiny units are large, so differences are then relative to the largest value.
        let off = |ours: &[f64], key: &str| {
            let expected = numbers(&case[key]);
            assert_eq!(ours.len(), expected.len());
            let largest = expected.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()));
            let off = ours.iter().zip(&expected).fold(0.0, |off: f64, (a, b)| off.max((a - b).abs()));
            if committed { off } else { off / largest }
        };
        for (what, off) in [
            ("weight", off(&readout.weight, "weight")),
            ("bias", off(&readout.bias, "bias")),
            ("loss", off(&[readout.loss], "loss")),
        ] {
            // With weak penalties on collinear features, both programs end within this distance of the minimum.
            if off.is_nan() || off >= if committed { 1e-6 } else { 2e-6 } {
                failures.push(format!("{}: {what} is off by {off:e}", case["name"]));
            }
        }
        // The stored loss is that of the probabilities for unscaled features.
        let losses = features
            .chunks_exact(width)
            .zip(&of_rows)
            .map(|(row, &label)| -readout.probabilities(row).unwrap()[label].ln());
        let mean = losses.sum::<f64>() / of_rows.len() as f64;
        if (mean - readout.loss).abs() >= if committed { 1e-12 } else { 1e-9 } {
            failures.push(format!("{}: {mean} and {}", case["name"], readout.loss));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_same_features_give_the_same_bits_everywhere() {
    let mut hash = Sha256::new();
    for readout in both_ways() {
        let single = [readout.strength, readout.loss, readout.held_out_loss.unwrap()];
        for value in readout.weight.iter().chain(&readout.bias).chain(&single) {
            hash.update(value.to_bits().to_le_bytes());
        }
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, DIGEST);
}

#[test]
fn the_strength_is_chosen_for_rows_held_out() {
    for (rows, what) in [(60, "five folds"), (1200, "a quarter")] {
        let (features, labels) = clusters(rows, 12, 3, 9);
        let chosen = Readout::fit(&features, 12, &labels, biased(Strength::Chosen)).unwrap();
        let fixed = Readout::fit(&features, 12, &labels, biased(Strength::Fixed(chosen.strength))).unwrap();
        assert_eq!((&chosen.weight, &chosen.bias), (&fixed.weight, &fixed.bias), "{what}");
        let held_out = chosen.held_out_loss.unwrap();
        assert!(held_out > chosen.loss && held_out < 3f64.ln(), "{what}: {held_out}");
        assert_eq!(fixed.held_out_loss, None);
    }
    // The best strength for noise is a strong one.
    let (mut features, labels) = clusters(40, 30, 2, 3);
    features
        .iter_mut()
        .enumerate()
        .for_each(|(at, value)| *value = threefry2x32([1, 2], [at as u32, 0])[0] as f32);
    assert!(Readout::fit(&features, 30, &labels, biased(Strength::Chosen)).unwrap().strength >= 10.0);
}

#[test]
fn rows_that_say_nothing_give_the_shares_of_the_labels() {
    // Equal rows, enough features for the fit to use coordinates, and labels with one row each.
    for (of_rows, width) in [(vec![0, 0, 0, 1], 2), (vec![0, 0, 0, 1], 40), (vec![0, 1], 40)] {
        let features = vec![0.25; of_rows.len() * width];
        let readout = Readout::fit(&features, width, &labels(&of_rows), biased(Strength::Chosen)).unwrap();
        let share = of_rows.iter().filter(|&&label| label == 0).count() as f64 / of_rows.len() as f64;
        let found = readout.probabilities(&features[..width]).unwrap();
        assert!((found[0] - share).abs() < 1e-8 && (found[0] + found[1] - 1.0).abs() < 1e-15, "{found:?}");
    }
}

#[test]
fn labels_are_numbered_in_the_order_of_their_bytes() {
    let labels = Labels::of(&["spam", "real", "스팸", "spam", "🙂"]).unwrap();
    assert_eq!(labels.names(), ["real", "spam", "스팸", "🙂"]);
    assert_eq!(labels.of_rows(), [1, 0, 2, 1, 3]);
    assert_eq!(Labels::named(&["spam", "real"], &["real", "spam"]).unwrap().of_rows(), [1, 0]);
}

#[test]
fn labels_that_make_no_classifier_are_refused_by_name() {
    let refused = |result: pocketllm::error::Result<Labels>, expected: &str| {
        let error = result.unwrap_err();
        assert_eq!(error.code(), Code::DataInvalid);
        assert!(error.message().contains(expected), "{error}");
    };
    refused(Labels::of::<&str>(&[]), "no rows");
    refused(Labels::of(&["real"; 3]), "every row has the label \"real\"");
    refused(Labels::of(&["real", "spam", " "]), "row 3: the label is empty");
    refused(Labels::of(&["real", &"spam ".repeat(101)]), "row 2: the label has 505 bytes");
    refused(
        Labels::of(&["spam", "real", "Spam"]),
        "\"Spam\" (row 3) and \"spam\" (row 1) differ only in case",
    );
    refused(Labels::of(&["not  spam", "real", "not spam "]), "differ only in case or spaces");
    // The same letter composed and decomposed, as in file names on macOS. The two look the same.
    refused(
        Labels::of(&["pers\u{f6}nlich", "perso\u{308}nlich"]),
        "differ only in their Unicode normalization",
    );
    assert_eq!(position(&["real".to_owned(), "pers\u{f6}nlich".to_owned()], "Perso\u{308}nlich"), Some(1));
    let many: Vec<String> = (0..10_000).map(|label| label.to_string()).collect();
    refused(Labels::of(&many), "have 10000 different labels; at most 1000");
    assert_eq!(Labels::of(&many[..MAX_LABELS]).unwrap().names().len(), MAX_LABELS);
    refused(Labels::named(&["a", "b", "c"], &["a", "b"]), "2 rows for 3 labels");
    refused(Labels::named(&["a", "b"], &["a", "a", "c"]), "no row has the label \"b\"");
    refused(Labels::named(&["a", "b"], &["a", "b", "c"]), "\"c\", which is not among");
}

#[test]
fn features_that_are_not_numbers_and_sizes_that_differ_are_refused() {
    let labels = labels(&[0, 1]);
    let code = |features: &[f32], width, strength| {
        Readout::fit(features, width, &labels, biased(strength)).unwrap_err().code()
    };
    assert_eq!(code(&[0.0, 1.0, f32::NAN, 2.0], 2, Strength::Chosen), Code::NonFiniteLoss);
    assert_eq!(code(&[0.0, 1.0, 2.0], 2, Strength::Chosen), Code::InvalidArgument);
    assert_eq!(code(&[], 0, Strength::Chosen), Code::InvalidArgument);
    for strength in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(code(&[0.0, 1.0], 1, Strength::Fixed(strength)), Code::InvalidArgument);
    }
    let readout = Readout::fit(&[0.0, 1.0], 1, &labels, biased(Strength::Fixed(1.0))).unwrap();
    assert_eq!(readout.probabilities(&[0.0, 1.0]).unwrap_err().code(), Code::InvalidArgument);
}
