//! Logits of a tiny model of every family and file format, against Hugging Face transformers': on the device and on the
//! CPU reference kernels. `tests/golden/generate.py` made models and logits.

use std::rc::Rc;

use crate::common::{device_test, say};
use pocketllm::dtype::DType;
use pocketllm::format::files::MemoryDir;
use pocketllm::gpu::Backend;
use pocketllm::model::{Extent, Sampling};
use pocketllm::reference::Host;
use pocketllm::text::batch::Batch;
use pocketllm::train::Session;

/// Differences are taken over the standard deviation of the logits. Two orders of summation in f32 part by about
/// 1e-6 of it; 1e-4 is what the project promises.
const TOLERANCE: f32 = 1e-4;

macro_rules! golden {
    ($folder:literal, $($file:literal),*; expected: $expected:literal) => {
        (
            $folder,
            &[$(($file, include_bytes!(concat!("../golden/", $folder, "/", $file)) as &[u8])),*] as &[(&str, &[u8])],
            include_str!(concat!("../golden/", $expected, "/cases.json")),
            include_bytes!(concat!("../golden/", $expected, "/expected.safetensors")) as &[u8],
        )
    };
}

type Golden = (&'static str, &'static [(&'static str, &'static [u8])], &'static str, &'static [u8]);

fn goldens() -> Vec<Golden> {
    vec![
        golden!["bert", "config.json", "model.safetensors", "tokenizer.json"; expected: "bert"],
        golden!["roberta", "config.json", "model.safetensors"; expected: "roberta"],
        golden!["opt", "config.json", "model.safetensors"; expected: "opt"],
        golden!["opt-projected", "config.json", "model.safetensors"; expected: "opt-projected"],
        golden!["llama", "config.json", "model.safetensors"; expected: "llama"],
        golden!["llama-untied", "config.json", "model.safetensors"; expected: "llama-untied"],
        golden![
            "sharded", "config.json", "model.safetensors.index.json", "model-00001-of-00003.safetensors",
            "model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors"; expected: "llama-untied"
        ],
        golden!["llama3", "config.json", "model.safetensors"; expected: "llama3"],
        golden!["half/f16", "config.json", "model.safetensors"; expected: "half/f16"],
        golden!["half/bf16", "config.json", "model.safetensors"; expected: "half/bf16"],
        golden!["gpt2", "config.json", "model.safetensors"; expected: "gpt2"],
        golden!["gpt2-hub", "config.json", "model.safetensors"; expected: "gpt2-hub"],
        golden!["gemma2", "config.json", "model.safetensors"; expected: "gemma2"],
        golden!["phi", "config.json", "model.safetensors"; expected: "phi"],
        golden!["qwen3", "config.json", "model.safetensors"; expected: "qwen3"],
        golden!["qwen3-untied", "config.json", "model.safetensors"; expected: "qwen3-untied"],
        golden!["gemma3", "config.json", "model.safetensors"; expected: "gemma3"],
        golden!["gemma3-hub", "config.json", "model.safetensors"; expected: "gemma3-hub"],
        golden!["qwen2", "config.json", "model.safetensors"; expected: "qwen2"],
        golden!["mistral", "config.json", "model.safetensors"; expected: "mistral"],
        golden!["llama-gguf", "model.gguf"; expected: "llama-gguf"],
        golden!["qwen3-gguf", "model.gguf"; expected: "qwen3-gguf"],
        golden!["gemma3-gguf", "model.gguf"; expected: "gemma3-gguf"],
        blocks(),
        golden!["gpt2-gguf", "model.gguf"; expected: "gpt2-gguf"],
    ]
}

/// All matrices are in blocks.
fn blocks() -> Golden {
    golden!["llama-gguf-k", "model.gguf"; expected: "llama-gguf-k"]
}

device_test! {
    async fn logits_are_those_of_transformers(backend: Rc<dyn Backend>) {
        for golden in goldens() {
            check(backend.clone(), golden, DType::F32).await;
        }
    }
}

#[cfg_attr(not(target_arch = "wasm32"), test)]
#[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
fn the_cpu_reference_agrees_with_transformers_too() {
    for golden in goldens() {
        // The host's futures are ready at once.
        let mut checked = Box::pin(check(Host::open(), golden, DType::F32));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(checked.as_mut().poll(&mut context).is_ready());
    }
}

device_test! {
    async fn generation_follows_the_logits_of_the_whole_text(backend: Rc<dyn Backend>) {
        for golden in goldens() {
            generate(backend.clone(), golden).await;
        }
    }
}

device_test! {
    async fn blocks_that_are_kept_give_the_logits_of_the_same_weights_dequantized(backend: Rc<dyn Backend>) {
        for backend in [backend, Host::open()] {
            check(backend.clone(), blocks(), DType::Q8_0).await;
            check(backend, blocks(), DType::Q6_K).await;
        }
    }
}

/// Greedy tokens, each computed from the cached keys and values of those before, are the most likely ones where the whole text is
/// computed at once. The text is longer than any window, and than the positions that a workspace for its prompt would have.
async fn generate(backend: Rc<dyn Backend>, (name, files, ..): Golden) {
    let mut session = open(backend, name, files, DType::F32).await;
    let tokens = session.model.spec().max_length.min(80);
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
    let rows: Vec<&[f32]> = logits.chunks_exact(logits.len() / ids.len()).collect();
    for (i, id) in ids.iter().enumerate().skip(prompt) {
        let row = rows[i - 1];
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        assert!(largest - row[*id as usize] < 1e-3, "{name}: token {i}");
    }
    say(&format!("{name}: {} tokens follow {prompt}", ids.len() - prompt));
}

/// `dtype` is how the matrices are stored on the device.
async fn open(
    backend: Rc<dyn Backend>,
    name: &str,
    files: &[(&str, &'static [u8])],
    dtype: DType,
) -> Session {
    let dir = files.iter().fold(MemoryDir::new(name), |dir, (file, bytes)| dir.with(*file, *bytes));
    Session::open(backend, &dir, dtype, &mut |_| Ok(())).await.unwrap()
}

async fn check(backend: Rc<dyn Backend>, (name, files, cases, expected): Golden, dtype: DType) {
    let mut session = open(backend, name, files, dtype).await;
    let cases: serde_json::Value = serde_json::from_str(cases).unwrap();
    let cases: Vec<Vec<u32>> = serde_json::from_value(cases["ids"].clone()).unwrap();
    let expected = safetensors::SafeTensors::deserialize(expected).unwrap();
    let mut worst = 0.0_f32;
    for (index, ids) in cases.iter().enumerate() {
        let tokens = ids.len() as u32;
        let extent = Extent { branches: 1, tokens, targets: tokens, labels: 0 };
        let (model, workspace) = session.prepare(extent).unwrap();
        let logits = model.logits(workspace, &Batch::sequence(ids)).await.unwrap();
        let tensor = expected.tensor(&format!("logits_{index}")).unwrap();
        let right: Vec<f32> = bytemuck::pod_collect_to_vec(tensor.data());
        worst = worst.max(difference(&logits, &right));
    }
    say(&format!("{name}: {} cases, largest difference {worst:.1e} standard deviations", cases.len()));
    assert!(worst <= TOLERANCE, "{name}: {worst}");
}

fn difference(ours: &[f32], right: &[f32]) -> f32 {
    assert_eq!(ours.len(), right.len());
    let mean = right.iter().sum::<f32>() / right.len() as f32;
    let deviation = (right.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / right.len() as f32).sqrt();
    let apart = ours.iter().zip(right).map(|(a, b)| (a - b).abs());
    // A NaN must not pass as no difference.
    apart.map(|d| if d.is_finite() { d } else { f32::INFINITY }).fold(0.0, f32::max) / deviation
}
