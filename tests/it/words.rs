//! Readouts on label words: the fit of the head compared with SciPy and PyTorch (`tests/golden/words.py`), and a run from its data
//! to its trajectory, its answers and its exported model.

use std::rc::Rc;

use crate::common::compare::deviations;
use crate::common::{device_test, golden};
use pocketllm::dtype::DType;
use pocketllm::error::{Code, Error};
use pocketllm::fit::{HeadInner, Labels, Strength, WordHead};
use pocketllm::format::files::MemoryDir;
use pocketllm::gpu::Backend;
use pocketllm::model::{Activation, ClassifierActivation, Pooling};
use pocketllm::text::batch::Batch;
use pocketllm::text::dataset;
use pocketllm::text::rows::Dataset;
use pocketllm::train::{
    Classifier, ExampleEncoder, Method, MethodKind, MethodOptions, Options, ReadoutTrainer, Session,
    Trajectory, nonlinearity, replay,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// The template of the golden data, whose labels are `great` and `terrible`.
const TEMPLATE: &str = "{text} It was [MASK] .";

/// A digest of the values of the heads that are fitted in the golden cases with a chosen strength, as the bits of f64. It is the
/// same natively and in every browser.
const DIGEST: &str = "826d517460af56830e8defaeb777e8a7e78ea2ea24d4cd0d056e72c204787653";

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// The pretrained head of a golden case, with its features and labels.
fn case(case: &Value) -> (WordHead, Vec<f32>, Vec<usize>) {
    let features: Vec<f32> = numbers(&case["features"]).iter().map(|&value| value as f32).collect();
    let of_rows: Vec<usize> = numbers(&case["labels"]).iter().map(|&label| label as usize).collect();
    let (hidden, labels) = (features.len() / of_rows.len(), of_rows.iter().max().unwrap() + 1);
    let size = |name: &str| case[name].as_u64().unwrap() as usize;
    let (inner, width, biased) = if let Some(activation) = case["activation"].as_str() {
        let (width, biased) = (size("width"), case["biased"].as_bool().unwrap());
        let activation = if activation == "gelu" { Activation::Gelu } else { Activation::GeluTanh };
        let zeros = |count: usize| vec![0.0; count];
        let inner = HeadInner::Dense {
            weight: zeros(width * hidden),
            bias: biased.then(|| zeros(width)),
            activation: nonlinearity(ClassifierActivation::Of(activation)),
            norm_weight: zeros(width),
            norm_bias: biased.then(|| zeros(width)),
            epsilon: case["epsilon"].as_f64().unwrap(),
        };
        (inner, width, biased)
    } else {
        let size = size("rank") * hidden;
        (HeadInner::LowRank { a: vec![0.0; size], b: vec![0.0; size] }, hidden, false)
    };
    let mut head = WordHead {
        hidden,
        inner,
        rows: vec![0.0; labels * width],
        bias: biased.then(|| vec![0.0; labels]),
        labels,
        softcap: case["cap"].as_f64(),
    };
    head.set(&numbers(&case["values"])).unwrap();
    (head, features, of_rows)
}

/// Labels whose names are their numbers.
fn numbered(of_rows: &[usize]) -> Labels {
    let names = (0..=of_rows.iter().copied().max().unwrap_or(0)).map(|name| name.to_string()).collect();
    Labels::numbered(names, of_rows.to_vec()).unwrap()
}

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("../golden/words.json")).unwrap()
}

#[test]
fn heads_on_label_words_are_those_that_scipy_finds() {
    assert_eq!(cases().len(), 6);
    for golden in cases() {
        let (head, features, labels) = case(&golden);
        let strength = Strength::Fixed(golden["strength"].as_f64().unwrap());
        let fit = head.fit(&features, &numbered(&labels), strength, 1e-12).unwrap();
        let loss = golden["loss"].as_f64().unwrap();
        assert!((fit.loss - loss).abs() < 1e-6, "{}: {} and {loss}", golden["name"], fit.loss);
        let rows = features.chunks_exact(head.hidden);
        let found = rows.flat_map(|row| {
            let row: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
            fit.head.logits(&row)
        });
        let expected = numbers(&golden["logits"]);
        let off = found.zip(expected).fold(0.0, |off: f64, (a, b)| off.max((a - b).abs()));
        assert!(off < 1e-6, "{}: a logit is off by {off:e}", golden["name"]);
    }
}

#[test]
fn the_same_hidden_states_give_the_same_head_everywhere() {
    let mut hash = Sha256::new();
    for golden in cases() {
        let (head, features, labels) = case(&golden);
        let fit = head.fit(&features, &numbered(&labels), Strength::Chosen, 1e-4).unwrap();
        for value in fit.head.values().iter().chain(&[fit.strength, fit.loss]) {
            hash.update(value.to_bits().to_le_bytes());
        }
    }
    let digest: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(digest, DIGEST);
}

#[test]
fn sizes_that_differ_and_features_that_are_not_numbers_are_refused() {
    let (head, features, labels) = case(&cases()[0]);
    let code = |features: &[f32], labels: &[usize], strength| {
        head.fit(features, &numbered(labels), Strength::Fixed(strength), 1e-4).unwrap_err().code()
    };
    assert_eq!(code(&features[1..], &labels, 1.0), Code::InvalidArgument);
    assert_eq!(code(&[], &[], 1.0), Code::InvalidArgument);
    assert_eq!(code(&features, &labels, 0.0), Code::InvalidArgument);
    let mut other = labels.clone();
    other[0] = 2;
    assert_eq!(code(&features, &other, 1.0), Code::InvalidArgument);
    let mut broken = features;
    broken[3] = f32::NAN;
    assert_eq!(code(&broken, &labels, 1.0), Code::NonFiniteLoss);
    assert_eq!(head.clone().set(&[1.0]).unwrap_err().code(), Code::InvalidArgument);
}

fn options() -> Options {
    let method = MethodOptions { method: Some(MethodKind::Readout), ..MethodOptions::default() };
    Options { method, seed: Some(5), ..Options::default() }
}

fn csv(text: &str) -> Dataset {
    dataset::read("x.csv", text.as_bytes()).unwrap()
}

fn train_rows() -> Dataset {
    dataset::read("train.csv", golden::file("bert", "train.csv")).unwrap()
}

fn words(labels: &[&str]) -> Vec<String> {
    labels.iter().map(|label| (*label).to_owned()).collect()
}

/// A run on the rows, which are also held out.
fn trainer(
    session: &Session,
    template: &str,
    labels: &[&str],
    data: &Dataset,
) -> Result<ReadoutTrainer, Error> {
    let settings = options().resolve(session.model.spec(), None)?;
    ReadoutTrainer::on_words(session, settings, (template, &words(labels)), data, Some(data))
}

async fn open(backend: &Rc<dyn Backend>, dir: &MemoryDir) -> Session {
    Session::open(backend.clone(), dir, DType::F32, &mut |_| Ok(())).await.unwrap()
}

/// A causal model whose tokenizer has the words of the golden data.
fn causal(name: &str) -> MemoryDir {
    let text = String::from_utf8(golden::file("bert", "train.csv").to_vec()).unwrap().to_lowercase();
    let mut vocab = vec!["<unk>", "<s>", "</s>", "great", "terrible", "It", "was"];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if !vocab.contains(&word) && vocab.len() < 60 {
            vocab.push(word);
        }
    }
    let vocab: serde_json::Map<_, _> =
        vocab.iter().enumerate().map(|(i, w)| ((*w).to_owned(), json!(i))).collect();
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "<unk>"}
    });
    golden::dir(name).with("tokenizer.json", tokenizer.to_string().into_bytes())
}

device_test! {
    async fn a_head_is_fitted_stored_and_exported(backend: Rc<dyn Backend>) {
        for (dir, template, pooling) in [
            (golden::dir("bert"), TEMPLATE, Pooling::Mask),
            (causal("llama"), "{text} It was", Pooling::Last),
            (causal("gemma2"), "{text} It was", Pooling::Last),
        ] {
            let mut session = open(&backend, &dir).await;
            let (data, labels) = (train_rows(), ["great", "terrible"]);
            let mut run = trainer(&session, template, &labels, &data).unwrap();
            let zero_shot = ExampleEncoder::new(&session, Some(template), &words(&labels)).unwrap();
            let examples = zero_shot.encode(&session, &data, 64).unwrap();
            let before = session.evaluate(&zero_shot, &examples, &mut || Ok(())).await.unwrap();

            let mut reports = Vec::new();
            while let Some(report) = run.next(&mut session, &mut |_| Ok(())).await.unwrap() {
                reports.push(report);
            }
            assert_eq!(reports.iter().map(|report| report.rows).collect::<Vec<_>>(), [16, 32, 60]);
            let last = reports[2].held_out.clone().unwrap();
            assert!(last.loss < before.loss, "{} and {}", last.loss, before.loss);
            assert!((last.loss - reports[2].loss).abs() < 1e-5, "{} and {}", last.loss, reports[2].loss);

            // The trajectory alone gives the same head, which gives the same figures.
            let read = Trajectory::parse("t", &run.header().to_bytes().unwrap()).unwrap();
            assert_eq!(read.header.settings.method, Method::Readout { pooling });
            assert_eq!((read.header.template.as_deref(), &read.header.labels), (Some(template), &words(&labels)));
            replay(&mut session, &read, &mut |_| Ok(())).await.unwrap();
            let stored = ExampleEncoder::Readout(Classifier::of(&read.header, &session).unwrap().unwrap());
            let again = stored.encode(&session, &data, 64).unwrap();
            let again = session.evaluate(&stored, &again, &mut || Ok(())).await.unwrap();
            assert_eq!(again.accuracy, last.accuracy);
            assert!((again.loss - last.loss).abs() < 1e-5, "{} and {}", again.loss, last.loss);
            let examples = session.texts(&stored, &[("one very happy film", None)], 32).unwrap();
            let found = session.classify(&stored, &examples).await.unwrap();
            assert!((found[0][0] + found[0][1] - 1.0).abs() < 1e-12, "{found:?}");

            // The exported model scores the label words as the head does, without any readout.
            let ExampleEncoder::Readout(classifier) = &stored else { panic!("no readout") };
            let files = classifier.files(&session, 64).await.unwrap();
            let mut weights = Vec::new();
            let mut keep = |bytes: &[u8]| {
                weights.extend_from_slice(bytes);
                Ok(())
            };
            files.save(&session, &mut keep).await.unwrap();
            let exported = dir.clone().with("config.json", files.files[0].1.clone()).with("model.safetensors", weights);
            let mut exported = open(&backend, &exported).await;
            let batch = Batch::pack(&examples.examples.iter().take(20).collect::<Vec<_>>());
            let ours = session.evaluate_batch(&stored, &batch).await.unwrap().label_logits;
            let theirs = exported.evaluate_batch(&zero_shot, &batch).await.unwrap().label_logits;
            let worst = deviations(&theirs, &ours);
            assert!(worst < 1e-4, "{}: {worst}", session.name);
        }
    }
}

device_test! {
    async fn an_interrupted_run_on_label_words_ends_as_one_that_was_not(backend: Rc<dyn Backend>) {
        let mut session = open(&backend, &golden::dir("bert")).await;
        let (data, labels) = (train_rows(), ["good=great", "bad=terrible"]);
        let data = match data.rows {
            pocketllm::text::rows::Rows::Classified(mut rows) => {
                rows.iter_mut().for_each(|row| row.label = if row.label == "great" { "Good" } else { "bad" }.to_owned());
                Dataset { rows: pocketllm::text::rows::Rows::Classified(rows), ..data }
            }
            _ => panic!("the rows have no labels"),
        };
        let mut whole = trainer(&session, TEMPLATE, &labels, &data).unwrap();
        while whole.next(&mut session, &mut |_| Ok(())).await.unwrap().is_some() {}
        assert_eq!(whole.header().labels, labels, "labels with other names than their words are stored with both");
        assert_eq!(whole.encoder().label_words(), ["good", "bad"]);
        for stopped_after in [1, 3] {
            let mut first = trainer(&session, TEMPLATE, &labels, &data).unwrap();
            for _ in 0..stopped_after {
                first.next(&mut session, &mut |_| Ok(())).await.unwrap();
            }
            let stored = Trajectory::parse("t", &first.header().to_bytes().unwrap()).unwrap();
            let mut second = trainer(&session, TEMPLATE, &labels, &data).unwrap();
            second.resume(&mut session, &stored).unwrap();
            let mut fits = 0;
            while second.next(&mut session, &mut |_| Ok(())).await.unwrap().is_some() {
                fits += 1;
            }
            assert_eq!(fits, if stopped_after == 3 { 0 } else { 3 });
            assert!(second.header() == whole.header(), "stopped after {stopped_after} fits");
        }
        // A different template makes a different run, and so does a classifier without a template.
        let stored = Trajectory::parse("t", &whole.header().to_bytes().unwrap()).unwrap();
        let mut other = trainer(&session, "{text} [MASK] !", &labels, &data).unwrap();
        assert_eq!(other.resume(&mut session, &stored).unwrap_err().code(), Code::TrajectoryMismatch);
        let settings = options().resolve(session.model.spec(), None).unwrap();
        let mut other = ReadoutTrainer::new(&session, settings, &data, None).unwrap();
        assert_eq!(other.resume(&mut session, &stored).unwrap_err().code(), Code::TrajectoryMismatch);
        // The head has another size than the trajectory says.
        let mut header = stored.header.clone();
        header.initial.pop();
        header.initial_values -= 1;
        assert_eq!(Classifier::of(&header, &session).unwrap_err().code(), Code::TrajectoryMismatch);
    }
}

device_test! {
    async fn rows_that_no_head_can_be_fitted_to_are_refused(backend: Rc<dyn Backend>) {
        let session = Session::describe(backend.limits(), &golden::dir("bert"), DType::F32).await.unwrap();
        let two = ["great", "terrible"];
        let many: Vec<String> = (0..10_000).map(|label| format!("label{label}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let rows = "text,label\ngood,great\nbad,terrible\n";
        for (text, labels, code, says) in [
            ("text,label\ngood,great\nfine,great\n", &two[..], Code::DataInvalid, "every row has the label \"great\""),
            (rows, &["great", "terrible", "film"], Code::DataInvalid, "2 rows for 3 labels"),
            ("text,label\ngood,great\nbad,terrible\nfine,great\n", &["great", "terrible", "film"], Code::DataInvalid, "no row has the label \"film\""),
            ("text,label\ngood,great\nbad,dull\n", &two, Code::DataInvalid, "row 3: field `label`"),
            ("text,label\ngood,great\n  ,terrible\n", &two, Code::DataInvalid, "row 3: field `text`: expected a non-empty text, found an empty one"),
            (rows, &["great"], Code::InvalidArgument, "at least two"),
            (rows, &["great", "Great"], Code::InvalidArgument, "twice"),
            (rows, &many, Code::DataInvalid, "10000 label words; at most 1000 are allowed"),
        ] {
            let error = trainer(&session, TEMPLATE, labels, &csv(text)).err().unwrap();
            assert_eq!(error.code(), code, "{error}");
            assert!(error.message().contains(says), "{says}: {error}");
        }
        // Labels may differ in case.
        assert!(trainer(&session, TEMPLATE, &two, &csv("text,label\ngood,Great\nbad, terrible\n")).is_ok());
        let error = trainer(&session, "{text} without a mask", &two, &csv(rows)).err().unwrap();
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
        // A sentence encoder has no head.
        let dir = golden::dir("features/encoder").with("tokenizer.json", golden::file("bert", "tokenizer.json"));
        let encoder = Session::describe(backend.limits(), &dir, DType::F32).await.unwrap();
        let error = trainer(&encoder, TEMPLATE, &two, &csv(rows)).err().unwrap();
        assert_eq!(error.code(), Code::ModelUnsupported, "{error}");
    }
}

#[test]
fn a_pooling_is_no_choice_of_a_readout_on_label_words() {
    let pooled = |pooling| {
        let method = MethodOptions { pooling: Some(pooling), ..options().method };
        Options { method, ..options() }
    };
    assert!(options().check_words().is_ok());
    assert_eq!(pooled(Pooling::Last).check_words().unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(pooled(Pooling::Mask).check().unwrap_err().code(), Code::InvalidArgument);
    assert!(pooled(Pooling::Last).check().is_ok());
}
