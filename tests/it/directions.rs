//! Steps of LoRA's B alone, Adam's steps, and activation bases, compared with PyTorch, peft and numpy (`tests/golden/directions.py`).

use std::rc::Rc;

use crate::common::compare::sha256;
use crate::common::{device_test, golden, say};
use crate::fixtures::{LOSS, batch, losses, open};
use pocketllm::format::files::MemoryDir;
use pocketllm::gpu::Backend;
use pocketllm::text::encode::LabelWords;
use pocketllm::text::template::Template;
use pocketllm::train::{
    ExampleEncoder, Examples, LoraA, Method, Settings, Setup, Trainer, dtype, read_adapter,
};
use pocketllm::zo::estimator::Estimator;
use pocketllm::zo::optimizer::{Adam, AdamSettings, Optimizer};
use pocketllm::zo::record::Record;
use serde_json::Value;

fn float(value: &Value) -> f32 {
    value.as_f64().unwrap() as f32
}

/// The same method with A frozen.
fn frozen(method: &Method) -> Method {
    let Method::Lora { rank, alpha, targets, .. } = method.clone() else { panic!("{method:?}") };
    Method::Lora { rank, alpha, targets, a: LoraA::Frozen }
}

fn constants(golden: &Value) -> AdamSettings {
    serde_json::from_value(golden["adam"].clone()).unwrap()
}

/// What targets are scored against: label words with these tokens, or the vocabulary if the list is empty.
fn encoder(labels: Vec<u32>) -> ExampleEncoder {
    match labels.is_empty() {
        true => ExampleEncoder::LanguageModel,
        false => ExampleEncoder::Classification {
            template: Template::parse("{text} [MASK]", Some("[MASK]")).unwrap(),
            labels: LabelWords { names: Vec::new(), words: Vec::new(), ids: labels },
        },
    }
}

/// The batch of an adapter's case in `tests/golden/peft/expected.json`.
fn case_of<'a>(cases: &'a Value, adapter: &str) -> &'a Value {
    cases["cases"].as_array().unwrap().iter().find(|case| case["adapter"] == adapter).unwrap()
}

device_test! {
    async fn losses_along_directions_of_b_are_pefts(backend: Rc<dyn Backend>) {
        let (golden, cases) = (golden::directions(), golden::peft());
        let (seed, step) = (cases["seed"].as_u64().unwrap(), cases["step"].as_u64().unwrap() as u32);
        for right in golden["frozen_a"].as_array().unwrap() {
            let name = right["adapter"].as_str().unwrap();
            let case = case_of(&cases, name);
            let (base, format) = (right["base"].as_str().unwrap(), right["dtype"].as_str().unwrap());
            let mut session = open(backend.clone(), base, dtype(format).unwrap()).await;
            let adapter = read_adapter(&session, &golden::dir(&format!("peft/{name}"))).await.unwrap();
            let (method, estimator) = (frozen(&adapter.method), Estimator::default());
            let setup = Setup {
                method: &method, estimator: &estimator, trainable: &[], seed: 0, initial: &adapter.values,
            };
            session.set_up(&setup).await.unwrap();
            let eps = float(&case["eps"]);
            let two = losses(&mut session, case, &estimator, (seed, step, eps)).await;
            for (ours, key) in two.iter().zip(["loss_plus", "loss_minus"]) {
                let right = right[key].as_f64().unwrap();
                let apart = (f64::from(*ours) - right).abs() / right.max(1.0);
                assert!(apart <= LOSS, "{name} over {format}: {key} {ours}, peft has {right}");
            }
            // The saved adapter is like any other peft adapter.
            let saved = session.save_adapter(None).await.unwrap();
            let again = MemoryDir::new("again")
                .with("adapter_config.json", saved.config.into_bytes())
                .with("adapter_model.safetensors", saved.weights);
            let again = read_adapter(&session, &again).await.unwrap();
            assert_eq!((again.method, again.values), (adapter.method, adapter.values), "{name}");
        }
    }
}

#[cfg_attr(not(target_arch = "wasm32"), test)]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn adams_values_are_numpys_bit_for_bit() {
    let golden = golden::directions();
    let case = &golden["adam_values"];
    let list = |value: &Value| -> Vec<f32> { value.as_array().unwrap().iter().map(float).collect() };
    let mut values: Vec<Vec<f32>> = case["initial"].as_array().unwrap().iter().map(list).collect();
    let ordinals =
        case["ordinals"].as_array().unwrap().iter().map(|ordinal| ordinal.as_u64().unwrap() as u32);
    let mut adam = Adam::new(constants(&golden), ordinals.zip(values.iter().map(Vec::len)));
    let seed = case["seed"].as_u64().unwrap();
    for (step, gradients) in case["projected_grads"].as_array().unwrap().iter().enumerate() {
        let gradients = list(gradients);
        let record = |(probe, gradient): (usize, &f32)| Record {
            step: step as u32,
            probe: probe as u32,
            projected_grad: *gradient,
            learning_rate: float(&case["rate"]),
            decay: float(&case["decay"]),
            loss_plus: 0.0,
            loss_minus: 0.0,
        };
        let records: Vec<Record> = gradients.iter().enumerate().map(record).collect();
        let estimator = Estimator { probes: gradients.len() as u32, ..Estimator::default() };
        adam.step(seed, &estimator, &records, &mut values);
    }
    for (values, right) in values.iter().zip(case["sha256"].as_array().unwrap()) {
        assert_eq!(sha256(bytemuck::cast_slice(values)), right.as_str().unwrap());
    }
}

device_test! {
    async fn an_activation_basis_is_numpys(backend: Rc<dyn Backend>) {
        let golden = golden::directions();
        for case in golden["basis"].as_array().unwrap() {
            let name = case["base"].as_str().unwrap();
            let mut session = open(backend.clone(), name, dtype("f32").unwrap()).await;
            let (examples, labels) = batch(case);
            let targets = if name == "llama" { ["q", "down"] } else { ["q", "v"] };
            let settings = Settings {
                steps: 1,
                batch_size: examples.len() as u32,
                method: Method::Lora {
                    rank: case["rank"].as_u64().unwrap() as u32,
                    alpha: 16.0,
                    targets: targets.map(str::to_owned).to_vec(),
                    a: LoraA::Activations,
                },
                ..Settings::default()
            };
            let examples = Examples::new(examples, 0);
            let mut run = Trainer::new(&session, settings, encoder(labels), None, examples).unwrap();
            run.begin(&mut session, &[]).await.unwrap();
            let right: Vec<f32> = case["factors"].as_array().unwrap().iter()
                .flat_map(|factor| factor.as_array().unwrap())
                .flat_map(|row| row.as_array().unwrap().iter().map(float))
                .collect();
            let ours = &run.trajectory().header.initial;
            assert_eq!(ours.len(), right.len(), "{name}");
            let worst = ours.iter().zip(&right).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            say(&format!("{name}: A within {worst:.1e}"));
            // f16 has 11 bits, and the elements are below 1.
            assert!(worst <= 1e-3, "{name}: A differs by {worst}");
            // The adapter has these values, and B is zero.
            let adapter = session.adapter_values().await.unwrap();
            assert_eq!(adapter.iter().filter(|x| **x != 0.0).count(), right.len(), "{name}");
        }
    }
}

device_test! {
    async fn a_run_of_adam_has_the_losses_of_pytorchs(backend: Rc<dyn Backend>) {
        let golden = golden::directions();
        for case in golden["adam_runs"].as_array().unwrap() {
            let name = case["adapter"].as_str().unwrap();
            let mut session = open(backend.clone(), case["base"].as_str().unwrap(), dtype("f32").unwrap()).await;
            let adapter = read_adapter(&session, &golden::dir(&format!("peft/{name}"))).await.unwrap();
            let (examples, labels) = batch(case);
            let right = case["losses"].as_array().unwrap();
            let settings = Settings {
                steps: right.len() as u32,
                batch_size: examples.len() as u32,
                method: frozen(&adapter.method),
                estimator: Estimator { probes: case["probes"].as_u64().unwrap() as u32, ..Estimator::default() },
                optimizer: Optimizer::Adam(constants(&golden)),
                learning_rate: float(&case["rate"]),
                epsilon: 1e-2,
                seed: case["seed"].as_u64().unwrap(),
                ..Settings::default()
            };
            let examples = Examples::new(examples, 0);
            let mut run = Trainer::new(&session, settings, encoder(labels), None, examples).unwrap();
            run.begin(&mut session, &adapter.values).await.unwrap();
            let mut worst = 0.0_f64;
            for right in right {
                let report = run.step(&mut session).await.unwrap().unwrap();
                let ours = report.probes.iter().flat_map(|probe| [probe.loss_plus, probe.loss_minus]);
                for (ours, right) in ours.zip(right.as_array().unwrap()) {
                    worst = worst.max((f64::from(ours) - right.as_f64().unwrap()).abs());
                }
            }
            say(&format!("{name}: losses within {worst:.1e}"));
            assert!(worst <= 1e-4, "{name}: losses differ by {worst}");
        }
    }
}
