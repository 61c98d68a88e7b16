//! Every method, storage format and estimator: adapters against peft (`tests/golden/adapters.py`), and replay bit for bit.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::common::compare::{digests, numbers, sha256};
use crate::common::{device_test, golden, say};
use pocketllm::dtype::DType;
use pocketllm::format::files::MemoryDir;
use pocketllm::gpu::Backend;
use pocketllm::model::{Extent, Score};
use pocketllm::reference::Host;
use pocketllm::text::batch::Batch;
use pocketllm::text::encode::{Example, Target};
use pocketllm::train::{
    ExampleEncoder, Examples, LoraA, Method, RandomModel, Session, Settings, Setup, Trainer, dtype,
    read_adapter, replay, save_model,
};
use pocketllm::train::{Objective, Trajectory};
use pocketllm::zo::estimator::{Estimator, EstimatorKind};
use pocketllm::zo::optimizer::{AdamSettings, Optimizer};
use pocketllm::zo::random::Distribution;
use pocketllm::zo::schedule::Schedule;
use pocketllm::zo::update;
use serde_json::Value;

/// Logits, in standard deviations of the expected: sums in another order.
const LOGITS: f32 = 1e-4;

/// Losses, relative to the larger of 1 and the loss: as for logits.
pub(super) const LOSS: f64 = 2e-5;

pub(super) async fn open(backend: Rc<dyn Backend>, name: &str, dtype: DType) -> Session {
    if let Some((_, config)) = BLOCKS.iter().find(|(found, _)| *found == name) {
        let dir = RandomModel::new(name, config.as_bytes().to_vec(), 5).unwrap();
        return Session::open(backend, &dir, dtype, &mut |_| Ok(())).await.unwrap();
    }
    Session::open(backend, &golden::dir(name), dtype, &mut |_| Ok(())).await.unwrap()
}

/// The golden's batch: masked sequences with label words, or every next token.
pub(super) fn batch(case: &Value) -> (Vec<Example>, Vec<u32>) {
    let sequences = case["sequences"].as_array().unwrap().iter().map(numbers);
    match case.get("mask_id") {
        Some(mask) => {
            let labels = numbers(&case["labels"]);
            let examples = sequences.zip(labels).map(|(ids, label)| {
                let mask = ids.iter().position(|id| u64::from(*id) == mask.as_u64().unwrap()).unwrap();
                Example { targets: vec![Target { position: mask as u32, label }], ids }
            });
            (examples.collect(), numbers(&case["label_ids"]))
        }
        None => (sequences.map(next_tokens).collect(), Vec::new()),
    }
}

fn next_tokens(ids: Vec<u32>) -> Example {
    let target = |i: usize| Target { position: i as u32 - 1, label: ids[i] };
    Example { targets: (1..ids.len()).map(target).collect(), ids }
}

/// Losses of the branches that an estimator has at a step.
pub(super) async fn losses(
    session: &mut Session,
    case: &Value,
    estimator: &Estimator,
    (seed, step, eps): (u64, u32, f32),
) -> Vec<f32> {
    let (examples, labels) = batch(case);
    let batch = Batch::pack(&examples.iter().collect::<Vec<_>>());
    let score = if labels.is_empty() { Score::Vocabulary } else { Score::Labels(&labels) };
    let branches = estimator.branches();
    let (tokens, targets) = (batch.ids.len() as u32, batch.targets.len() as u32);
    let extent = Extent { branches, tokens, targets, labels: labels.len() as u32 };
    let added = update::step(&[], &estimator.branch_list(seed, step), eps, estimator.distribution);
    let (model, ws) = session.prepare(extent).unwrap();
    model.branch_scores(ws, &batch, score, (&added, branches), false).await.unwrap().means
}

async fn check_logits(session: &mut Session, case: &Value, expected: &[u8], base: &str, what: &str) {
    let expected = safetensors::SafeTensors::deserialize(expected).unwrap();
    for (i, ids) in case["ids"].as_array().unwrap().iter().enumerate() {
        let Ok(right) = expected.tensor(&format!("{base}_{i}")) else { continue };
        let right: Vec<f32> = bytemuck::pod_collect_to_vec(right.data());
        let ids = numbers(ids);
        let tokens = ids.len() as u32;
        let extent = Extent { branches: 1, tokens, targets: tokens, labels: 0 };
        let (model, ws) = session.prepare(extent).unwrap();
        let ours = model.logits(ws, &Batch::sequence(&ids)).await.unwrap();
        let mean = right.iter().sum::<f32>() / right.len() as f32;
        let deviation = (right.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / right.len() as f32).sqrt();
        let apart = ours.iter().zip(&right).map(|(a, b)| (a - b).abs());
        // A NaN must not pass as no difference.
        let apart =
            apart.map(|d| if d.is_finite() { d } else { f32::INFINITY }).fold(0.0, f32::max) / deviation;
        assert!(apart <= LOGITS, "{what}, input {i}: logits differ by {apart} standard deviations");
    }
}

device_test! {
    async fn adapters_over_every_base_are_pefts(backend: Rc<dyn Backend>) {
        let golden = golden::peft();
        let (seed, step) = (golden["seed"].as_u64().unwrap(), golden["step"].as_u64().unwrap() as u32);
        let mut worst = 0.0_f64;
        for case in golden["cases"].as_array().unwrap() {
            let name = case["adapter"].as_str().unwrap();
            let folder = format!("peft/{name}");
            let expected = golden::file(&folder, "expected.safetensors");
            let dir = golden::dir(&folder);
            for (base, right) in case["bases"].as_object().unwrap() {
                let what = format!("{name} over {base}");
                let mut session =
                    open(backend.clone(), case["base"].as_str().unwrap(), dtype(base).unwrap()).await;
                let adapter = read_adapter(&session, &dir).await.unwrap();
                let estimator = Estimator::default();
                let setup = Setup {
                    method: &adapter.method, estimator: &estimator, trainable: &[], seed: 0, initial: &adapter.values,
                };
                session.set_up(&setup).await.unwrap();
                check_logits(&mut session, case, expected, base, &what).await;
                let eps = case["eps"].as_f64().unwrap() as f32;
                let two = losses(&mut session, case, &estimator, (seed, step, eps)).await;
                for (ours, key) in two.iter().zip(["loss_plus", "loss_minus"]) {
                    let right = right[key].as_f64().unwrap();
                    let apart = (f64::from(*ours) - right).abs() / right.max(1.0);
                    assert!(apart <= LOSS, "{what}: {key} {ours}, peft has {right}");
                    worst = worst.max(apart);
                }
                // What is saved is what was read.
                let saved = session.save_adapter().await.unwrap();
                let again = MemoryDir::new("again")
                    .with("adapter_config.json", saved.config.into_bytes())
                    .with("adapter_model.safetensors", saved.weights);
                assert_eq!(read_adapter(&session, &again).await.unwrap().values, adapter.values, "{what}");
            }
        }
        say(&format!("{}: losses of peft's adapters within {worst:.1e}", backend.name()));
    }
}

/// [`digests`] of the base, and that of the adapter.
async fn all_digests(session: &Session) -> BTreeMap<String, String> {
    let mut found: BTreeMap<_, _> = digests(session).await.into_iter().collect();
    let adapter = session.adapter_values().await.unwrap();
    found.insert("adapter".to_owned(), sha256(bytemuck::cast_slice(&adapter)));
    found
}

pub(super) fn examples() -> Examples {
    let sequences = [
        [3_u32, 9, 17, 4, 30, 11].to_vec(),
        vec![8, 2, 2, 40],
        vec![5, 6, 7, 8, 9, 10, 11, 12],
        vec![20, 21, 22],
    ];
    Examples::new(sequences.map(next_tokens).to_vec(), 0)
}

fn trainer(session: &Session, settings: &Settings) -> Trainer {
    Trainer::new(session, settings.clone(), ExampleEncoder::LanguageModel, None, examples()).unwrap()
}

/// Every kind of run: storage, method, estimator.
fn runs() -> Vec<(DType, Settings)> {
    let settings = |method: Method, estimator: Estimator| {
        // Large enough that each step moves the loss, and f16 weights.
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
        Settings { micro_batch: 2, objective: Objective::F1, ..settings(lora, two_point()) },
    ));
    runs
}

/// A run with these settings; its records replayed on the device and on the host, and resumed from the middle, to the same bits.
async fn check_run(backend: &Rc<dyn Backend>, model: &str, dtype: DType, settings: &Settings) {
    let what =
        format!("{model} {dtype} {:?} {:?} {:?}", settings.method, settings.estimator, settings.optimizer);
    say(&what);
    // The host has the same base weights, and reads them back at once.
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
    // On the device and on the host, whatever computed the losses.
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
    // Where the number of steps changes nothing else, it may also have been a shorter run.
    if settings.schedule == Schedule::Constant {
        torn.header.settings.steps = 5;
    }
    // With Adam, also from weights that contain the updates already: its moments are computed again.
    for replayed in [false, true].into_iter().take(if settings.optimizer == Optimizer::Sgd { 1 } else { 2 }) {
        let mut session = open(backend.clone(), model, dtype).await;
        let mut second = trainer(&session, settings);
        if replayed {
            replay(&mut session, &torn, &mut |_| Ok(())).await.unwrap();
            second.adopt(&mut session, torn.clone()).unwrap();
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

/// For each family a configuration with rows of whole blocks, so that quantized matrices stay quantized.
const BLOCKS: &[(&str, &str)] = &[
    (
        "random roberta",
        r#"{"model_type":"roberta","hidden_size":64,"num_attention_heads":4,"intermediate_size":96,"vocab_size":101,
            "max_position_embeddings":40,"num_hidden_layers":2,"type_vocab_size":1,"pad_token_id":1,"layer_norm_eps":1e-5}"#,
    ),
    (
        "random bert",
        r#"{"model_type":"bert","hidden_size":64,"num_attention_heads":4,"intermediate_size":96,"vocab_size":101,
            "max_position_embeddings":40,"num_hidden_layers":2}"#,
    ),
    (
        "random gpt2",
        r#"{"model_type":"gpt2","n_embd":64,"n_head":4,"n_layer":2,"n_inner":96,"n_positions":40,"vocab_size":101}"#,
    ),
    (
        "random opt",
        r#"{"model_type":"opt","hidden_size":64,"word_embed_proj_dim":32,"do_layer_norm_before":false,"num_attention_heads":4,
            "ffn_dim":96,"vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2}"#,
    ),
    (
        "random qwen2",
        r#"{"model_type":"qwen2","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,"tie_word_embeddings":true,
            "use_sliding_window":true,"sliding_window":4,"max_window_layers":1}"#,
    ),
    (
        "random qwen3",
        r#"{"model_type":"qwen3","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":32,
            "intermediate_size":96,"vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2}"#,
    ),
    (
        "random distilbert",
        r#"{"model_type":"distilbert","dim":64,"n_heads":4,"hidden_dim":96,"n_layers":2,"max_position_embeddings":40,
            "vocab_size":101}"#,
    ),
    (
        "random electra",
        r#"{"model_type":"electra","embedding_size":32,"hidden_size":64,"num_attention_heads":4,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2}"#,
    ),
    (
        "random modernbert",
        r#"{"model_type":"modernbert","hidden_size":64,"num_attention_heads":4,"intermediate_size":96,"vocab_size":101,
            "max_position_embeddings":40,"num_hidden_layers":2,"local_attention":6}"#,
    ),
    (
        "random gpt_neox",
        r#"{"model_type":"gpt_neox","hidden_size":64,"num_attention_heads":4,"intermediate_size":96,"vocab_size":101,
            "max_position_embeddings":40,"num_hidden_layers":2}"#,
    ),
    (
        "random smollm3",
        r#"{"model_type":"smollm3","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,"no_rope_layers":[1,0]}"#,
    ),
    (
        "random olmo2",
        r#"{"model_type":"olmo2","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2}"#,
    ),
    (
        "random granite",
        r#"{"model_type":"granite","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,"embedding_multiplier":12,
            "attention_multiplier":0.1,"residual_multiplier":0.22,"logits_scaling":8}"#,
    ),
    (
        "random phi3",
        r#"{"model_type":"phi3","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":96,
            "vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,"original_max_position_embeddings":8,
            "rope_scaling":{"type":"longrope","short_factor":[1,1,1,1,2,2,2,2],"long_factor":[1,2,3,4,5,6,7,8]}}"#,
    ),
    (
        "random gemma3",
        r#"{"model_type":"gemma3_text","hidden_size":64,"num_attention_heads":4,"num_key_value_heads":1,"head_dim":32,
            "intermediate_size":96,"vocab_size":101,"max_position_embeddings":40,"num_hidden_layers":2,"sliding_window":4,
            "layer_types":["sliding_attention","full_attention"],"query_pre_attn_scalar":32}"#,
    ),
];

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
        // Each tensor that is read back takes Firefox about a tenth of a second: in browsers, the family with the most
        // particulars in f16, q8 and q4.
        let (here, first) = match cfg!(target_arch = "wasm32") {
            true => ("random gemma3", 3),
            false => ("", runs.len()),
        };
        for (model, _) in BLOCKS.iter().filter(|(model, _)| model.contains(here)) {
            for (dtype, settings) in &runs[..first] {
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

device_test! {
    async fn an_untrained_model_is_exported_as_it_was_read(backend: Rc<dyn Backend>) {
        for model in ["gpt2", "llama", "bert", "gemma3", "gpt-neox", "modernbert", "phi3"] {
            let session = open(backend.clone(), model, DType::F32).await;
            let mut file = Vec::new();
            save_model(&session, &mut |bytes| {
                file.extend_from_slice(bytes);
                Ok(())
            }).await.unwrap();
            let weights = golden::file(model, "model.safetensors");
            let (ours, theirs) =
                (safetensors::SafeTensors::deserialize(&file).unwrap(), safetensors::SafeTensors::deserialize(weights).unwrap());
            for (name, tensor) in ours.tensors() {
                let right = theirs.tensor(&name).unwrap();
                assert_eq!(tensor.shape(), right.shape(), "{model}: {name}");
                assert!(tensor.data() == right.data(), "{model}: {name}");
            }
        }
    }
}

/// Logits of every token of a text.
async fn logits(session: &mut Session, ids: &[u32]) -> Vec<f32> {
    let tokens = ids.len() as u32;
    let extent = Extent { branches: 1, tokens, targets: tokens, labels: 0 };
    let (model, ws) = session.prepare(extent).unwrap();
    model.logits(ws, &Batch::sequence(ids)).await.unwrap()
}

device_test! {
    async fn an_exported_model_computes_what_was_trained(backend: Rc<dyn Backend>) {
        let low_rank = Estimator { interval: 3, ..Estimator::new(EstimatorKind::LowRank) };
        for (dtype, estimator) in [
            (DType::F32, Estimator::default()),
            (DType::F16, Estimator::default()),
            (DType::F32, low_rank.clone()),
            (DType::F16, low_rank.clone()),
            (DType::Q4_0, low_rank),
        ] {
            let what = format!("{dtype} {:?}", estimator.kind);
            let settings = Settings {
                steps: 5, batch_size: 3, seed: 4, learning_rate: 1e-4, estimator, ..Settings::default()
            };
            let mut session = open(backend.clone(), "peft/blocks-llama", dtype).await;
            let before = logits(&mut session, &[5, 9, 30, 2]).await;
            let mut run = trainer(&session, &settings);
            while run.step(&mut session).await.unwrap().is_some() {}
            run.settle(&mut session).await.unwrap();
            let trained = logits(&mut session, &[5, 9, 30, 2]).await;
            assert_ne!(before, trained, "{what}");
            let mut file = Vec::new();
            save_model(&session, &mut |bytes| {
                file.extend_from_slice(bytes);
                Ok(())
            }).await.unwrap();
            let config = golden::file("peft/blocks-llama", "config.json");
            let dir = MemoryDir::new("exported").with("config.json", config).with("model.safetensors", file);
            let mut again = Session::open(backend.clone(), &dir, DType::F32, &mut |_| Ok(())).await.unwrap();
            let exported = logits(&mut again, &[5, 9, 30, 2]).await;
            let apart = trained.iter().zip(&exported).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(apart < 1e-4, "{what}: {apart}");
        }
    }
}

device_test! {
    async fn probes_and_micro_batches_change_nothing_else(backend: Rc<dyn Backend>) {
        let golden = golden::peft();
        let case = golden["cases"].as_array().unwrap().iter().find(|c| c["adapter"] == "blocks-llama-lora").unwrap();
        // A branch's loss does not depend on the branches beside it.
        let mut session = open(backend.clone(), "peft/blocks-llama", DType::F32).await;
        let two = Estimator::default();
        let setup = |estimator| Setup { method: &Method::Full, estimator, trainable: &[], seed: 0, initial: &[] };
        session.set_up(&setup(&two)).await.unwrap();
        let alone = losses(&mut session, case, &two, (5, 2, 1e-3)).await;
        let four = Estimator { probes: 4, ..Estimator::default() };
        let together = losses(&mut session, case, &four, (5, 2, 1e-3)).await;
        assert_eq!(alone, together[..2], "the first probe of four");
        // One probe by any name is the two-point estimate.
        let named: Estimator = serde_json::from_str(r#"{"estimator": "n-spsa", "probes": 1}"#).unwrap();
        assert_eq!(named, two);

        let mut records = Vec::new();
        for micro_batch in [0, 1, 2, 3] {
            let settings = Settings {
                steps: 4, batch_size: 4, micro_batch, epsilon: 1e-3, learning_rate: 1e-6, seed: 3, ..Settings::default()
            };
            let mut session = open(backend.clone(), "peft/blocks-llama", DType::F32).await;
            let mut run = trainer(&session, &settings);
            while run.step(&mut session).await.unwrap().is_some() {}
            records.push(run.trajectory().records.clone());
        }
        for micro in &records[1..] {
            for (whole, micro) in records[0].iter().zip(micro) {
                let apart = (whole.loss_plus - micro.loss_plus).abs() / whole.loss_plus;
                assert!(apart <= 1e-6, "{whole:?} {micro:?}");
            }
        }
    }
}
