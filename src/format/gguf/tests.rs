use std::cell::Cell;
use std::rc::Rc;

use pollster::block_on;

use super::*;
use crate::error::Code;
use crate::format::source::MemorySource;
use crate::future::LocalFuture;

mod malformed;
mod used;

/// A GGUF file that a test builds.
#[derive(Clone, Default)]
struct Builder {
    values: Vec<(String, Vec<u8>)>,
    /// Name, dimensions as GGUF orders them, type, data.
    tensors: Vec<(String, Vec<u64>, u32, Vec<u8>)>,
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

impl Builder {
    fn raw(mut self, key: &str, kind: u32, value: &[u8]) -> Self {
        self.values.retain(|(held, _)| held != key);
        self.values.push((key.to_owned(), [&kind.to_le_bytes(), value].concat()));
        self
    }

    fn u32(self, key: &str, value: u32) -> Self {
        self.raw(key, 4, &value.to_le_bytes())
    }

    fn f32(self, key: &str, value: f32) -> Self {
        self.raw(key, 6, &value.to_le_bytes())
    }

    fn str(self, key: &str, value: &str) -> Self {
        self.raw(key, 8, &string(value))
    }

    fn strings(self, key: &str, items: &[&str]) -> Self {
        let items: Vec<u8> = items.iter().flat_map(|item| string(item)).collect();
        let count = 3u64; // of every list in these tests
        self.raw(key, 9, &[&8u32.to_le_bytes()[..], &count.to_le_bytes(), &items].concat())
    }

    fn tensor(mut self, name: &str, dimensions: &[u64], kind: u32, data: Vec<u8>) -> Self {
        self.tensors.retain(|(held, ..)| held != name);
        self.tensors.push((name.to_owned(), dimensions.to_vec(), kind, data));
        self
    }

    fn build(&self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(3u32.to_le_bytes());
        file.extend((self.tensors.len() as u64).to_le_bytes());
        file.extend((self.values.len() as u64).to_le_bytes());
        for (key, value) in &self.values {
            file.extend(string(key));
            file.extend(value);
        }
        let mut offset = 0u64;
        for (name, dimensions, kind, data) in &self.tensors {
            file.extend(string(name));
            file.extend((dimensions.len() as u32).to_le_bytes());
            dimensions.iter().for_each(|n| file.extend(n.to_le_bytes()));
            file.extend(kind.to_le_bytes());
            file.extend(offset.to_le_bytes());
            offset = (offset + data.len() as u64).next_multiple_of(32);
        }
        for (.., data) in &self.tensors {
            file.resize(file.len().next_multiple_of(32), 0);
            file.extend(data);
        }
        file
    }

    fn parse(&self) -> Result<Gguf> {
        parse_bytes(self.build())
    }

    fn refused(&self, code: Code, says: &[&str]) {
        let error = self.parse().expect_err("a malformed file");
        assert_eq!(error.code(), code, "{error}");
        for part in ["m.gguf"].iter().chain(says) {
            assert!(error.message().contains(part), "{part:?} not in: {error}");
        }
    }
}

fn parse_bytes(bytes: Vec<u8>) -> Result<Gguf> {
    block_on(parse(vec![Rc::new(MemorySource::new("m.gguf", bytes))]))
}

/// `[rows, 32]` f32 whose element is `1000 * row + column`.
fn counting(rows: u64) -> Vec<u8> {
    (0..rows * 32).flat_map(|i| ((i / 32 * 1000 + i % 32) as f32).to_le_bytes()).collect()
}

/// Blocks of Q8_0 with scale 1 and quants that differ from row to row: `[rows, 32]`.
fn q8(rows: u64) -> Vec<u8> {
    (0..rows)
        .flat_map(|row| {
            [vec![0x00, 0x3c], (0..32).map(|c| (row as u8).wrapping_mul(3).wrapping_add(c)).collect()]
                .concat()
        })
        .collect()
}

/// One layer, width 32, 2 heads of 16, 1 key and value head, 3 tokens.
fn tiny() -> Builder {
    let mut builder = Builder::default()
        .str("general.architecture", "llama")
        .u32("llama.block_count", 1)
        .u32("llama.context_length", 128)
        .u32("llama.embedding_length", 32)
        .u32("llama.feed_forward_length", 64)
        .u32("llama.attention.head_count", 2)
        .u32("llama.attention.head_count_kv", 1)
        .u32("llama.rope.dimension_count", 16)
        .f32("llama.attention.layer_norm_rms_epsilon", 1e-5)
        .f32("llama.rope.freq_base", 50_000.0)
        .u32("tokenizer.ggml.bos_token_id", 1)
        .str("tokenizer.ggml.model", "gpt2")
        .strings("tokenizer.ggml.tokens", &["a", "b", "Ġc"])
        .raw(
            "tokenizer.ggml.token_type",
            9,
            &[&5u32.to_le_bytes()[..], &2u64.to_le_bytes(), &1i32.to_le_bytes(), &(-3i32).to_le_bytes()]
                .concat(),
        )
        .tensor("token_embd.weight", &[32, 3], 8, q8(3))
        .tensor("output_norm.weight", &[32], 0, counting(1))
        .tensor("blk.0.attn_q.weight", &[32, 32], 0, counting(32))
        .tensor("blk.0.attn_k.weight", &[32, 16], 8, q8(16));
    for (name, columns, rows) in [
        ("attn_v", 32, 16),
        ("attn_output", 32, 32),
        ("ffn_gate", 32, 64),
        ("ffn_up", 32, 64),
        ("ffn_down", 64, 32),
    ] {
        builder = builder.tensor(
            &format!("blk.0.{name}.weight"),
            &[columns, rows],
            1,
            vec![0; (columns * rows * 2) as usize],
        );
    }
    for name in ["attn_norm", "ffn_norm"] {
        builder = builder.tensor(&format!("blk.0.{name}.weight"), &[32], 0, counting(1));
    }
    builder
}

#[test]
fn a_llama_reads_as_hugging_face_has_it() {
    let Gguf { metadata, checkpoint, config } = tiny().parse().unwrap();
    assert_eq!(config.str("model_type").unwrap(), "llama");
    for (key, value) in [
        ("hidden_size", 32),
        ("num_hidden_layers", 1),
        ("num_attention_heads", 2),
        ("num_key_value_heads", 1),
        ("head_dim", 16),
        ("intermediate_size", 64),
        ("max_position_embeddings", 128),
        ("vocab_size", 3),
        ("bos_token_id", 1),
    ] {
        assert_eq!(config.u32(key).unwrap(), value, "{key}");
    }
    assert_eq!(config.f32("rms_norm_eps").unwrap(), 1e-5);
    assert_eq!(config.f32("rope_theta").unwrap(), 50_000.0);
    assert_eq!(config.str("hidden_act").unwrap(), "silu");
    assert!(config.bool("tie_word_embeddings").unwrap());
    assert!(!config.bool("attention_bias").unwrap());
    assert!(!config.has("eos_token_id") && !config.has("rope_scaling"));
    assert_eq!(metadata.str("tokenizer.ggml.model").unwrap(), "gpt2");
    assert_eq!(metadata.strings("tokenizer.ggml.tokens").unwrap(), ["a", "b", "Ġc"]);
    assert_eq!(metadata.opt_ints("tokenizer.ggml.token_type").unwrap().unwrap(), [1, -3]);
    assert!(metadata.str("tokenizer.ggml.tokens").unwrap_err().message().contains("array of 3 strings"));
    assert!(metadata.u32("nothing").unwrap_err().message().contains("`nothing`"));

    assert_eq!(checkpoint.tensors.len(), 11);
    assert_eq!(checkpoint.get("model.layers.0.mlp.down_proj.weight").unwrap().shape, [32, 64]);
    assert_eq!(checkpoint.get("model.embed_tokens.weight").unwrap().shape, [3, 32]);
    assert_eq!(checkpoint.get("model.layers.0.post_attention_layernorm.weight").unwrap().shape, [32]);
    let untied = tiny().tensor("output.weight", &[32, 3], 8, q8(3)).parse().unwrap();
    assert!(!untied.config.bool("tie_word_embeddings").unwrap());
    assert!(untied.checkpoint.tensors.contains_key("lm_head.weight"));
}

#[test]
fn a_gemma_reads_as_hugging_face_has_it() {
    let mut gemma = tiny().str("general.architecture", "gemma3");
    for (key, _) in &mut gemma.values {
        *key = key.replace("llama.", "gemma3.");
    }
    let gemma = gemma
        .u32("gemma3.attention.sliding_window", 16)
        .f32("gemma3.rope.freq_base_swa", 5000.0)
        .f32("gemma3.final_logit_softcapping", 30.0)
        .tensor("blk.0.attn_q_norm.weight", &[16], 0, counting(1)[..64].to_vec())
        .tensor("blk.0.post_ffw_norm.weight", &[32], 0, counting(1));
    let Gguf { checkpoint, config, .. } = gemma.parse().unwrap();
    assert_eq!(config.str("model_type").unwrap(), "gemma3_text");
    assert_eq!(config.u32("sliding_window").unwrap(), 16);
    assert_eq!(config.u32("query_pre_attn_scalar").unwrap(), 16);
    assert_eq!(config.f32("rope_local_base_freq").unwrap(), 5000.0);
    assert_eq!(config.f32("final_logit_softcapping").unwrap(), 30.0);
    let read = |name: &str, count| {
        let tensor = checkpoint.get(&format!("model.layers.0.{name}.weight")).unwrap();
        block_on(checkpoint.read_f32(tensor, 1, count)).unwrap()
    };
    // The stored norms have 1 added to the model's weights; no other tensor does, and query rows are in the usual order.
    assert_eq!(read("self_attn.q_norm", 3), [0.0, 1.0, 2.0]);
    assert_eq!(read("post_feedforward_layernorm", 3), [0.0, 1.0, 2.0]);
    assert_eq!(read("pre_feedforward_layernorm", 3), [0.0, 1.0, 2.0]);
    assert_eq!(read("self_attn.q_proj", 34)[31..], [1000.0, 1001.0, 1002.0]);
}

/// A model that llama.cpp stores under an architecture that can be read, such as OLMo 3 under `olmo2`, may differ in these.
#[test]
fn hyperparameters_that_change_what_is_computed_are_read_or_refused() {
    for key in ["attention.scale", "logit_scale", "residual_scale", "embedding_scale", "attention.clamp_kqv"]
    {
        tiny().f32(&format!("llama.{key}"), 0.5).refused(Code::ModelUnsupported, &[key, "0.5"]);
    }
    tiny().f32("llama.logit_scale", 1.0).f32("llama.attention.clamp_kqv", 0.0).parse().unwrap();
    let renamed = |name: &str| {
        let mut other = tiny().str("general.architecture", name);
        for (key, _) in &mut other.values {
            *key = key.replace("llama.", &format!("{name}."));
        }
        other
    };
    let window = "qwen2.attention.sliding_window";
    renamed("qwen2").u32(window, 64).refused(Code::ModelUnsupported, &[window, "64"]);
    renamed("qwen2").u32(window, 128).parse().unwrap();
    let pattern = renamed("gemma3").u32("gemma3.attention.sliding_window_pattern", 4).parse().unwrap();
    assert_eq!(pattern.config.u32("sliding_window_pattern").unwrap(), 4);
    // If the file has no factor for the scores, llama.cpp divides them by the square root of the head's width.
    let granite = renamed("granite").parse().unwrap();
    assert_eq!(granite.config.f32("attention_multiplier").unwrap(), 0.25);
}

/// A source that counts the bytes that are read.
struct Counting(MemorySource, Cell<usize>);

impl ByteSource for Counting {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        self.1.set(self.1.get() + len);
        self.0.read(offset, len)
    }
}

#[test]
fn rotary_rows_are_put_in_order_for_every_range() {
    let source = Rc::new(Counting(MemorySource::new("m.gguf", tiny().build()), Cell::new(0)));
    let checkpoint = block_on(parse(vec![source.clone()])).unwrap().checkpoint;
    for (name, rows, dtype) in [("q", 32, DType::F32), ("k", 16, DType::Q8_0)] {
        let tensor = checkpoint.get(&format!("model.layers.0.self_attn.{name}_proj.weight")).unwrap();
        assert_eq!(tensor.dtype, dtype);
        let stored = if name == "q" { counting(rows) } else { q8(rows) };
        let mut plain = vec![0.0; rows as usize * 32];
        dtype.dequantize(&stored, &mut plain);
        // transformers: w.reshape(heads, half, 2, columns).swapaxes(2, 1)
        let mut expected: Vec<f32> = Vec::new();
        for head in 0..rows as usize / 16 {
            for half in 0..2 {
                for i in 0..8 {
                    let row = head * 16 + i * 2 + half;
                    expected.extend(&plain[row * 32..(row + 1) * 32]);
                }
            }
        }
        let all = expected.len();
        for first in (0..=all).step_by(7).chain([32, 64, 512]).filter(|&first| first <= all) {
            for count in [0, 1, 31, 32, 33, 64, 100, 255, 256, 257, 500, 512, 513, 544, 1024] {
                if first + count > all {
                    continue;
                }
                source.1.set(0);
                let read = block_on(checkpoint.read_f32(tensor, first as u64, count)).unwrap();
                assert_eq!(read, expected[first..first + count], "{name} {first} {count}");
                let blocks = (first + count).div_ceil(dtype.block_len()) - first / dtype.block_len();
                assert!(
                    source.1.get() <= 2 * blocks * dtype.block_bytes(),
                    "{name} {first} {count}: {}",
                    source.1.get()
                );
            }
        }
        let blocks = all / dtype.block_len();
        source.1.set(0);
        let raw = block_on(checkpoint.read_blocks(tensor, 0, blocks)).unwrap();
        assert_eq!(source.1.get(), stored.len(), "whole heads are read once");
        let mut decoded = vec![0.0; all];
        dtype.dequantize(&raw, &mut decoded);
        assert_eq!(decoded, expected);
        assert!(block_on(checkpoint.read_blocks(tensor, 1, blocks)).is_err());
    }
    // For a tensor in the usual order, only its blocks are read, from within one block to within another.
    let tensor = checkpoint.get("model.embed_tokens.weight").unwrap();
    source.1.set(0);
    let part = block_on(checkpoint.read_f32(tensor, 30, 4)).unwrap();
    assert_eq!(part, [30.0, 31.0, 3.0, 4.0]);
    assert_eq!(source.1.get(), 2 * 34);
}

#[test]
fn rope_scaling_is_recovered() {
    let linear = tiny()
        .str("llama.rope.scaling.type", "linear")
        .f32("llama.rope.scaling.factor", 4.0)
        .parse()
        .unwrap();
    let scaling = linear.config.opt_object("rope_scaling").unwrap().unwrap();
    assert_eq!((scaling.str("rope_type").unwrap(), scaling.f32("factor").unwrap()), ("linear", 4.0));

    let yarn = tiny()
        .str("llama.rope.scaling.type", "yarn")
        .f32("llama.rope.scaling.factor", 4.0)
        .u32("llama.rope.scaling.original_context_length", 32)
        .parse()
        .unwrap();
    let scaling = yarn.config.opt_object("rope_scaling").unwrap().unwrap();
    assert_eq!((scaling.str("rope_type").unwrap(), scaling.f32("factor").unwrap()), ("yarn", 4.0));
    assert_eq!(scaling.u32("original_max_position_embeddings").unwrap(), 32);

    // As convert_hf_to_gguf.py computes them for Llama 3.2: factor 32, theta 500000, here head_dim 16.
    let factors: Vec<f32> = (0..8)
        .map(|i| {
            let frequency = 1.0 / 500_000f32.powf(2.0 * i as f32 / 16.0);
            let wavelength = 2.0 * std::f32::consts::PI / frequency;
            if wavelength < 8192.0 / 4.0 {
                1.0
            } else if wavelength > 8192.0 {
                32.0
            } else {
                let smooth = (8192.0 / wavelength - 1.0) / 3.0;
                1.0 / ((1.0 - smooth) / 32.0 + smooth)
            }
        })
        .collect();
    let with = |factors: &[f32]| {
        let data = factors.iter().flat_map(|x| x.to_le_bytes()).collect();
        tiny().f32("llama.rope.freq_base", 500_000.0).tensor(
            "rope_freqs.weight",
            &[factors.len() as u64],
            0,
            data,
        )
    };
    let parsed = with(&factors).parse().unwrap();
    let scaling = parsed.config.opt_object("rope_scaling").unwrap().unwrap();
    assert_eq!((scaling.str("rope_type").unwrap(), scaling.f32("factor").unwrap()), ("llama3", 32.0));
    assert_eq!(scaling.u32("original_max_position_embeddings").unwrap(), 8192);
    assert!(!parsed.checkpoint.tensors.keys().any(|name| name.contains("rope")));
    let mut other = factors.clone();
    // Llama 3's scaling with parameters that no published model uses divides frequencies by other numbers.
    other[0] = 2.0;
    let parsed = with(&other).parse().unwrap();
    let scaling = parsed.config.opt_object("rope_scaling").unwrap().unwrap();
    assert_eq!(
        (scaling.str("rope_type").unwrap(), scaling.f32("attention_factor").unwrap()),
        ("longrope", 1.0)
    );
    for field in ["short_factor", "long_factor"] {
        assert_eq!(scaling.f32_list(field).unwrap(), other);
    }
    for wrong in [f32::NAN, 0.0] {
        other[7] = wrong;
        with(&other).refused(Code::FileCorrupt, &["rope_freqs.weight", "more than 0"]);
    }
    with(&factors[..4]).refused(Code::FileCorrupt, &["rope_freqs.weight", "8 factors"]);
}

#[test]
fn a_header_longer_than_the_first_read_is_read() {
    let long = "x".repeat(300_000);
    let parsed = tiny().str("long", &long).strings("list", &[&long, "", &long]).parse().unwrap();
    assert_eq!(parsed.metadata.str("long").unwrap(), long);
    assert_eq!(parsed.metadata.strings("list").unwrap()[2], long);
    assert_eq!(parsed.checkpoint.tensors.len(), 11);
}
