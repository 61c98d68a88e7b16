//! Published models, compared with what other programs read from the same files.
//!
//! `python3 tests/fetch.py bert smollm2` downloads them to `models/` (`POCKETLLM_MODELS` names another directory). Without them,
//! the tests are ignored. `./tests/run native` downloads them and runs these tests too.
#![cfg(not(target_arch = "wasm32"))]

use std::path::PathBuf;

use pocketllm::dtype::DType;
use pocketllm::format::checkpoint::Checkpoint;
use pocketllm::format::files::FsDir;
use pocketllm::format::model_files::ModelFiles;
use pollster::block_on;

fn open(file: &str) -> ModelFiles {
    let root = std::env::var_os("POCKETLLM_MODELS").unwrap_or_else(|| "models".into());
    let path = PathBuf::from(root).join(file);
    assert!(path.exists(), "there is no {}: python3 tests/fetch.py bert smollm2", path.display());
    block_on(ModelFiles::open(&FsDir::new(path).unwrap())).unwrap()
}

/// CRC-32 over all names and f32 values, in the names' order, read `chunk` elements at a time.
fn checksum(checkpoint: &Checkpoint, chunk: usize) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    for (name, tensor) in &checkpoint.tensors {
        crc.update(name.as_bytes());
        let mut first = 0;
        while first < tensor.elements() {
            let count = chunk.min((tensor.elements() - first) as usize);
            for value in block_on(checkpoint.read_f32(tensor, first, count)).unwrap() {
                crc.update(&value.to_le_bytes());
            }
            first += count as u64;
        }
    }
    crc.finalize()
}

#[test]
#[ignore = "needs published models: python3 tests/fetch.py bert smollm2"]
fn smollm2_reads_as_transformers_has_it() {
    let files = open("smollm2-135m-instruct.gguf");
    assert_eq!(files.checkpoint.tensors.len(), 272);
    assert_eq!(files.checkpoint.elements(), 134_515_008);
    let q = files.checkpoint.get("model.layers.29.self_attn.q_proj.weight").unwrap();
    assert_eq!((q.dtype, q.shape.as_slice()), (DType::Q4_1, [576, 576].as_slice()));
    let config = &files.config;
    for (key, value) in [
        ("hidden_size", 576),
        ("num_hidden_layers", 30),
        ("num_attention_heads", 9),
        ("num_key_value_heads", 3),
        ("head_dim", 64),
        ("intermediate_size", 1536),
        ("max_position_embeddings", 8192),
        ("vocab_size", 49152),
        ("bos_token_id", 1),
        ("eos_token_id", 2),
    ] {
        assert_eq!(config.u32(key).unwrap(), value, "{key}");
    }
    assert_eq!(config.f32("rms_norm_eps").unwrap(), 1e-5);
    assert_eq!(config.f32("rope_theta").unwrap(), 100_000.0);
    assert!(config.bool("tie_word_embeddings").unwrap());
    let metadata = files.gguf.as_ref().unwrap();
    assert_eq!(metadata.str("tokenizer.ggml.pre").unwrap(), "smollm");
    assert_eq!(metadata.strings("tokenizer.ggml.tokens").unwrap().len(), 49152);
    assert_eq!(metadata.opt_ints("tokenizer.ggml.token_type").unwrap().unwrap().len(), 49152);
    // The checksum of the state_dict of transformers 5.23's LlamaForCausalLM.from_pretrained(gguf_file=), and also of gguf 0.19's
    // dequantize with the rows of q and k reordered. The odd chunk size starts and ends within blocks, rows and heads.
    assert_eq!(checksum(&files.checkpoint, 1 << 20), 0x9f3d_1fd1);
    assert_eq!(checksum(&files.checkpoint, 100_003), 0x9f3d_1fd1);
}

#[test]
#[ignore = "needs published models: python3 tests/fetch.py bert smollm2"]
fn bert_reads_as_safetensors_has_it() {
    let files = open("bert");
    assert_eq!(files.config.str("model_type").unwrap(), "bert");
    assert!(files.small_files["tokenizer.json"].len() > 700_000);
    assert_eq!(files.checkpoint.tensors.len(), 42);
    // The checksum of safetensors 0.8's load_file.
    assert_eq!(checksum(&files.checkpoint, 1 << 20), 0xf1be_033e);
}
