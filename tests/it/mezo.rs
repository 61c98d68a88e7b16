//! MeZO compared with a second implementation in numpy and PyTorch (`tests/golden/mezo.py`): the random direction, the order of the
//! data, ten steps of two models, and two hundred updates, bit for bit where that is guaranteed.

use std::rc::Rc;

use crate::common::compare::{digests, word};
use crate::common::{device_test, golden, noise, say};
use pocketllm::dtype::DType;
use pocketllm::gpu::{Backend, MemoryClass, Recording};
use pocketllm::kernel::materialize;
use pocketllm::kernel::step::{Branch, MAX_BYTES};
use pocketllm::reference::Host;
use pocketllm::rng::threefry2x32;
use pocketllm::text::dataset;
use pocketllm::text::encode::{Example, Target};
use pocketllm::train::{ExampleEncoder, Examples, Session, Settings, Trainer, replay};
use pocketllm::train::{Header, Trajectory, hex};
use pocketllm::zo::estimator::{self, Estimator};
use pocketllm::zo::random::{Distribution, Order, permutation, stream_key};
use pocketllm::zo::record::Record;
use pocketllm::zo::schedule::Schedule;
use pocketllm::zo::update::{self, Update};
use serde_json::Value;

/// Tolerance of a step's losses: the projected gradients of earlier steps differ in their last bits, and so do the weights.
const LOSS: f64 = 1e-4;

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn float(value: &Value) -> f32 {
    value.as_f64().unwrap() as f32
}

#[cfg_attr(not(target_arch = "wasm32"), test)]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn the_order_of_the_data_is_as_specified() {
    for case in golden::mezo()["data_order"].as_array().unwrap() {
        let order =
            permutation(number(&case["seed"]), number(&case["epoch"]) as u32, number(&case["n"]) as usize);
        let right: Vec<usize> = serde_json::from_value(case["order"].clone()).unwrap();
        assert_eq!(order, right, "{case}");
    }
}

#[cfg_attr(not(target_arch = "wasm32"), test)]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn a_balanced_order_is_as_specified() {
    for case in golden::mezo()["balanced_order"].as_array().unwrap() {
        let labels: Vec<u32> = serde_json::from_value(case["labels"].clone()).unwrap();
        let right: Vec<usize> = serde_json::from_value(case["order"].clone()).unwrap();
        let mut order = Order::balanced(number(&case["seed"]), labels);
        // The batch is a whole epoch.
        assert_eq!(order.batch(number(&case["epoch"]) as u32, right.len()), right, "{case}");
    }
}

/// z for the elements `start..start + count` of a tensor, computed by the materialize kernel on zero weights.
async fn direction(backend: &dyn Backend, key: [u32; 2], ordinal: u32, start: u32, count: u32) -> Vec<u32> {
    let first_vec4 = start / 4;
    let vec4s = (start + count).div_ceil(4) - first_vec4;
    let stored = backend.create("stored", u64::from(vec4s) * 16, MemoryClass::Weights).unwrap();
    let weights = backend.create("weights", u64::from(vec4s) * 16, MemoryClass::Scratch).unwrap();
    let step = backend.create("step", MAX_BYTES, MemoryClass::Transfer).unwrap();
    // With epsilon 1, the scaled table is the table itself.
    let branch = Branch::along(key);
    let added = update::step(&[], &[branch], 1.0, Distribution::Gaussian);
    backend.write(&step, 0, &added.to_bytes()).unwrap();
    let params = materialize::Params {
        vec4s,
        first_vec4,
        ordinal,
        branches: 1,
        branch_stride: vec4s,
        ..Default::default()
    };
    let mut r = Recording::new();
    materialize::record_matrix(&mut r, DType::F32, &params, &step, &stored, &weights);
    backend.run(&r).await.unwrap();
    let bytes = backend.read(&weights, 0, u64::from(vec4s) * 16).await.unwrap();
    let words: Vec<u32> = bytemuck::pod_collect_to_vec(&bytes);
    words[(start % 4) as usize..][..count as usize].to_vec()
}

device_test! {
    async fn the_direction_is_as_specified_on_device_and_host(backend: Rc<dyn Backend>) {
        let backends: [Rc<dyn Backend>; 2] = [backend, Host::open()];
        for case in golden::mezo()["z"].as_array().unwrap() {
            let key = stream_key(number(&case["seed"]), number(&case["step"]) as u32, 0);
            let right: Vec<u32> = case["z"].as_array().unwrap().iter().map(word).collect();
            let (ordinal, start) = (number(&case["ordinal"]) as u32, number(&case["start"]) as u32);
            for backend in &backends {
                let z = direction(backend.as_ref(), key, ordinal, start, right.len() as u32).await;
                assert_eq!(z, right, "{} {case}", backend.name());
            }
        }
        // Many more elements, on the device and on the host.
        let key = threefry2x32([3, 4], [5, 6]);
        let (device, host) = (
            direction(backends[0].as_ref(), key, 9, 0, 1 << 20).await,
            direction(backends[1].as_ref(), key, 9, 0, 1 << 20).await,
        );
        assert!(device == host, "device and host draw other bits");
    }
}

device_test! {
    async fn an_update_and_two_branches_are_the_same_bits_on_device_and_host(backend: Rc<dyn Backend>) {
        let update = |step, rounding| Update {
            key: stream_key(1, step, 0),
            coefficient: -3e-4,
            distribution: Distribution::Gaussian,
            decay: 0.999,
            rounding: Some(rounding),
        };
        let branches = Estimator::default().branch_list(1, 3);
        let step = update::step(&[update(1, [5, 6]), update(2, [7, 8])], &branches, 1e-3, Distribution::Gaussian);
        for dtype in [DType::F32, DType::F16] {
            let mut results = Vec::new();
            for backend in [backend.clone(), Host::open()] {
                let vec4s = 4099_u32;
                let bytes = u64::from(vec4s) * 16;
                let stored = backend.create("stored", bytes, MemoryClass::Weights).unwrap();
                backend.write(&stored, 0, &dtype.quantize(&noise(7, vec4s * 4)).unwrap()).unwrap();
                let weights = backend.create("weights", 2 * bytes, MemoryClass::Scratch).unwrap();
                let uploaded = backend.create("step", MAX_BYTES, MemoryClass::Transfer).unwrap();
                backend.write(&uploaded, 0, &step.to_bytes()).unwrap();
                let params = materialize::Params {
                    vec4s, branches: 2, branch_stride: vec4s, ordinal: 4, decays: 1, ..Default::default()
                };
                let mut r = Recording::new();
                materialize::record_matrix(&mut r, dtype, &params, &uploaded, &stored, &weights);
                backend.run(&r).await.unwrap();
                let stored = backend.read(&stored, 0, bytes).await.unwrap();
                results.push((stored, backend.read(&weights, 0, 2 * bytes).await.unwrap()));
            }
            assert!(results[0].0 == results[1].0, "the updated weights differ");
            assert!(results[0].1 == results[1].1, "the branches' weights differ");
        }
    }
}

async fn open(backend: Rc<dyn Backend>, model: &str) -> Session {
    Session::open(backend, &golden::dir(model), DType::F32, &mut |_| Ok(())).await.unwrap()
}

fn settings(run: &Value) -> Settings {
    Settings {
        steps: 10,
        batch_size: number(&run["batch_size"]) as u32,
        learning_rate: float(&run["lr"]),
        schedule: Schedule::Constant,
        weight_decay: float(&run["weight_decay"]),
        epsilon: float(&run["eps"]),
        seed: number(&run["seed"]),
        ..Settings::default()
    }
}

async fn ten_steps(session: &mut Session, trainer: &mut Trainer, run: &Value) {
    for right in run["steps"].as_array().unwrap() {
        trainer.step(session).await.unwrap().unwrap();
        let record = trainer.last_records()[0];
        for (ours, name) in [(record.loss_plus, "loss_plus"), (record.loss_minus, "loss_minus")] {
            let apart = (f64::from(ours) - right[name].as_f64().unwrap()).abs();
            assert!(apart <= LOSS, "step {}: {name} {ours}, expected {}", record.step, right[name]);
        }
    }
    assert!(trainer.step(session).await.unwrap().is_none());
}

device_test! {
    async fn ten_steps_of_label_words_are_pytorchs(backend: Rc<dyn Backend>) {
        let run = &golden::mezo()["label_words"];
        let mut session = open(backend, "bert").await;
        let template = run["template"].as_str().unwrap();
        let labels: Vec<String> = serde_json::from_value(run["labels"].clone()).unwrap();
        let objective = ExampleEncoder::new(&session, Some(template), &labels).unwrap();
        let data = dataset::read("train.csv", golden::file("bert", "train.csv")).unwrap();
        let examples = objective.encode(&session, &data, 128).unwrap();
        let ids: Vec<Vec<u32>> = serde_json::from_value(run["first_input_ids"].clone()).unwrap();
        for (example, ids) in examples.examples.iter().zip(ids) {
            assert_eq!(example.ids, ids);
        }
        let mut trainer = Trainer::new(&session, settings(run), objective, Some(template), examples).unwrap();
        ten_steps(&mut session, &mut trainer, run).await;
    }
}

device_test! {
    async fn ten_steps_of_next_tokens_are_pytorchs(backend: Rc<dyn Backend>) {
        let run = &golden::mezo()["next_token"];
        let mut session = open(backend, "llama").await;
        let sequences: Vec<Vec<u32>> = serde_json::from_value(run["sequences"].clone()).unwrap();
        let examples = sequences.into_iter().map(|ids| {
            let target = |i: usize| Target { position: i as u32 - 1, label: ids[i] };
            Example { targets: (1..ids.len()).map(target).collect(), ids: ids.clone(), ..Example::default() }
        });
        let examples = Examples::new(examples.collect(), 0);
        let mut trainer =
            Trainer::new(&session, settings(run), ExampleEncoder::LanguageModel, None, examples).unwrap();
        ten_steps(&mut session, &mut trainer, run).await;
    }
}

fn header(session: &Session, run: &Value) -> Header {
    Header {
        family: session.model.spec().family.to_owned(),
        parameters: session.model.spec().parameters(),
        fingerprint: hex(session.model.weights().fingerprint()),
        settings: Settings {
            steps: 200,
            batch_size: 1,
            learning_rate: float(&run["lr"]),
            weight_decay: float(&run["weight_decay"]),
            epsilon: float(&run["eps"]),
            seed: number(&run["seed"]),
            max_length: 128,
            ..Settings::default()
        },
        dtype: "f32".to_owned(),
        data: hex(0),
        ..Header::default()
    }
}

pub(super) async fn two_hundred_updates(backend: Rc<dyn Backend>) {
    let expected = golden::mezo();
    let run = &expected["replay"];
    let mut session = open(backend, "bert").await;
    let (rate, decay) = (float(&run["lr"]), estimator::decay(float(&run["lr"]), float(&run["weight_decay"])));
    assert_eq!(decay.to_bits(), word(&run["decay_factor_bits"]));
    let record = |(step, bits): (usize, &Value)| Record {
        step: step as u32,
        probe: 0,
        projected_grad: f32::from_bits(word(bits)),
        learning_rate: rate,
        decay,
        loss_plus: 0.0,
        loss_minus: 0.0,
    };
    let records: Vec<Record> =
        run["projected_grad_bits"].as_array().unwrap().iter().enumerate().map(record).collect();
    for (record, bits) in records.iter().zip(run["coefficient_bits"].as_array().unwrap()) {
        assert_eq!(
            Estimator::default().updates(0, std::slice::from_ref(record))[0].coefficient.to_bits(),
            word(bits)
        );
    }
    // Via the file, as a run would be replayed.
    let header = header(&session, run);
    let bytes = Trajectory { header, records, refits: Vec::new(), torn_bytes: 0 }.to_bytes().unwrap();
    let trajectory = Trajectory::parse("golden", &bytes).unwrap();
    replay(&mut session, &trajectory, &mut |_| Ok(())).await.unwrap();
    for (name, digest) in digests(&session).await {
        assert_eq!(digest, run["weights"][&name]["sha256"].as_str().unwrap(), "{name}");
    }
    say(&format!("{}: 200 updates, every tensor's SHA-256 is numpy's", session.model.backend().name()));
}

device_test! {
    async fn two_hundred_updates_are_numpys_bit_for_bit(backend: Rc<dyn Backend>) {
        two_hundred_updates(backend).await;
        two_hundred_updates(Host::open()).await;
    }
}
