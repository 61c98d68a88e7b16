//! Adapters on every base model, compared with peft (`tests/golden/adapters.py`), and the exported forms of trained models.

use std::rc::Rc;

use super::fixtures::{LOSS, losses, open, trainer};
use crate::common::compare::numbers;
use crate::common::{device_test, golden, say};
use pocketllm::dtype::DType;
use pocketllm::format::files::MemoryDir;
use pocketllm::gpu::Backend;
use pocketllm::model::Extent;
use pocketllm::text::batch::Batch;
use pocketllm::train::{Method, Session, Settings, Setup, dtype, read_adapter, save_model};
use pocketllm::zo::estimator::{Estimator, EstimatorKind};
use serde_json::Value;

/// Tolerance of logits, in standard deviations of the expected ones, since sums are computed in another order.
const LOGITS: f32 = 1e-4;

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
        // A NaN must not count as no difference.
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
                // The saved adapter is the one that was read.
                let saved = session.save_adapter(None).await.unwrap();
                let again = MemoryDir::new("again")
                    .with("adapter_config.json", saved.config.into_bytes())
                    .with("adapter_model.safetensors", saved.weights);
                assert_eq!(read_adapter(&session, &again).await.unwrap().values, adapter.values, "{what}");
            }
        }
        say(&format!("{}: losses of peft's adapters within {worst:.1e}", backend.name()));
    }
}

device_test! {
    async fn an_adapter_of_a_model_without_a_head_is_one_of_auto_model(backend: Rc<dyn Backend>) {
        let mut session = open(backend, "features/encoder", DType::F32).await;
        let estimator = Estimator::default();
        let setup =
            Setup { method: &Method::lora(), estimator: &estimator, trainable: &[], seed: 7, initial: &[] };
        session.set_up(&setup).await.unwrap();
        let saved = session.save_adapter(None).await.unwrap();
        let config: serde_json::Value = serde_json::from_str(&saved.config).unwrap();
        assert_eq!(config["task_type"], "FEATURE_EXTRACTION");
        assert_eq!(config["target_modules"][0], "encoder.layer.0.attention.self.query");
        let file = safetensors::SafeTensors::deserialize(&saved.weights).unwrap();
        let name = "base_model.model.encoder.layer.0.attention.self.query.lora_A.weight";
        let own: Vec<f32> = bytemuck::pod_collect_to_vec(file.tensor(name).unwrap().data());
        let again = MemoryDir::new("again")
            .with("adapter_config.json", saved.config.into_bytes())
            .with("adapter_model.safetensors", saved.weights.clone());
        assert_eq!(read_adapter(&session, &again).await.unwrap().values[..own.len()], own);
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
        // A branch's loss does not depend on the other branches.
        let mut session = open(backend.clone(), "peft/blocks-llama", DType::F32).await;
        let two = Estimator::default();
        let setup = |estimator| Setup { method: &Method::Full, estimator, trainable: &[], seed: 0, initial: &[] };
        session.set_up(&setup(&two)).await.unwrap();
        let alone = losses(&mut session, case, &two, (5, 2, 1e-3)).await;
        let four = Estimator { probes: 4, ..Estimator::default() };
        let together = losses(&mut session, case, &four, (5, 2, 1e-3)).await;
        assert_eq!(alone, together[..2], "the first probe of four");
        // With any name, one probe is the two-point estimate.
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
