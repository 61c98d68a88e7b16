//! Logits of a tiny model of every family and file format, compared with Hugging Face transformers, on the device and on the CPU
//! reference kernels. `tests/golden/generate.py` generated the models and the logits.

use std::rc::Rc;

use crate::common::compare::deviations;
use crate::common::{device_test, golden, say};
use pocketllm::dtype::DType;
use pocketllm::gpu::Backend;
use pocketllm::model::{Extent, Sampling};
use pocketllm::reference::Host;
use pocketllm::text::batch::Batch;
use pocketllm::train::Session;

/// Differences are relative to the standard deviation of the logits. Two summation orders in f32 differ by about 1e-6; 1e-4 is what
/// the project promises.
const TOLERANCE: f32 = 1e-4;

device_test! {
    async fn logits_are_those_of_transformers(backend: Rc<dyn Backend>) {
        for golden in golden::models() {
            check(backend.clone(), golden, DType::F32).await;
        }
    }
}

#[cfg_attr(not(target_arch = "wasm32"), test)]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn the_cpu_reference_agrees_with_transformers_too() {
    for golden in golden::models() {
        // The host's futures are ready immediately.
        let mut checked = Box::pin(check(Host::open(), golden, DType::F32));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(checked.as_mut().poll(&mut context).is_ready());
    }
}

device_test! {
    async fn generation_follows_the_logits_of_the_whole_text(backend: Rc<dyn Backend>) {
        // Reading back each token takes Firefox about a tenth of a second, so in browsers there is only one model for each kind of
        // attention.
        let here = |name: &str| !cfg!(target_arch = "wasm32") || ["gpt2", "gemma3", "llama"].contains(&name);
        for (name, _) in golden::models().filter(|(name, _)| here(name)) {
            generate(backend.clone(), name).await;
        }
    }
}

device_test! {
    async fn blocks_that_are_kept_give_the_logits_of_the_same_weights_dequantized(backend: Rc<dyn Backend>) {
        // All matrices of these models are quantized.
        for backend in [backend, Host::open()] {
            for name in ["llama-gguf-k", "llama-gguf-mixed"] {
                check(backend.clone(), (name, name), DType::Q8_0).await;
                check(backend.clone(), (name, name), DType::Q6_K).await;
            }
        }
    }
}

/// Greedy tokens, each computed from the cached keys and values of earlier tokens, are the most likely ones when the whole text is
/// computed at once. The text is longer than any window, and has more positions than a workspace for its prompt would have.
pub(super) async fn generate(backend: Rc<dyn Backend>, name: &str) {
    let mut session = open(backend, name, DType::F32).await;
    // In a browser, only just longer than the windows.
    let most = if cfg!(target_arch = "wasm32") { 24 } else { 80 };
    let tokens = session.model.spec().max_length.min(most);
    if !session.model.spec().causal {
        return;
    }
    let extent = Extent { branches: 1, tokens, targets: tokens, labels: 0 };
    let (model, workspace) = session.prepare(extent).unwrap();
    let mut ids = vec![7, 23, 11, 40, 9];
    let prompt = ids.len();
    let mut generation = model.generate(&ids, tokens - prompt as u32, Sampling::default()).unwrap();
    while let Some(id) = generation.next(model, [0, 0]).await.unwrap() {
        ids.push(id);
    }
    // The last one is beyond the cache.
    ids.truncate(tokens as usize);
    let logits = model.logits(workspace, &Batch::sequence(&ids)).await.unwrap();
    // Beyond a certain length, LongRoPE uses other frequencies for the whole text.
    let layers = &session.model.spec().layers;
    let change = layers.iter().filter_map(|layer| layer.attention()?.rotary.as_ref()?.long_beyond()).max();
    let first = change.map_or(prompt, |length| length as usize + 1);
    let rows: Vec<&[f32]> = logits.chunks_exact(logits.len() / ids.len()).collect();
    for (i, id) in ids.iter().enumerate().skip(first) {
        let row = rows[i - 1];
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert!(largest - row[*id as usize] < 1e-3, "{name}: token {i}");
    }
    say(&format!("{name}: {} tokens follow {prompt}", ids.len() - prompt));
}

/// `dtype` is the storage format of the matrices on the device.
async fn open(backend: Rc<dyn Backend>, name: &str, dtype: DType) -> Session {
    Session::open(backend, &golden::dir(name), dtype, &mut |_| Ok(())).await.unwrap()
}

pub(super) async fn check(backend: Rc<dyn Backend>, (name, expected): (&str, &str), dtype: DType) {
    let mut session = open(backend, name, dtype).await;
    let cases = golden::json(expected, "cases.json");
    let cases: Vec<Vec<u32>> = serde_json::from_value(cases["ids"].clone()).unwrap();
    let expected = golden::file(expected, "expected.safetensors");
    let expected = safetensors::SafeTensors::deserialize(expected).unwrap();
    let mut worst = 0.0_f32;
    for (index, ids) in cases.iter().enumerate() {
        let tokens = ids.len() as u32;
        let extent = Extent { branches: 1, tokens, targets: tokens, labels: 0 };
        let (model, workspace) = session.prepare(extent).unwrap();
        let logits = model.logits(workspace, &Batch::sequence(ids)).await.unwrap();
        let tensor = expected.tensor(&format!("logits_{index}")).unwrap();
        let right: Vec<f32> = bytemuck::pod_collect_to_vec(tensor.data());
        worst = worst.max(deviations(&logits, &right));
    }
    say(&format!("{name}: {} cases, largest difference {worst:.1e} standard deviations", cases.len()));
    assert!(worst <= TOLERANCE, "{name}: {worst}");
}
