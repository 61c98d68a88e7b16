//! Storage formats of weights: f16 with stochastic rounding, and blocks, compared with numpy and `gguf`.

use std::rc::Rc;

use crate::common::compare::{digests, word};
use crate::common::{device_test, golden, say};
use crate::fixtures::examples;
use pocketllm::dtype::DType;
use pocketllm::error::Code;
use pocketllm::gpu::{Backend, MemoryClass, Recording};
use pocketllm::kernel::materialize;
use pocketllm::kernel::step::MAX_BYTES;
use pocketllm::reference::Host;
use pocketllm::rng::stochastic_half;
use pocketllm::train::{ExampleEncoder, Session, Settings, Trainer, dtype, replay};
use pocketllm::zo::random::{Distribution, rounding_key, stream_key};
use pocketllm::zo::update::{self, Update};
use sha2::{Digest, Sha256};

device_test! {
    async fn small_updates_of_f16_weights_add_up(backend: Rc<dyn Backend>) {
        let vec4s = 1024_u32;
        for backend in [backend, Host::open()] {
            let stored = backend.create("stored", u64::from(vec4s) * 8, MemoryClass::Weights).unwrap();
            backend.write(&stored, 0, &DType::F16.quantize(&vec![0.02; vec4s as usize * 4]).unwrap()).unwrap();
            let weights = backend.create("weights", 16, MemoryClass::Scratch).unwrap();
            let step = backend.create("step", MAX_BYTES, MemoryClass::Transfer).unwrap();
            let params = materialize::Params { vec4s, ..Default::default() };
            for first in (0..1000).step_by(10) {
                // The same direction each time, rounded with different random bits.
                let update = |i| Update {
                    key: stream_key(1, 0, 0),
                    coefficient: 1e-6,
                    distribution: Distribution::Rademacher,
                    decay: 1.0,
                    rounding: Some(rounding_key(1, i)),
                };
                let updates: Vec<Update> = (first..first + 10).map(update).collect();
                backend.write(&step, 0, &update::apply(&updates).to_bytes()).unwrap();
                let mut r = Recording::new();
                materialize::record_matrix(&mut r, DType::F16, &params, &step, &stored, &weights);
                backend.run(&r).await.unwrap();
            }
            let bytes = backend.read(&stored, 0, u64::from(vec4s) * 8).await.unwrap();
            let mut values = vec![0.0; vec4s as usize * 4];
            DType::F16.dequantize(&bytes, &mut values);
            let table = [1.0; pocketllm::rng::QUANTILES];
            let signs = (0..vec4s).flat_map(|q| {
                pocketllm::rng::direction(stream_key(1, 0, 0), [q, 0], &table)
            });
            let start = f64::from(half::f16::from_f32(0.02).to_f32());
            let moved: f64 = values.iter().zip(signs).map(|(w, z)| (f64::from(*w) - start) * f64::from(z)).sum();
            let mean = moved / f64::from(vec4s * 4);
            say(&format!("{}: 1,000 updates of 1e-6 sum to {mean:.6e}", backend.name()));
            assert!((mean - 1e-3).abs() <= 2e-5, "{}: {mean}", backend.name());
        }
    }
}

#[cfg_attr(not(target_arch = "wasm32"), test)]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn stochastic_rounding_is_as_specified() {
    for case in golden::mezo()["rounding"]["values"].as_array().unwrap() {
        let x = f32::from_bits(word(&case["x_bits"]));
        for (u, right) in case["u"].as_array().unwrap().iter().zip(case["f16"].as_array().unwrap()) {
            let ours = stochastic_half(x, word(u)).to_bits();
            assert_eq!(u32::from(ours), word(right), "{x:e} with {u}");
        }
    }
}

#[cfg_attr(not(target_arch = "wasm32"), test)]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn quantized_matrices_are_ggufs() {
    let golden = golden::peft();
    let mut checked = 0;
    for (model, matrices) in golden["quantized"].as_object().unwrap() {
        let weights = golden::file(model, "model.safetensors");
        let file = safetensors::SafeTensors::deserialize(weights).unwrap();
        for (name, formats) in matrices.as_object().unwrap() {
            let tensor = file.tensor(name).unwrap();
            let stored = if tensor.dtype() == safetensors::Dtype::F16 { DType::F16 } else { DType::F32 };
            let mut values = vec![0.0; tensor.data().len() / stored.block_bytes()];
            stored.dequantize(tensor.data(), &mut values);
            for (format, digest) in formats.as_object().unwrap() {
                let hash = Sha256::digest(dtype(format).unwrap().quantize(&values).unwrap());
                let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(hex, digest.as_str().unwrap(), "{model}: {name} as {format}");
                checked += 1;
            }
        }
    }
    assert!(checked > 40, "{checked}");
}

device_test! {
    async fn fifty_updates_of_f16_weights_are_numpys(backend: Rc<dyn Backend>) {
        let expected = golden::mezo();
        let run = &expected["rounding"]["replay"];
        for backend in [backend, Host::open()] {
            let mut session = Session::open(backend, &golden::dir("bert"), DType::F16, &mut |_| Ok(())).await.unwrap();
            let float = |name: &str| run[name].as_f64().unwrap() as f32;
            let settings = Settings {
                steps: 50,
                batch_size: 1,
                learning_rate: float("lr"),
                weight_decay: float("weight_decay"),
                seed: run["seed"].as_u64().unwrap(),
                ..Settings::default()
            };
            let mut trajectory = Trainer::new(&session, settings, ExampleEncoder::LanguageModel, None, examples())
                .unwrap()
                .trajectory()
                .clone();
            let bits = run["projected_grad_bits"].as_array().unwrap();
            trajectory.records = (0..).zip(bits).map(|(step, bits)| pocketllm::zo::record::Record {
                step,
                probe: 0,
                projected_grad: f32::from_bits(word(bits)),
                learning_rate: float("lr"),
                decay: pocketllm::zo::estimator::decay(float("lr"), float("weight_decay")),
                loss_plus: 0.0,
                loss_minus: 0.0,
            }).collect();
            replay(&mut session, &trajectory, &mut |_| Ok(())).await.unwrap();
            for (name, digest) in digests(&session).await {
                assert_eq!(digest, run["sha256"][&name].as_str().unwrap(), "{name}");
            }
        }
    }
}

device_test! {
    async fn weights_are_not_converted_to_a_format_that_is_only_read(backend: Rc<dyn Backend>) {
        let error = Session::open(backend, &golden::dir("bert"), DType::Q6_K, &mut |_| Ok(())).await.err().unwrap();
        assert_eq!(error.code(), Code::InvalidArgument);
        for part in ["is in F32", "cannot be converted to q6_k", "f32, f16, q8, q4, q4_1"] {
            assert!(error.message().contains(part), "{error}");
        }
    }
}
