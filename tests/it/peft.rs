//! Adapters saved by Hugging Face's peft are read, checked against the model, written back, and used. `tests/golden/adapters.py`
//! generated them; `tests/reference/peft_load.py` loads the adapters written here into peft.
#![cfg(not(target_arch = "wasm32"))]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::common::compare::deviations;
use crate::common::golden;
use pocketllm::dtype::DType;
use pocketllm::error::Code;
use pocketllm::format::checkpoint::Checkpoint;
use pocketllm::format::files::{FsDir, MemoryDir};
use pocketllm::format::model_files::ModelFiles;
use pocketllm::format::peft::{
    Adapter, AdapterTensor, AdapterWriter, CONFIG_FILE, Lora, Method, WEIGHTS_FILE, tensors,
};
use pocketllm::format::safetensors_writer::{SafetensorsWriter, TensorSpec};
use pocketllm::gpu::Limits;
use pocketllm::model::{Extent, ModelSpec, family};
use pocketllm::reference::Host;
use pocketllm::text::batch::Batch;
use pocketllm::train::{Session, adapter_base, read_adapter};
use pollster::block_on;
use serde_json::Value;

/// In standard deviations of the logits: what the project promises for an exported adapter.
const TOLERANCE: f32 = 1e-4;

struct Case {
    name: String,
    expected: Value,
    files: ModelFiles,
    spec: ModelSpec,
    adapter: Adapter,
}

fn cases() -> Vec<Case> {
    let all = golden::peft();
    let case = |expected: &Value| {
        let name = expected["adapter"].as_str().unwrap().to_owned();
        let dir = FsDir::new(golden::path(expected["base"].as_str().unwrap())).unwrap();
        let files = block_on(ModelFiles::open(&dir)).unwrap();
        let spec = family::spec(&files.config).unwrap();
        let dir = FsDir::new(golden::path(&format!("peft/{name}"))).unwrap();
        let adapter = block_on(Adapter::open(&dir)).unwrap();
        Case { name, expected: expected.clone(), files, spec, adapter }
    };
    all["cases"].as_array().unwrap().iter().map(case).collect()
}

/// The adapter's values, tensor by tensor, in order.
fn values(adapter: &Adapter, tensors: &[AdapterTensor]) -> Vec<Vec<f32>> {
    tensors.iter().map(|tensor| block_on(adapter.read(tensor)).unwrap()).collect()
}

/// The bytes of each tensor of a safetensors file.
fn contents(file: &[u8]) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    let file = safetensors::SafeTensors::deserialize(file).unwrap();
    let tensors = file.tensors();
    tensors.into_iter().map(|(name, t)| (name, (t.shape().to_vec(), t.data().to_vec()))).collect()
}

#[test]
fn adapters_of_peft_are_read_and_written_back() {
    let cases = cases();
    assert_eq!(cases.len(), 21);
    for Case { name, expected, spec, adapter, .. } in &cases {
        // The first ordinal of the adapter.
        assert_eq!(spec.tensors.as_slice().len() as u64, expected["tensors"].as_u64().unwrap(), "{name}");
        let modules = adapter.modules(&adapter_base(spec)).unwrap();
        let tensors = tensors(&adapter.config.method, &modules).unwrap();
        assert_eq!(adapter.config.base_model.as_deref(), expected["base"].as_str());
        match &adapter.config.method {
            Method::Lora(lora) => {
                let per_layer = modules.len() / spec.layers.len();
                assert_eq!(tensors.len(), 2 * modules.len());
                let (scale, few) = match name.as_str() {
                    "opt-lora-wide" => (5.0 / 3.0_f32.sqrt(), 4),
                    "roberta-lora-wide" => (2.0, 3),
                    "llama-lora-wide" | "blocks-llama-lora-wide" => (2.0, 7),
                    // Queries, keys and values are one layer.
                    "gpt2-lora" => (2.0, 1),
                    "gpt2-lora-wide" => (2.0, 4),
                    wide if wide.ends_with("wide") => (2.0, 6),
                    _ => (2.0, 2),
                };
                let scales = modules.iter().map(|module| lora.scale_of(&module.path));
                assert!(scales.into_iter().all(|found| found == scale), "{name}");
                assert_eq!(per_layer, few, "{name}");
            }
            Method::Prefix(prefix) => {
                assert_eq!((prefix.tokens, tensors.len()), (5, 2 * spec.layers.len()), "{name}");
            }
        }

        let values = values(adapter, &tensors);
        let mut file = Vec::new();
        let mut writer = AdapterWriter::new(&tensors, &[], |bytes: &[u8]| {
            file.extend_from_slice(bytes);
            Ok(())
        })
        .unwrap();
        for values in &values {
            writer.write(values).unwrap();
        }
        let _sink = writer.finish().unwrap();
        let theirs = fs::read(golden::path(&format!("peft/{name}/{WEIGHTS_FILE}"))).unwrap();
        assert_eq!(contents(&file), contents(&theirs), "{name}");

        // Where peft_load.py looks for it.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peft").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(CONFIG_FILE), adapter.config.to_json(&modules)).unwrap();
        fs::write(folder.join(WEIGHTS_FILE), &file).unwrap();
        let again = block_on(Adapter::open(&FsDir::new(&folder).unwrap())).unwrap();
        assert_eq!(again.modules(&adapter_base(spec)).unwrap(), modules);
        assert_eq!(again.config.task_type, adapter.config.task_type);
    }
}

#[test]
fn lora_added_to_the_weights_gives_the_logits_of_peft() {
    for case in cases() {
        let Method::Lora(lora) = &case.adapter.config.method else { continue };
        let merged = merged(&case, lora);
        let dir = MemoryDir::new(case.name.as_str())
            .with(
                "config.json",
                fs::read(golden::path(&format!("{}/config.json", case.expected["base"].as_str().unwrap())))
                    .unwrap(),
            )
            .with("model.safetensors", merged);
        let mut session = block_on(Session::open(Host::open(), &dir, DType::F32, &mut |_| Ok(()))).unwrap();
        let expected = fs::read(golden::path(&format!("peft/{}/expected.safetensors", case.name))).unwrap();
        let expected = contents(&expected);
        let mut worst = 0.0_f32;
        for (i, ids) in case.expected["ids"].as_array().unwrap().iter().enumerate() {
            let ids: Vec<u32> = serde_json::from_value(ids.clone()).unwrap();
            let ours = logits(&mut session, &ids);
            let right: Vec<f32> = bytemuck::pod_collect_to_vec(&expected[&format!("f32_{i}")].1);
            worst = worst.max(deviations(&ours, &right));
        }
        println!("{}: largest difference {worst:.1e} standard deviations", case.name);
        assert!(worst <= TOLERANCE, "{}: {worst}", case.name);
    }
}

/// Such an adapter is converted to one with the largest rank and a single scale when it is loaded.
#[test]
fn ranks_and_alphas_of_single_modules_are_those_of_peft() {
    for case in golden::peft()["patterns"].as_array().unwrap() {
        let (name, base) = (case["adapter"].as_str().unwrap(), case["base"].as_str().unwrap());
        let dir = golden::dir(base);
        let mut session = block_on(Session::open(Host::open(), &dir, DType::F32, &mut |_| Ok(()))).unwrap();
        let file = block_on(read_adapter(&session, &golden::dir(&format!("peft/{name}")))).unwrap();
        block_on(session.use_adapter(&file)).unwrap();
        let expected = contents(golden::file(&format!("peft/{name}"), "expected.safetensors"));
        for (i, ids) in case["ids"].as_array().unwrap().iter().enumerate() {
            let ids: Vec<u32> = serde_json::from_value(ids.clone()).unwrap();
            let ours = logits(&mut session, &ids);
            let right: Vec<f32> = bytemuck::pod_collect_to_vec(&expected[&format!("f32_{i}")].1);
            let difference = deviations(&ours, &right);
            assert!(difference <= TOLERANCE, "{name}: {difference}");
        }
    }
}

/// `modules_to_save` and `bias`: embeddings, an output layer, norms, biases, and classifiers that the base does not have.
#[test]
fn tensors_of_the_base_that_an_adapter_contains_replace_those_of_the_base() {
    for case in golden::peft()["saved"].as_array().unwrap() {
        let (name, base) = (case["adapter"].as_str().unwrap(), case["base"].as_str().unwrap());
        let mut session =
            block_on(Session::open(Host::open(), &golden::dir(base), DType::F32, &mut |_| Ok(()))).unwrap();
        let ids: Vec<Vec<u32>> = serde_json::from_value(case["ids"].clone()).unwrap();
        let before = logits(&mut session, &ids[0]);
        let file = block_on(read_adapter(&session, &golden::dir(&format!("peft/{name}")))).unwrap();
        block_on(session.use_adapter(&file)).unwrap();
        let expected = contents(golden::file(&format!("peft/{name}"), "expected.safetensors"));
        let classifier = session.has_classifier_of_adapter();
        assert_eq!(classifier, name.ends_with("classifier"), "{name}");
        for (i, ids) in ids.iter().enumerate() {
            let ours = match classifier {
                true => {
                    let classifier = block_on(session.published_classifier()).unwrap().unwrap();
                    let features =
                        block_on(session.features(&Batch::sequence(ids), classifier.pooling)).unwrap();
                    classifier.logits(&features).unwrap().into_iter().map(|logit| logit as f32).collect()
                }
                false => logits(&mut session, ids),
            };
            let right: Vec<f32> = bytemuck::pod_collect_to_vec(&expected[&format!("f32_{i}")].1);
            let difference = deviations(&ours, &right);
            assert!(difference <= TOLERANCE, "{name}: {difference}");
        }
        // A trajectory cannot contain these tensors, so they are not trained further. The base model is restored.
        let error = file.initial().unwrap_err();
        assert!(error.message().contains("modules_to_save"), "{error}");
        block_on(session.reset(&mut |_| Ok(()))).unwrap();
        assert_eq!(logits(&mut session, &ids[0]), before, "{name}");
        assert!(!session.has_classifier_of_adapter());
        // It is also restored when an adapter without such tensors is loaded next.
        if !name.starts_with(&format!("{base}-")) {
            continue;
        }
        let plain = block_on(read_adapter(&session, &golden::dir(&format!("peft/{base}-lora")))).unwrap();
        block_on(session.use_adapter(&plain)).unwrap();
        let alone = logits(&mut session, &ids[0]);
        block_on(session.use_adapter(&file)).unwrap();
        block_on(session.use_adapter(&plain)).unwrap();
        assert_eq!(logits(&mut session, &ids[0]), alone, "{name}");
        assert!(!session.has_classifier_of_adapter());
    }
    // The last tensor of the file has a NaN, so the previous ones have already been replaced when it is found.
    let mut session =
        block_on(Session::open(Host::open(), &golden::dir("llama-untied"), DType::F32, &mut |_| Ok(())))
            .unwrap();
    let before = logits(&mut session, &[5, 6, 7]);
    let folder = "peft/llama-lora-saved";
    let mut weights = golden::file(folder, WEIGHTS_FILE).to_vec();
    let end = weights.len();
    weights[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    let dir = MemoryDir::new("damaged")
        .with(CONFIG_FILE, golden::file(folder, CONFIG_FILE))
        .with(WEIGHTS_FILE, weights);
    let file = block_on(read_adapter(&session, &dir)).unwrap();
    let error = block_on(session.use_adapter(&file)).unwrap_err();
    assert!(error.code() == Code::FileCorrupt && error.message().contains("model.norm.weight"), "{error}");
    assert!(session.model.adapter().is_none());
    assert_eq!(logits(&mut session, &[5, 6, 7]), before);

    // If the embedding is also the output layer, separate copies of the two are not supported.
    let config = std::str::from_utf8(golden::file("llama-untied", "config.json")).unwrap();
    let tied = config.replace("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
    assert_ne!(tied, config);
    let dir = MemoryDir::new("tied")
        .with("config.json", tied.into_bytes())
        .with("model.safetensors", golden::file("llama-untied", "model.safetensors"));
    // Loading its weights would fail, since the file has two tables.
    let session = block_on(Session::describe(Limits::WEBGPU_DEFAULT, &dir, DType::F32)).unwrap();
    let error = block_on(read_adapter(&session, &golden::dir(folder))).unwrap_err();
    assert_eq!(error.code(), Code::ModelUnsupported, "{error}");
    assert!(error.message().contains("modules_to_save"), "{error}");
}

#[test]
fn adapters_for_llama_cpp_are_those_of_its_converter() {
    for base in ["llama", "gpt2"] {
        let folder = format!("peft/{base}-lora-wide");
        let mut session =
            block_on(Session::open(Host::open(), &golden::dir(base), DType::F32, &mut |_| Ok(()))).unwrap();
        assert!(block_on(session.save_gguf_adapter()).unwrap().is_none(), "there is no adapter yet");
        let file = block_on(read_adapter(&session, &golden::dir(&folder))).unwrap();
        block_on(session.use_adapter(&file)).unwrap();
        let ours = block_on(session.save_gguf_adapter()).unwrap().unwrap();
        assert!(ours == fs::read(golden::path(&format!("{folder}/adapter.gguf"))).unwrap(), "{base}");
    }
}

fn logits(session: &mut Session, ids: &[u32]) -> Vec<f32> {
    let tokens = ids.len() as u32;
    let extent = Extent { branches: 1, tokens, targets: tokens, labels: 0 };
    let (model, workspace) = session.prepare(extent).unwrap();
    block_on(model.logits(workspace, &Batch::sequence(ids))).unwrap()
}

/// A safetensors file of the base, with W replaced by W + scale B A.
fn merged(case: &Case, lora: &Lora) -> Vec<u8> {
    let modules = case.adapter.modules(&adapter_base(&case.spec)).unwrap();
    let values = values(&case.adapter, &tensors(&case.adapter.config.method, &modules).unwrap());
    let checkpoint: &Checkpoint = &case.files.checkpoint;
    let spec = |(name, tensor): (&String, &pocketllm::format::checkpoint::TensorInfo)| TensorSpec {
        name: name.clone(),
        dtype: DType::F32,
        shape: tensor.shape.clone(),
    };
    let specs: Vec<TensorSpec> = checkpoint.tensors.iter().map(spec).collect();
    let mut file = Vec::new();
    let sink = |bytes: &[u8]| {
        file.extend_from_slice(bytes);
        Ok(())
    };
    let mut writer = SafetensorsWriter::new(&specs, &BTreeMap::new(), sink).unwrap();
    let mut added = 0;
    for (name, tensor) in &checkpoint.tensors {
        let mut weight = block_on(checkpoint.read_f32(tensor, 0, tensor.elements() as usize)).unwrap();
        if let Some(i) = modules.iter().position(|module| module.weight() == *name) {
            let (a, b) = (&values[2 * i], &values[2 * i + 1]);
            let rank = lora.rank as usize;
            let (inputs, outputs) = (modules[i].inputs as usize, modules[i].outputs as usize);
            for (at, weight) in weight.iter_mut().enumerate() {
                let (row, column) = match modules[i].transposed {
                    true => (at % outputs, at / outputs),
                    false => (at / inputs, at % inputs),
                };
                let product: f64 =
                    (0..rank).map(|k| f64::from(b[row * rank + k]) * f64::from(a[k * inputs + column])).sum();
                *weight = (f64::from(*weight) + f64::from(lora.scale_of(&modules[i].path)) * product) as f32;
            }
            added += 1;
        }
        writer.write_f32(name, &weight).unwrap();
    }
    assert_eq!(added, modules.len());
    let _sink = writer.finish().unwrap();
    file
}

#[test]
fn an_adapter_of_an_older_peft_is_the_same() {
    let new = golden::dir("peft/bert-lora");
    let old = MemoryDir::new("old")
        .with(CONFIG_FILE, golden::file("peft/bert-lora", CONFIG_FILE))
        .with("adapter_model.bin", &include_bytes!("../golden/pickle/adapter_model.bin")[..]);
    let base = golden::dir("bert");
    let session = block_on(Session::open(Host::open(), &base, DType::F32, &mut |_| Ok(()))).unwrap();
    let [new, old] = [new, old].map(|dir| block_on(read_adapter(&session, &dir)).unwrap());
    assert_eq!((new.method, new.values), (old.method, old.values));
}
