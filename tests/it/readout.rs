//! Method readout from data to trajectory and back: what is fitted is what is stored, an interrupted run ends like an uninterrupted
//! one, and data that no classifier can be fitted to is rejected. (`tests/it/fit.rs` compares the fit itself with scikit-learn, and
//! `tests/it/features.rs` the features with transformers.)

use std::rc::Rc;

use crate::common::{device_test, golden};
use pocketllm::dtype::DType;
use pocketllm::error::{Code, Error};
use pocketllm::format::files::MemoryDir;
use pocketllm::gpu::{Backend, Limits};
use pocketllm::model::Pooling;
use pocketllm::text::batch::Batch;
use pocketllm::text::dataset;
use pocketllm::text::rows::Dataset;
use pocketllm::train::{
    Classifier, ExampleEncoder, MethodKind, MethodOptions, Options, ReadoutReport, ReadoutTrainer, Session,
    Sizes, Trajectory, replay,
};

/// A sentence encoder without a language-model head, with the tokenizer of the golden BERT.
fn encoder() -> MemoryDir {
    golden::dir("features/encoder").with("tokenizer.json", golden::file("bert", "tokenizer.json"))
}

fn options(pooling: Option<Pooling>) -> Options {
    let method = MethodOptions { method: Some(MethodKind::Readout), pooling, ..MethodOptions::default() };
    Options { method, seed: Some(5), ..Options::default() }
}

fn csv(text: &str) -> Dataset {
    dataset::read("x.csv", text.as_bytes()).unwrap()
}

fn train_rows() -> Dataset {
    dataset::read("train.csv", golden::file("bert", "train.csv")).unwrap()
}

/// A run on the rows, which are also held out.
fn trainer(session: &Session, data: &Dataset) -> Result<ReadoutTrainer, Error> {
    let settings = options(None).resolve(session.model.spec(), None)?;
    ReadoutTrainer::new(session, settings, data, Some(data))
}

async fn finish(trainer: &mut ReadoutTrainer, session: &mut Session) -> Vec<ReadoutReport> {
    let mut reports = Vec::new();
    while let Some(report) = trainer.next(session, &mut |_| Ok(())).await.unwrap() {
        reports.push(report);
    }
    reports
}

fn trajectory(trainer: &ReadoutTrainer) -> Trajectory {
    Trajectory::parse("t", &trainer.header().to_bytes().unwrap()).unwrap()
}

device_test! {
    async fn cross_validation_answers_each_row_once_without_its_own_label(backend: Rc<dyn Backend>) {
        let mut session = Session::open(backend, &encoder(), DType::F32, &mut |_| Ok(())).await.unwrap();
        // The texts do not depend on their labels, and one label has a single row.
        let lines = (0..40).map(|row| format!("story {row},{}", if row * 7 % 40 < 20 { "a" } else { "b" }));
        let text = lines.fold("text,label\nthe only one,c\n".to_owned(), |text, line| text + &line + "\n");
        let settings = options(None).resolve(session.model.spec(), None).unwrap();
        let mut run = ReadoutTrainer::new(&session, settings, &csv(&text), None).unwrap();
        assert!(run.cross_validate(&session, &mut |_| Ok(())).unwrap().is_none());
        finish(&mut run, &mut session).await;
        let (report, mut places) = run.cross_validate(&session, &mut |_| Ok(())).unwrap().unwrap();
        assert_eq!(report.examples, 40);
        let right: u64 = report.labels.unwrap().per_label.iter().map(|label| label.correct as u64).sum();
        assert_eq!(report.accuracy.unwrap(), right as f64 / 40.0);
        // A classifier that had seen the labels would give nearly all of them.
        assert!(right < 34, "{right}");
        places.sort_unstable();
        assert_eq!(places, (1..41).collect::<Vec<_>>());
    }
}

device_test! {
    async fn a_classifier_is_fitted_as_rows_arrive_and_stored_as_it_is_used(backend: Rc<dyn Backend>) {
        for dir in [encoder(), golden::dir("bert")] {
            let mut session = Session::open(backend.clone(), &dir, DType::F32, &mut |_| Ok(())).await.unwrap();
            let data = train_rows();
            let mut run = trainer(&session, &data).unwrap();
            let reports = finish(&mut run, &mut session).await;
            assert_eq!(reports.iter().map(|report| report.rows).collect::<Vec<_>>(), [16, 32, 60]);
            let held_out: Vec<usize> =
                reports.iter().map(|report| report.held_out.as_ref().unwrap().examples).collect();
            assert_eq!(held_out, [60, 60, 60]);
            let last = reports[2].held_out.clone().unwrap();

            // The trajectory alone gives the same classifier, which gives the same figures.
            let read = trajectory(&run);
            assert_eq!(read.header.labels, ["great", "terrible"]);
            assert_eq!(read.header.initial_values, 2 * (u64::from(session.model.spec().hidden) + 1));
            replay(&mut session, &read, &mut |_| Ok(())).await.unwrap();
            let classifier = Classifier::of(&read.header, &session).unwrap().unwrap();
            let stored = ExampleEncoder::Readout(classifier.clone());
            let examples = stored.encode(&session, &data, read.header.settings.max_length).unwrap();
            let again = session.evaluate(&stored, &examples, &mut || Ok(())).await.unwrap();
            assert_eq!(again.accuracy, last.accuracy);
            assert!((again.loss - last.loss).abs() < 1e-5, "{} and {}", again.loss, last.loss);

            // Its loss is that of a softmax over weight * features + bias, computed here.
            let batch = Batch::pack(&examples.examples.iter().collect::<Vec<_>>());
            let features = session.features(&batch, Pooling::Mean).await.unwrap();
            let (weight, bias) = read.header.initial.split_at(read.header.initial.len() - 2);
            let width = weight.len() / 2;
            let rows = features.chunks_exact(width).zip(&batch.targets);
            let losses = rows.map(|(row, target)| {
                let logit = |label: usize| {
                    let products = row.iter().zip(&weight[label * width..]).map(|(x, w)| f64::from(*x) * f64::from(*w));
                    products.sum::<f64>() + f64::from(bias[label])
                };
                let logits = [logit(0), logit(1)];
                (logits[0].exp() + logits[1].exp()).ln() - logits[target.label as usize]
            });
            let mean = losses.sum::<f64>() / 60.0;
            assert!((mean - again.loss).abs() < 1e-5, "{mean} and {}", again.loss);

            // So are the probabilities of single texts.
            let texts = [("this is one very happy film!", None), ("dull", Some("boring"))];
            let examples = session.texts(&stored, &texts, 32).unwrap();
            let found = session.classify(&stored, &examples).await.unwrap();
            assert!(found.iter().all(|p| p.len() == 2 && (p[0] + p[1] - 1.0).abs() < 1e-12), "{found:?}");
        }
    }
}

device_test! {
    async fn an_interrupted_run_ends_as_one_that_was_not(backend: Rc<dyn Backend>) {
        let mut session = Session::open(backend, &encoder(), DType::F32, &mut |_| Ok(())).await.unwrap();
        let data = train_rows();
        let mut whole = trainer(&session, &data).unwrap();
        finish(&mut whole, &mut session).await;
        for stopped_after in [1, 2, 3] {
            let mut first = trainer(&session, &data).unwrap();
            for _ in 0..stopped_after {
                first.next(&mut session, &mut |_| Ok(())).await.unwrap();
            }
            let mut second = trainer(&session, &data).unwrap();
            second.resume(&mut session, &trajectory(&first)).unwrap();
            let fits = finish(&mut second, &mut session).await.len();
            assert_eq!(fits, if stopped_after == 3 { 0 } else { 3 }, "a complete run is left as it is");
            assert!(trajectory(&second) == trajectory(&whole), "stopped after {stopped_after} fits");
            // A complete run is evaluated nevertheless.
            assert!(second.evaluate(&mut session, usize::MAX, &mut |_| Ok(())).await.unwrap().is_some());
        }
        // A different seed, different data or a different pooling makes a different run.
        let header = trajectory(&whole);
        for (options, data, says) in [
            (Options { seed: Some(6), ..options(None) }, train_rows(), "seed"),
            (options(Some(Pooling::First)), train_rows(), "method"),
            (options(None), csv("text,label\ngood,great\nbad,terrible\n"), "data"),
        ] {
            let settings = options.resolve(session.model.spec(), None).unwrap();
            let mut other = ReadoutTrainer::new(&session, settings, &data, None).unwrap();
            let error = other.resume(&mut session, &header).unwrap_err();
            assert_eq!(error.code(), Code::TrajectoryMismatch);
            assert!(error.message().contains(says), "{says}: {error}");
        }
    }
}

device_test! { own
    async fn a_readout_takes_what_was_planned(backend: Rc<dyn Backend>) {
        let limits = backend.limits();
        let described = Session::describe(limits, &encoder(), DType::F32).await.unwrap();
        let settings = options(None).resolve(described.model.spec(), None).unwrap();
        let mut run = ReadoutTrainer::new(&described, settings.clone(), &train_rows(), None).unwrap();
        let (examples, held_out) = run.examples();
        let sizes = Sizes::of(examples, held_out, run.encoder().score());
        let plan = described.plan(&settings, DType::F32, &sizes).await.unwrap();
        let mut session = described.load(backend.clone(), &mut |_| Ok(())).await.unwrap();
        finish(&mut run, &mut session).await;
        let seen = backend.memory().peak;
        // The plan is valid for any grouping of the rows.
        assert!(plan.peak >= seen && plan.peak < seen + seen / 5, "planned {}, took {seen}", plan.peak);
    }
}

/// Describes the encoder without loading it: the host's futures are ready immediately.
async fn described() -> Session {
    Session::describe(Limits::WEBGPU_DEFAULT, &encoder(), DType::F32).await.unwrap()
}

device_test! {
    async fn data_that_no_classifier_can_be_fitted_to_are_refused(_backend: Rc<dyn Backend>) {
        let session = described().await;
        let many: String = (0..10_000).map(|i| format!("a{i},label{i}\n")).collect();
        let many = format!("text,label\n{many}");
        for (text, says) in [
            ("text,label\ngood,great\nbad,great\n", "every row has the label \"great\""),
            ("text,label\ngood,great\nbad,Great\nbad,terrible\n", "\"Great\" (row 3) and \"great\" (row 2) differ only in case"),
            ("text,label\ngood,very  great\nbad,very great\n", "differ only in case or spaces"),
            (many.as_str(), "10000 different labels"),
            ("text,label\ngood,great\n   ,terrible\n", "row 3: field `text`: expected a non-empty text, found an empty one"),
        ] {
            let error = trainer(&session, &csv(text)).err().unwrap();
            assert_eq!(error.code(), Code::DataInvalid, "{error}");
            assert!(error.message().starts_with("x.csv: ") && error.message().contains(says), "{says}: {error}");
        }
        let prompts = dataset::read("x.jsonl", br#"{"prompt":"a","completion":"b"}"#).unwrap();
        assert_eq!(trainer(&session, &prompts).err().unwrap().code(), Code::DataInvalid);

        // A held-out label may differ in case, but must be known.
        let settings = options(None).resolve(session.model.spec(), None).unwrap();
        let train = csv("text,label\ngood,great\nbad,terrible\n");
        let held_out = |text: &str| ReadoutTrainer::new(&session, settings.clone(), &train, Some(&csv(text)));
        assert!(held_out("text,label\ngood,Great \n").is_ok());
        let error = held_out("text,label\ngood,great\ngood,fine\n").err().unwrap();
        assert_eq!(error.code(), Code::DataInvalid);
        assert!(error.message().contains("row 3") && error.message().contains("great, terrible"), "{error}");
    }
}

#[cfg_attr(not(target_arch = "wasm32"), test)]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn options_of_other_methods_are_refused() {
    assert!(options(Some(Pooling::Last)).check().is_ok());
    assert!(Options { max_length: Some(9), ..options(None) }.check().is_ok());
    let method = options(None).method;
    for (given, says) in [
        (Options { steps: Some(9), ..options(None) }, "steps"),
        (Options { batch_size: Some(9), ..options(None) }, "batch size"),
        (Options { epsilon: Some(1e-3), ..options(None) }, "epsilon"),
        (Options { sequential: true, ..options(None) }, "sequential"),
        (
            Options { method: MethodOptions { lora_rank: Some(4), ..method.clone() }, ..options(None) },
            "lora rank",
        ),
        (Options { method: MethodOptions { probes: Some(4), ..method }, ..options(None) }, "probes"),
    ] {
        let error = given.check().unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.message().starts_with(says) && error.message().contains("readout"), "{error}");
    }
    let pooled = MethodOptions { pooling: Some(Pooling::Mean), ..MethodOptions::default() };
    let error = Options { method: pooled, ..Options::default() }.check().unwrap_err();
    assert!(error.message().contains("expected method readout"), "{error}");
}
