//! Steps from a readout: they score texts with the frozen classifier on the device, and such a run resumes and replays to the same bits.

use std::rc::Rc;

use crate::common::compare::digests;
use crate::common::{device_test, golden};
use pocketllm::dtype::DType;
use pocketllm::error::Code;
use pocketllm::format::files::MemoryDir;
use pocketllm::gpu::Backend;
use pocketllm::model::Pooling;
use pocketllm::names::Named;
use pocketllm::text::dataset;
use pocketllm::train::{
    Classifier, ExampleEncoder, Examples, Method, MethodKind, MethodOptions, Options, ReadoutTrainer,
    Session, Settings, Trainer, Trajectory, replay,
};
use pocketllm::zo::estimator::EstimatorKind;

/// A sentence encoder without a language-model head, with the tokenizer of the golden BERT.
fn encoder() -> MemoryDir {
    golden::dir("features/encoder").with("tokenizer.json", golden::file("bert", "tokenizer.json"))
}

async fn open(backend: Rc<dyn Backend>, dir: &MemoryDir) -> Session {
    Session::open(backend, dir, DType::F32, &mut |_| Ok(())).await.unwrap()
}

/// The weights and the adapter, as far as they may have been trained.
async fn state(session: &Session) -> (Vec<(String, String)>, Vec<u32>) {
    let adapter = session.adapter_values().await.unwrap();
    (digests(session).await, adapter.iter().map(|value| value.to_bits()).collect())
}

/// Fits the readout that the steps start from.
async fn fit(session: &mut Session, settings: &Settings) -> (ExampleEncoder, Examples) {
    let data = dataset::read("train.csv", golden::file("bert", "train.csv")).unwrap();
    let method = Method::Readout { pooling: settings.readout.unwrap() };
    let settings = Settings { method, ..settings.clone() };
    let mut fitter = ReadoutTrainer::new(session, settings.clone(), &data, None).unwrap();
    while fitter.next(session, &mut |_| Ok(())).await.unwrap().is_some() {}
    let encoder = fitter.encoder().clone();
    let examples = encoder.encode(session, &data, fitter.header().settings.max_length).unwrap();
    (encoder, examples)
}

device_test! {
    async fn steps_from_a_readout_resume_and_replay(backend: Rc<dyn Backend>) {
        for (dir, kind, estimator) in [
            (encoder(), MethodKind::Full, EstimatorKind::OneSided),
            (golden::dir("bert"), MethodKind::Full, EstimatorKind::TwoPoint),
            (golden::dir("bert"), MethodKind::Full, EstimatorKind::LowRank),
            (encoder(), MethodKind::Lora, EstimatorKind::OneSided),
            (golden::dir("bert"), MethodKind::Prefix, EstimatorKind::TwoPoint),
        ] {
            // Firefox takes about a tenth of a second to read a tensor back, so in browsers only an adapter on one of the models is
            // tested.
            if cfg!(target_arch = "wasm32") && kind != MethodKind::Lora {
                continue;
            }
            let what = format!("{kind:?}, {estimator:?}");
            let method = MethodOptions {
                method: Some(kind),
                readout: true,
                estimator: Some(estimator),
                interval: (estimator == EstimatorKind::LowRank).then_some(2),
                ..MethodOptions::default()
            };
            let options = Options { method, steps: Some(6), batch_size: Some(60), seed: Some(3), ..Options::default() };
            let mut session = open(backend.clone(), &dir).await;
            let settings = options.resolve(session.model.spec(), None).unwrap();
            let (encoder, examples) = fit(&mut session, &settings).await;
            let before = session.evaluate(&encoder, &examples, &mut || Ok(())).await.unwrap();
            let base = digests(&session).await;
            let new = |session: &Session, encoder: &ExampleEncoder| {
                Trainer::new(session, settings.clone(), encoder.clone(), None, examples.clone()).unwrap()
            };
            let mut whole = new(&session, &encoder);
            let mut half = None;
            while let Some(report) = whole.step(&mut session).await.unwrap() {
                if report.step == 0 && estimator == EstimatorKind::OneSided {
                    // The device's loss at the unperturbed weights, on all rows, equals the host's.
                    let plain = f64::from(report.loss_minus());
                    assert!((plain - before.loss).abs() < 1e-5, "{what}: {plain} and {}", before.loss);
                }
                if report.step == 2 {
                    half = Some(whole.trajectory().to_bytes().unwrap());
                }
            }
            whole.settle(&mut session).await.unwrap();
            let trained = state(&session).await;
            if kind == MethodKind::Full {
                assert_ne!(trained.0, base, "{what}: nothing was trained");
                let head = |(name, _): &&(String, String)| name.starts_with("cls.");
                let of_head = |all: &[(String, String)]| all.iter().filter(head).cloned().collect::<Vec<_>>();
                if estimator != EstimatorKind::LowRank {
                    assert_eq!(of_head(&trained.0), of_head(&base), "{what}: the head has no part in the loss");
                }
            }
            let after = session.evaluate(&encoder, &examples, &mut || Ok(())).await.unwrap();
            let bytes = whole.trajectory().to_bytes().unwrap();

            // Replays from the file alone, and evaluates with its readout.
            let read = Trajectory::parse("t", &bytes).unwrap();
            let mut other = open(backend.clone(), &dir).await;
            replay(&mut other, &read, &mut |_| Ok(())).await.unwrap();
            assert_eq!(state(&other).await, trained, "{what}: replayed");
            let stored = ExampleEncoder::Readout(Classifier::of(&read.header, &other).unwrap().unwrap());
            let again = other.evaluate(&stored, &examples, &mut || Ok(())).await.unwrap();
            assert_eq!(again.loss.to_bits(), after.loss.to_bits(), "{what}");

            // Resumes from half of the file, with its readout.
            let half = Trajectory::parse("t", &half.unwrap()).unwrap();
            let mut session = open(backend.clone(), &dir).await;
            let stored = ExampleEncoder::Readout(Classifier::of(&half.header, &session).unwrap().unwrap());
            let mut resumed = new(&session, &stored);
            resumed.resume(&mut session, half.clone(), &mut |_| Ok(())).await.unwrap();
            while resumed.step(&mut session).await.unwrap().is_some() {}
            assert!(resumed.trajectory().to_bytes().unwrap() == bytes, "{what}: resumed");

            // A different readout makes a different run.
            let labels = stored.label_words().to_vec();
            let pooling = settings.readout.unwrap();
            let unfitted = ExampleEncoder::Readout(Classifier::unfitted(&session, labels, pooling));
            let error = new(&session, &unfitted).resume(&mut session, half, &mut |_| Ok(())).await.unwrap_err();
            assert_eq!(error.code(), Code::TrajectoryMismatch);
            let other = Settings { readout: Some(Pooling::Last), ..settings.clone() };
            let error = Trainer::new(&session, other, stored, None, examples.clone()).err().unwrap();
            let says = format!("pooling: expected {}, with which the run's readout was fitted, found last", pooling.name());
            assert!(error.code() == Code::InvalidArgument && error.message() == says, "{error}");
        }
    }
}

device_test! {
    async fn a_readout_is_fitted_again_and_stored(backend: Rc<dyn Backend>) {
        for (kind, estimator) in [
            (MethodKind::Full, EstimatorKind::TwoPoint),
            (MethodKind::Full, EstimatorKind::LowRank),
            (MethodKind::Lora, EstimatorKind::OneSided),
        ] {
            if cfg!(target_arch = "wasm32") && kind != MethodKind::Lora {
                continue;
            }
            let what = format!("{kind:?}, {estimator:?}");
            let method = MethodOptions {
                method: Some(kind),
                readout: true,
                refit_every: Some(2),
                estimator: Some(estimator),
                interval: (estimator == EstimatorKind::LowRank).then_some(3),
                ..MethodOptions::default()
            };
            let options = Options { method, steps: Some(6), batch_size: Some(60), seed: Some(3), ..Options::default() };
            let mut session = open(backend.clone(), &encoder()).await;
            let settings = options.resolve(session.model.spec(), None).unwrap();
            let (first, examples) = fit(&mut session, &settings).await;
            let new = |session: &Session, encoder: &ExampleEncoder| {
                Trainer::new(session, settings.clone(), encoder.clone(), None, examples.clone()).unwrap()
            };
            let mut whole = new(&session, &first);
            let mut after = Vec::new();
            while let Some(report) = whole.step(&mut session).await.unwrap() {
                if report.step % 2 == 1 {
                    let evaluated = whole.evaluate(&mut session, Some(&examples), &mut || Ok(())).await.unwrap();
                    after.push(evaluated.loss.to_bits());
                }
            }
            let trained = state(&session).await;
            let bytes = whole.trajectory().to_bytes().unwrap();
            let read = Trajectory::parse("t", &bytes).unwrap();
            assert_eq!((read.refits.len(), read.torn_bytes), (3, 0), "{what}");
            let first = Classifier::of(&read.header, &session).unwrap().unwrap().linear;
            let last = Classifier::of(&read.latest_header(), &session).unwrap().unwrap().linear;
            assert_ne!(first, last, "{what}: the readout stayed");

            // Fitting again on the trained weights, from the data alone, gives the last readout.
            let again = fit(&mut session, &settings).await.0;
            let ExampleEncoder::Readout(again) = again else { unreachable!() };
            // The rows are passed in other batches, whose sums differ in their last bits.
            let pairs = again.linear.values().into_iter().zip(last.values());
            let apart = pairs.map(|(again, last)| (again - last).abs()).fold(0.0, f32::max);
            assert!(apart < 1e-3, "{what}: {apart}");

            // Replays from the file alone, and checks the weights and the loss with the last readout.
            let mut other = open(backend.clone(), &encoder()).await;
            replay(&mut other, &read, &mut |_| Ok(())).await.unwrap();
            assert_eq!(state(&other).await, trained, "{what}: replayed");
            let stored = Classifier::of(&read.latest_header(), &other).unwrap().unwrap();
            let stored = ExampleEncoder::Readout(stored);
            let loss = other.evaluate(&stored, &examples, &mut || Ok(())).await.unwrap().loss;
            assert_eq!(Some(&loss.to_bits()), after.last(), "{what}");

            // Resumes from any position: before and after a fit, and within a fit's bytes.
            let refit = 4 * (2 * (session.model.spec().hidden as usize + 1)) + 4;
            let step = 32 * settings.estimator.probes as usize;
            let body = 6 * step + 3 * refit;
            for kept in [0, step, 2 * step, 2 * step + refit / 2, 2 * step + refit, 3 * step + refit, body - refit, body] {
                let part = Trajectory::parse("t", &bytes[..bytes.len() - body + kept]).unwrap();
                let mut session = open(backend.clone(), &encoder()).await;
                let stored = Classifier::of(&part.latest_header(), &session).unwrap().unwrap();
                let mut resumed = new(&session, &ExampleEncoder::Readout(stored));
                resumed.resume(&mut session, part, &mut |_| Ok(())).await.unwrap();
                while resumed.step(&mut session).await.unwrap().is_some() {}
                assert!(resumed.trajectory().to_bytes().unwrap() == bytes, "{what}: resumed after {kept} bytes");
            }

            // The best step is found again from the record alone, and the run ends there with the readout of that step.
            let evaluated = Settings { evaluate_every: 2, ..settings.clone() };
            let mut session = open(backend.clone(), &encoder()).await;
            let mut again = Trainer::new(&session, evaluated, stored.clone(), None, examples.clone()).unwrap();
            again.resume(&mut session, read.clone(), &mut |_| Ok(())).await.unwrap();
            let best = again.best_so_far(&mut session, &examples, &mut || Ok(())).await.unwrap();
            assert_eq!(state(&session).await, trained, "{what}: measured again");
            let lowest = after.iter().map(|bits| f64::from_bits(*bits)).fold(f64::INFINITY, f64::min);
            assert!(best.loss <= lowest && best.steps % 2 == 0, "{what}: {best:?}");
            again.keep(&mut session, 2, &mut |_| Ok(())).await.unwrap();
            let kept = again.evaluate(&mut session, Some(&examples), &mut || Ok(())).await.unwrap();
            assert_eq!(kept.loss.to_bits(), after[0], "{what}: kept after two steps");
            assert!(again.is_complete() && again.trajectory().refits.len() == 1, "{what}");
            // A run without these refits is a different run.
            let plain = Settings { refit_every: 0, ..settings.clone() };
            let mut resumed = Trainer::new(&session, plain, stored, None, examples.clone()).unwrap();
            let error = resumed.resume(&mut session, read, &mut |_| Ok(())).await.unwrap_err();
            assert_eq!(error.code(), Code::TrajectoryMismatch);
        }
    }
}

device_test! { own
    async fn a_run_from_a_readout_takes_what_was_planned(backend: Rc<dyn Backend>) {
        let dir = encoder();
        let described = Session::describe(backend.limits(), &dir, DType::F32).await.unwrap();
        let method = MethodOptions { readout: true, refit_every: Some(1), ..MethodOptions::default() };
        let options = Options { method, steps: Some(2), batch_size: Some(8), ..Options::default() };
        let settings = options.resolve(described.model.spec(), None).unwrap();
        let data = dataset::read("train.csv", golden::file("bert", "train.csv")).unwrap();
        let labels = ["great", "terrible"].map(str::to_owned).to_vec();
        let unfitted = Classifier::unfitted(&described, labels, settings.readout.unwrap());
        let unfitted = ExampleEncoder::Readout(unfitted);
        let examples = unfitted.encode(&described, &data, 64).unwrap();
        let sizes = pocketllm::train::Sizes::of(&examples, Some(&examples), unfitted.score());
        let plan = described.plan(&settings, DType::F32, &sizes).await.unwrap();
        let mut session = described.load(backend.clone(), &mut |_| Ok(())).await.unwrap();
        let (encoder, examples) = fit(&mut session, &settings).await;
        let mut trainer = Trainer::new(&session, settings, encoder, None, examples.clone()).unwrap();
        while trainer.step(&mut session).await.unwrap().is_some() {}
        trainer.evaluate(&mut session, Some(&examples), &mut || Ok(())).await.unwrap();
        let seen = backend.memory().peak;
        assert!(plan.peak >= seen && plan.peak < seen + seen / 5, "planned {}, took {seen}", plan.peak);
        // Without the fitted readout, there is no such run.
        let settings = trainer.settings().clone();
        let error = Trainer::new(&session, settings, ExampleEncoder::LanguageModel, None, examples).err().unwrap();
        assert_eq!(error.code(), Code::InvalidArgument);
    }
}
