//! What `--save-model` writes: a directory that can be opened directly. `tests/reference/saved_load.py` opens one with transformers.
#![cfg(not(target_arch = "wasm32"))]

use pocketllm::dtype::DType;
use pocketllm::format::files::MemoryDir;
use pocketllm::model::Extent;
use pocketllm::reference::Host;
use pocketllm::text::batch::Batch;
use pocketllm::train::{Session, save_model};
use pollster::block_on;
use serde_json::Value;

use crate::common::golden;

fn logits(session: &mut Session, ids: &[u32]) -> Vec<f32> {
    let tokens = ids.len() as u32;
    let extent = Extent { branches: 1, tokens, targets: tokens, labels: 0 };
    let (model, workspace) = session.prepare(extent).unwrap();
    block_on(model.logits(workspace, &Batch::sequence(ids))).unwrap()
}

/// The directory that is written for a session, and the configuration in it.
fn saved(session: &Session) -> (MemoryDir, Value) {
    let mut weights = Vec::new();
    let mut sink = |bytes: &[u8]| {
        weights.extend_from_slice(bytes);
        Ok(())
    };
    block_on(save_model(session, &mut sink)).unwrap();
    let files = block_on(session.small_files(None)).unwrap();
    let config = files.iter().find(|(name, _)| name == "config.json").unwrap();
    let config = serde_json::from_slice(&config.1).unwrap();
    let dir = files.into_iter().fold(MemoryDir::new("saved"), |dir, (name, bytes)| dir.with(&name, bytes));
    (dir.with("model.safetensors", weights), config)
}

#[test]
fn a_saved_model_is_opened_as_it_is() {
    let ids = [5, 9, 2, 40, 17];
    for (base, dtype, name) in [
        ("llama-gguf", DType::F32, "float32"),
        ("llama-gguf", DType::F16, "float16"),
        ("gemma3-gguf", DType::F32, "float32"),
        ("gpt2-gguf", DType::F32, "float32"),
        ("half/bf16", DType::F32, "float32"),
        ("llama3", DType::F16, "float16"),
    ] {
        let open =
            |dir: &MemoryDir, dtype| block_on(Session::open(Host::open(), dir, dtype, &mut |_| Ok(())));
        let mut session = open(&golden::dir(base), dtype).unwrap();
        let (dir, config) = saved(&session);
        assert_eq!(config["torch_dtype"], name, "{base}");
        assert!(config.get("dtype").is_none(), "{base}");
        let mut again = open(&dir, dtype).unwrap();
        assert_eq!(logits(&mut again, &ids), logits(&mut session, &ids), "{base}");
        if let (Ok(one), Ok(other)) = (session.tokenizer(), again.tokenizer()) {
            for text in
                ["The capital of France is", " two  spaces\n1234 naïve 映画", "<|im_start|>user\n", ""]
            {
                for special in [true, false] {
                    let ids = one.encode(text, special).unwrap();
                    assert_eq!(other.encode(text, special).unwrap(), ids, "{base}: {text:?}");
                    assert_eq!(other.decode(&ids, false).unwrap(), one.decode(&ids, false).unwrap());
                }
            }
            assert_eq!(other.eos(), one.eos(), "{base}");
        } else {
            assert!(!base.ends_with("gguf"), "{base} has no tokenizer");
        }
    }
}
