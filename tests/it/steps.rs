//! One step's losses of a model with each kind of attention, compared with PyTorch, and adapters of families, compared with peft
//! (`tests/golden/steps.py`).

use std::rc::Rc;

use super::fixtures::{LOSS, losses, open};
use crate::common::compare::{deviations, numbers};
use crate::common::{device_test, golden};
use pocketllm::dtype::DType;
use pocketllm::format::files::MemoryDir;
use pocketllm::gpu::Backend;
use pocketllm::model::Extent;
use pocketllm::text::batch::Batch;
use pocketllm::train::{Method, Setup, read_adapter};
use pocketllm::zo::estimator::Estimator;

device_test! {
    async fn losses_of_a_step_are_pytorchs(backend: Rc<dyn Backend>) {
        let golden = golden::steps();
        let (seed, step) = (golden["seed"].as_u64().unwrap(), golden["step"].as_u64().unwrap() as u32);
        let eps = golden["eps"].as_f64().unwrap() as f32;
        for case in golden["steps"].as_array().unwrap() {
            let name = case["model"].as_str().unwrap();
            let mut session = open(backend.clone(), name, DType::F32).await;
            let tensors = session.model.spec().tensors.as_slice().iter().map(|t| t.name.as_str());
            assert!(tensors.eq(case["tensors"].as_array().unwrap().iter().map(|n| n.as_str().unwrap())), "{name}");
            let estimator = Estimator::default();
            let setup =
                Setup { method: &Method::Full, estimator: &estimator, trainable: &[], seed: 0, initial: &[] };
            session.set_up(&setup).await.unwrap();
            let two = losses(&mut session, case, &estimator, (seed, step, eps)).await;
            for (ours, key) in two.iter().zip(["loss_plus", "loss_minus"]) {
                let right = case[key].as_f64().unwrap();
                let apart = (f64::from(*ours) - right).abs() / right.max(1.0);
                assert!(apart <= LOSS, "{name}: {key} {ours}, PyTorch has {right}");
            }
        }
    }
}

device_test! {
    async fn adapters_of_more_families_are_pefts(backend: Rc<dyn Backend>) {
        adapters_are_pefts(backend).await;
    }
}

/// Reads adapters that peft wrote, compares the logits, and writes the adapters again.
pub(super) async fn adapters_are_pefts(backend: Rc<dyn Backend>) {
    for case in golden::steps()["adapters"].as_array().unwrap() {
        let name = case["adapter"].as_str().unwrap();
        let folder = format!("steps/{name}");
        let mut session = open(backend.clone(), name, DType::F32).await;
        let adapter = read_adapter(&session, &golden::dir(&folder)).await.unwrap();
        session.use_adapter(&adapter).await.unwrap();
        let expected = golden::file(&folder, "expected.safetensors");
        let expected = safetensors::SafeTensors::deserialize(expected).unwrap();
        for (i, ids) in case["ids"].as_array().unwrap().iter().map(numbers).enumerate() {
            let tokens = ids.len() as u32;
            let extent = Extent { branches: 1, tokens, targets: tokens, labels: 0 };
            let (model, ws) = session.prepare(extent).unwrap();
            let logits = model.logits(ws, &Batch::sequence(&ids)).await.unwrap();
            let right = expected.tensor(&format!("logits_{i}")).unwrap();
            let worst = deviations(&logits, &bytemuck::pod_collect_to_vec(right.data()));
            assert!(worst <= 1e-4, "{name}, input {i}: {worst}");
        }
        let saved = session.save_adapter(None).await.unwrap();
        let again = MemoryDir::new("again")
            .with("adapter_config.json", saved.config.into_bytes())
            .with("adapter_model.safetensors", saved.weights);
        assert_eq!(read_adapter(&session, &again).await.unwrap().values, adapter.values, "{name}");
    }
}
