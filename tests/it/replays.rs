//! Runs with every storage format, method and estimator, and of every family, replay and resume to the same bits.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::fixtures::{BLOCKS, open, trainer};
use crate::common::compare::{digests, sha256};
use crate::common::{device_test, say};
use pocketllm::dtype::DType;
use pocketllm::gpu::Backend;
use pocketllm::reference::Host;
use pocketllm::train::{LoraA, Method, Objective, Session, Settings, Setup, Trajectory, replay};
use pocketllm::zo::estimator::{Estimator, EstimatorKind};
use pocketllm::zo::optimizer::{AdamSettings, Optimizer};
use pocketllm::zo::random::Distribution;
use pocketllm::zo::schedule::Schedule;

/// [`digests`] of the base, and the digest of the adapter.
async fn all_digests(session: &Session) -> BTreeMap<String, String> {
    let mut found: BTreeMap<_, _> = digests(session).await.into_iter().collect();
    let adapter = session.adapter_values().await.unwrap();
    found.insert("adapter".to_owned(), sha256(bytemuck::cast_slice(&adapter)));
    found
}

/// Every kind of run: storage format, method, estimator.
pub(super) fn runs() -> Vec<(DType, Settings)> {
    let settings = |method: Method, estimator: Estimator| {
        // Large enough that each step changes the loss, and f16 weights.
        let (epsilon, learning_rate) = match method {
            Method::Full | Method::Readout { .. } => (1e-3, 1e-5),
            Method::Lora { .. } => (1e-2, 1e-3),
            Method::Prefix { .. } => (1e-1, 1e-2),
        };
        Settings {
            steps: 8,
            batch_size: 3,
            seed: 11,
            epsilon,
            learning_rate,
            method,
            estimator,
            ..Settings::default()
        }
    };
    let two_point = Estimator::default;
    let low_rank = Estimator { interval: 3, ..Estimator::new(EstimatorKind::LowRank) };
    let lora_of = |a| Method::Lora { rank: 4, alpha: 8.0, targets: vec!["all-linear".to_owned()], a };
    let lora = lora_of(LoraA::Trained);
    let mut runs = Vec::new();
    for dtype in [DType::F32, DType::F16] {
        for estimator in [
            Estimator { probes: 3, ..two_point() },
            Estimator { momentum: 0.9, ..two_point() },
            Estimator { probes: 5, ..Estimator::new(EstimatorKind::OneSided) },
            Estimator { probes: 2, distribution: Distribution::Rademacher, clip: 0.5, ..low_rank.clone() },
        ] {
            let decayed = Settings { weight_decay: 0.1, ..settings(Method::Full, estimator) };
            runs.push((dtype, decayed));
        }
    }
    for dtype in [DType::F32, DType::F16, DType::Q8_0, DType::Q4_0, DType::Q4_1] {
        runs.push((dtype, settings(lora.clone(), two_point())));
        runs.push((dtype, settings(Method::prefix(), Estimator { probes: 2, ..two_point() })));
    }
    for (dtype, estimator) in [
        (DType::F32, Estimator { momentum: 0.9, ..two_point() }),
        (DType::F16, Estimator { probes: 3, clip: 0.5, ..two_point() }),
        (DType::Q4_0, Estimator { probes: 5, ..Estimator::new(EstimatorKind::OneSided) }),
    ] {
        runs.push((dtype, settings(lora_of(LoraA::Frozen), estimator)));
    }
    let adam = Optimizer::Adam(AdamSettings { beta2: 0.99, ..AdamSettings::default() });
    for (dtype, method, estimator) in [
        (DType::F16, Method::lora(), Estimator { probes: 3, ..two_point() }),
        (
            DType::Q8_0,
            lora_of(LoraA::Frozen),
            Estimator { probes: 5, ..Estimator::new(EstimatorKind::OneSided) },
        ),
        (DType::Q4_0, Method::prefix(), two_point()),
        (DType::F32, lora_of(LoraA::Activations), Estimator { probes: 2, ..two_point() }),
    ] {
        runs.push((dtype, Settings { optimizer: adam, weight_decay: 0.1, ..settings(method, estimator) }));
    }
    for dtype in [DType::Q8_0, DType::Q4_0] {
        runs.push((dtype, settings(Method::Full, Estimator { interval: 1, ..low_rank.clone() })));
    }
    let some = Settings {
        trainable: vec!["*q_proj*".to_owned(), "*norm*".to_owned()],
        ..settings(Method::Full, two_point())
    };
    runs.push((DType::F32, some));
    runs.push((
        DType::F32,
        Settings { micro_batch: 2, objective: Objective::F1, ..settings(lora.clone(), two_point()) },
    ));
    runs.push((DType::F16, Settings { balanced: true, ..settings(lora, two_point()) }));
    runs
}

/// The setup of a run before its first step.
fn setup_of(settings: &Settings) -> Setup<'_> {
    let Settings { method, estimator, trainable, seed, .. } = settings;
    Setup { method, estimator, trainable, seed: *seed, initial: &[] }
}

/// Runs with these settings, and checks that its records replay on the device and on the host, and resume from the middle, to the
/// same bits.
pub(super) async fn check_run(backend: &Rc<dyn Backend>, model: &str, dtype: DType, settings: &Settings) {
    let what =
        format!("{model} {dtype} {:?} {:?} {:?}", settings.method, settings.estimator, settings.optimizer);
    say(&what);
    // The host has the same base weights, and reads them back immediately.
    let before = all_digests(&open(Host::open(), model, dtype).await).await;
    let mut session = open(backend.clone(), model, dtype).await;
    let mut run = trainer(&session, settings);
    while run.step(&mut session).await.unwrap().is_some() {}
    run.settle(&mut session).await.unwrap();
    let after = all_digests(&session).await;
    assert_ne!(before, after, "{what}: nothing was trained");
    let bytes = run.trajectory().to_bytes().unwrap();
    let trajectory = Trajectory::parse("the run", &bytes).unwrap();
    assert_eq!(trajectory.steps(), settings.steps, "{what}");
    // On the device and on the host, regardless of which computed the losses.
    for backend in [backend.clone(), Host::open()] {
        let mut session = open(backend.clone(), model, dtype).await;
        replay(&mut session, &trajectory, &mut |_| Ok(())).await.unwrap();
        assert_eq!(all_digests(&session).await, after, "{what} replayed on {}", backend.name());
    }
    // A run that was interrupted in the middle of a step continues as if it had not been.
    let probes = settings.estimator.probes as usize;
    let end = bytes.len() - 3 * 32 * probes - 5;
    let mut torn = Trajectory::parse("the run", &bytes[..end]).unwrap();
    assert_eq!((torn.steps(), torn.torn_bytes), (4, 32 * probes - 5), "{what}");
    // If the number of steps affects nothing else, it may also have been a shorter run.
    if settings.schedule == Schedule::Constant {
        torn.header.settings.steps = 5;
    }
    // With Adam, also from weights that already contain the updates, where the moments are recomputed.
    for replayed in [false, true].into_iter().take(if settings.optimizer == Optimizer::Sgd { 1 } else { 2 }) {
        let mut session = open(backend.clone(), model, dtype).await;
        let mut second = trainer(&session, settings);
        if replayed {
            replay(&mut session, &torn, &mut |_| Ok(())).await.unwrap();
            second.adopt(&mut session, torn.clone()).await.unwrap();
        } else {
            second.resume(&mut session, torn.clone(), &mut |_| Ok(())).await.unwrap();
        }
        while second.step(&mut session).await.unwrap().is_some() {}
        second.settle(&mut session).await.unwrap();
        assert!(second.trajectory().to_bytes().unwrap() == bytes, "{what}: the resumed run's records differ");
        assert_eq!(all_digests(&session).await, after, "{what} resumed");
    }
}

device_test! {
    async fn every_run_replays_and_resumes_to_the_same_bits(backend: Rc<dyn Backend>) {
        for (dtype, settings) in runs() {
            check_run(&backend, "peft/blocks-llama", dtype, &settings).await;
        }
    }
}

device_test! {
    async fn every_family_is_trained_by_every_method(backend: Rc<dyn Backend>) {
        let all = runs();
        let low_rank = |s: &Settings| s.estimator.kind == EstimatorKind::LowRank;
        let chosen = |dtype: DType, method: &str, of_low_rank: bool| {
            let found = |(d, s): &&(DType, Settings)| {
                *d == dtype && s.method.name() == method && low_rank(s) == of_low_rank
            };
            all.iter().find(found).unwrap()
        };
        let runs = [
            chosen(DType::F16, "full", false),
            chosen(DType::Q8_0, "full", true),
            chosen(DType::Q4_0, "lora", false),
            chosen(DType::F32, "full", false),
            chosen(DType::F32, "full", true),
            chosen(DType::F32, "prefix", false),
        ];
        // Reading back each tensor takes Firefox about a tenth of a second, so in browsers only the family with the most special
        // features is tested, in f16, q8 and q4.
        let (here, first) = match cfg!(target_arch = "wasm32") {
            true => ("random gemma3", 3),
            false => ("", runs.len()),
        };
        for (model, _) in BLOCKS.iter().filter(|(model, _)| model.contains(here)) {
            for (dtype, settings) in &runs[..first] {
                let is_prefix = matches!(settings.method, Method::Prefix { .. });
                let host = open(Host::open(), model, *dtype).await;
                let spec = host.model.spec();
                let reasons = [
                    spec.has_convolutions().then_some("layers without attention"),
                    spec.embedding.relative.map(|_| "depends on the distance of two tokens"),
                ];
                if is_prefix && let Some(reason) = reasons.into_iter().flatten().next() {
                    let refused = open(backend.clone(), model, *dtype).await.set_up(&setup_of(settings)).await;
                    assert!(refused.unwrap_err().message().contains(reason));
                    continue;
                }
                check_run(&backend, model, *dtype, settings).await;
            }
        }
    }
}

device_test! {
    async fn low_rank_trains_every_matrix_by_its_factors_alone(backend: Rc<dyn Backend>) {
        let low_rank = Estimator::new(EstimatorKind::LowRank);
        for (model, _) in BLOCKS {
            for dtype in [DType::F32, DType::Q8_0] {
                let mut session = open(backend.clone(), model, dtype).await;
                let setup = Setup {
                    method: &Method::Full, estimator: &low_rank, trainable: &[], seed: 3, initial: &[],
                };
                session.set_up(&setup).await.unwrap();
                let adapted = session.model.adapter().unwrap().adapted();
                for matrix in session.model.weights().matrices() {
                    let name = &session.model.spec().tensors.as_slice()[matrix.id].name;
                    assert!(adapted.contains(&matrix.id), "{name} has no factors");
                    assert!(!matrix.trained, "{name} is trained twice");
                }
            }
        }
    }
}
