//! Published layouts that differ from what transformers writes today: they are read if their meaning is clear, and otherwise
//! rejected with the actual cause before any weight is read.

use serde_json::{Map, Value, json};

use crate::common::{async_test, golden};
use pocketllm::dtype::DType;
use pocketllm::error::{Code, Error};
use pocketllm::format::files::MemoryDir;
use pocketllm::gpu::Limits;
use pocketllm::reference::Host;
use pocketllm::train::Session;

/// The model with its safetensors header and configuration modified by `edit`.
fn edited(folder: &str, edit: impl FnOnce(&mut Map<String, Value>, &mut Map<String, Value>)) -> MemoryDir {
    let weights = golden::file(folder, "model.safetensors");
    let length = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
    let mut header: Map<String, Value> = serde_json::from_slice(&weights[8..8 + length]).unwrap();
    let mut config: Map<String, Value> = serde_json::from_slice(golden::file(folder, "config.json")).unwrap();
    edit(&mut header, &mut config);
    let header = Value::Object(header).to_string().into_bytes();
    let weights = [&(header.len() as u64).to_le_bytes(), &header[..], &weights[8 + length..]].concat();
    golden::dir(folder)
        .with("model.safetensors", weights)
        .with("config.json", Value::Object(config).to_string().into_bytes())
}

/// Renames tensors. `rename` receives each name.
fn renamed(folder: &str, rename: impl Fn(&str) -> String) -> MemoryDir {
    edited(folder, |header, _| {
        let old = std::mem::take(header);
        header.extend(old.into_iter().map(|(name, tensor)| match name.as_str() {
            "__metadata__" => (name, tensor),
            _ => (rename(&name), tensor),
        }));
    })
}

async fn describe(dir: &MemoryDir) -> Result<Session, Error> {
    Session::describe(Limits::WEBGPU_DEFAULT, dir, DType::F32).await
}

async fn refused(what: &str, dir: &MemoryDir, code: Code, parts: &[&str]) {
    let error = match describe(dir).await {
        Ok(_) => panic!("{what}: was described"),
        Err(error) => error,
    };
    assert_eq!(error.code(), code, "{what}: {error}");
    for part in parts {
        assert!(error.message().contains(part), "{what}: {part:?} is not in: {error}");
    }
}

/// A hash of all weights, under the names of the spec.
async fn fingerprint(dir: &MemoryDir) -> u64 {
    let session = Session::open(Host::open(), dir, DType::F32, &mut |_| Ok(())).await.unwrap();
    session.model.weights().fingerprint()
}

async_test! {
    async fn prefixes_of_training_programs_are_removed() {
        for folder in ["bert", "llama-untied"] {
            let right = fingerprint(&golden::dir(folder)).await;
            for prefix in ["_orig_mod.", "module.", "module._orig_mod.", "_orig_mod.module."] {
                let wrapped = renamed(folder, |name| format!("{prefix}{name}"));
                assert_eq!(fingerprint(&wrapped).await, right, "{folder}: {prefix}");
            }
            let inner = renamed(folder, |name| name.replace("layers.", "layers._orig_mod.").replace("layer.", "_orig_mod.layer."));
            assert_eq!(fingerprint(&inner).await, right, "{folder}");
        }
    }
}

async_test! {
    async fn a_field_that_transformers_ignores_is_ignored() {
        // These families have another name for the width of the MLP.
        for folder in ["gpt2", "gpt-bigcode", "gptj", "distilbert"] {
            let stray = edited(folder, |_, config| drop(config.insert("intermediate_size".to_owned(), json!(7))));
            assert_eq!(fingerprint(&stray).await, fingerprint(&golden::dir(folder)).await, "{folder}");
        }
    }
}

async_test! {
    async fn norms_of_tensorflow_are_renamed() {
        for (folder, norm) in [("bert", "bert.embeddings.LayerNorm"), ("distilbert", "distilbert.embeddings.LayerNorm")] {
            let old = |name: &str| name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
            assert_ne!(old(&format!("{norm}.weight")), format!("{norm}.weight"));
            assert_eq!(fingerprint(&renamed(folder, old)).await, fingerprint(&golden::dir(folder)).await, "{folder}");
        }
    }
}

async_test! {
    async fn an_embedding_without_columns_is_refused_by_its_field() {
        for (folder, field) in [("opt", "word_embed_proj_dim"), ("opt-projected", "word_embed_proj_dim"), ("electra", "embedding_size")] {
            let dir = edited(folder, |_, config| drop(config.insert(field.to_owned(), json!(0))));
            refused(folder, &dir, Code::ModelUnsupported, &["config.json", field, "is 0, expected 1 to"]).await;
        }
    }
}

async_test! {
    async fn a_field_without_a_meaning_is_refused_by_its_file_and_name() {
        for (folder, field, value, code, says) in [
            ("llama", "rms_norm_eps", json!(-1.0), Code::ModelUnsupported, "is -1, expected 0 or more"),
            ("gpt2", "layer_norm_epsilon", json!(-1e-5), Code::ModelUnsupported, "is -0.00001, expected 0 or more"),
            ("bert", "eos_token_id", json!(50_256), Code::FileCorrupt, "expected an id among the tokenizer's"),
        ] {
            let dir = edited(folder, |_, config| drop(config.insert(field.to_owned(), value)));
            refused(folder, &dir, code, &["config.json", field, says]).await;
        }
    }
}

async_test! {
    async fn fewer_buckets_of_distances_than_transformers_uses_are_refused() {
        let dir = edited("mpnet", |_, config| drop(config.insert("relative_attention_num_buckets".to_owned(), json!(31))));
        let words = ["config.json", "relative_attention_num_buckets is 31, expected 32 or more"];
        refused("mpnet", &dir, Code::ModelUnsupported, &words).await;
    }
}

async_test! {
    async fn parts_of_deberta_that_are_not_implemented_are_refused_by_their_fields() {
        for (field, value, says) in [
            ("relative_attention", json!(false), "relative_attention is false"),
            ("share_att_key", json!(false), "share_att_key is false"),
            ("pos_att_type", json!(["c2p"]), "pos_att_type is [\"c2p\"]"),
            ("conv_kernel_size", json!(3), "conv_kernel_size is 3"),
            ("attention_head_size", json!(4), "attention_head_size is 4"),
            ("position_buckets", json!(3), "position_buckets is 3"),
            ("position_buckets", json!(318), "the number of positions, 160"),
            ("max_position_embeddings", json!(0), "the number of positions, 0"),
            ("embedding_size", json!(12), "embedding_size is 12"),
            ("pooler_hidden_size", json!(12), "pooler_hidden_size is 12"),
        ] {
            let dir = edited("deberta-v3", |_, config| drop(config.insert(field.to_owned(), value)));
            refused(field, &dir, Code::ModelUnsupported, &["config.json", says]).await;
        }
    }
}

async_test! {
    async fn a_classifier_of_projected_states_is_refused_by_its_class() {
        let dir = edited("opt-projected", |header, config| {
            config.insert("architectures".to_owned(), json!(["OPTForSequenceClassification"]));
            header.insert("score.weight".to_owned(), json!({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}));
        });
        let session = describe(&dir).await.unwrap();
        assert!(session.published_classifier().await.unwrap().is_none());
        let error = session.model.spec().head().err().unwrap();
        assert_eq!(error.code(), Code::ModelUnsupported);
        assert!(error.message().contains("OPTForSequenceClassification") && error.message().contains("score.weight"), "{error}");
    }
}

async_test! {
    async fn a_tied_table_has_either_name() {
        for (folder, embedding, head) in [
            ("bert", "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
            ("roberta", "roberta.embeddings.word_embeddings.weight", "lm_head.decoder.weight"),
            ("opt", "model.decoder.embed_tokens.weight", "lm_head.weight"),
            ("llama", "model.embed_tokens.weight", "lm_head.weight"),
            ("gpt2", "transformer.wte.weight", "lm_head.weight"),
        ] {
            let other = renamed(folder, |name| if name == embedding { head.to_owned() } else { name.to_owned() });
            assert_eq!(fingerprint(&other).await, fingerprint(&golden::dir(folder)).await, "{folder}");
        }
        // A model whose head has a separate table needs both.
        let other = renamed("llama-untied", |name| match name {
            "model.embed_tokens.weight" => "model.embed.weight".to_owned(),
            _ => name.to_owned(),
        });
        refused("untied", &other, Code::ModelUnsupported, &["no tensor model.embed_tokens.weight"]).await;
    }
}

async_test! {
    async fn a_head_that_was_trained_apart_from_its_embeddings_is_refused() {
        // transformers keeps both tables if both are in the file and differ, whatever tie_word_embeddings says.
        for (folder, embedding, head) in [
            ("bert", "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
            ("bert", "cls.predictions.bias", "cls.predictions.decoder.bias"),
            ("llama", "model.embed_tokens.weight", "lm_head.weight"),
            ("gpt2", "transformer.wte.weight", "lm_head.weight"),
        ] {
            let right = fingerprint(&golden::dir(folder)).await;
            let with_copy = |change: u8| {
                let weights = golden::file(folder, "model.safetensors");
                let length = u64::from_le_bytes(weights[..8].try_into().unwrap()) as usize;
                let mut header: Value = serde_json::from_slice(&weights[8..8 + length]).unwrap();
                let place = |end: usize| header[embedding]["data_offsets"][end].as_u64().unwrap() as usize;
                let mut copy = weights[8 + length + place(0)..8 + length + place(1)].to_vec();
                // The lowest bits of the last element.
                let at = copy.len() - 4;
                copy[at] ^= change;
                let end = weights.len() - 8 - length;
                header[head] = header[embedding].clone();
                header[head]["data_offsets"] = json!([end, end + copy.len()]);
                let header = header.to_string().into_bytes();
                let length_bytes = (header.len() as u64).to_le_bytes();
                let file = [&length_bytes, &header[..], &weights[8 + length..], &copy[..]].concat();
                golden::dir(folder).with("model.safetensors", file)
            };
            assert_eq!(fingerprint(&with_copy(0)).await, right, "{folder}");
            let error = Session::open(Host::open(), &with_copy(1), DType::F32, &mut |_| Ok(())).await.err().unwrap();
            assert_eq!(error.code(), Code::ModelUnsupported);
            for part in [embedding, head, "tie_word_embeddings"] {
                assert!(error.message().contains(part), "{error}");
            }
        }
    }
}

async_test! {
    async fn fields_that_change_what_is_computed_are_refused_by_name() {
        for (folder, field, value) in [
            // Embedding models are decoders in which every token sees all tokens.
            ("llama", "is_causal", json!(false)),
            ("gemma3", "is_causal", json!(false)),
            ("bert", "type_vocab_size", json!(0)),
            ("modernbert", "rope_parameters", json!({"rope_type": "default", "rope_theta": 100.0})),
        ] {
            let dir = edited(folder, |_, config| {
                config.insert(field.to_owned(), value.clone());
            });
            refused(field, &dir, Code::ModelUnsupported, &[field]).await;
        }
    }
}

async_test! {
    async fn a_model_with_another_head_is_none_that_writes() {
        for (folder, class, layer) in [
            // These share their table with the head, so no tensor of the head is missing.
            ("llama", "LlamaForSequenceClassification", Some("score.weight")),
            ("llama", "LlamaForTokenClassification", None),
            ("llama", "LlamaForCausalLM", Some("score.weight")),
            ("opt", "OPTForQuestionAnswering", Some("qa_outputs.weight")),
        ] {
            let dir = edited(folder, |header, config| {
                config.insert("architectures".to_owned(), json!([class]));
                if let Some(layer) = layer {
                    header.insert(layer.to_owned(), json!({"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}));
                }
            });
            let session = describe(&dir).await.unwrap();
            let error = session.model.spec().head().err().unwrap();
            assert_eq!(error.code(), Code::ModelUnsupported);
            assert!(error.message().contains(class) && error.message().contains("no language-model head"), "{error}");
        }
        for class in ["BertForQuestionAnswering", "BertForTokenClassification"] {
            let dir = edited("bert", |header, config| {
                config.insert("architectures".to_owned(), json!([class]));
                let names: Vec<String> = header.keys().filter(|name| name.starts_with("cls.")).cloned().collect();
                for name in names {
                    let tensor = header.remove(&name).unwrap();
                    header.insert(format!("qa_outputs.{name}"), tensor);
                }
            });
            let session = describe(&dir).await.unwrap();
            let error = session.model.spec().head().err().unwrap();
            assert!(error.message().contains(class), "{error}");
        }
    }
}

async_test! {
    async fn quantized_repositories_are_named_as_such() {
        for (field, value, parts) in [
            ("quantization_config", json!({"quant_method": "bitsandbytes", "load_in_4bit": true}), &["bitsandbytes", "4 bits"][..]),
            ("quantization_config", json!({"load_in_8bit": true}), &["8 bits"]),
            ("quantization_config", json!({"quant_method": "gptq", "bits": 4}), &["gptq", "4 bits"]),
            ("quantization_config", json!({"quant_method": "awq", "bits": 4}), &["awq"]),
            ("quantization_config", json!({"quant_method": "fp8"}), &["fp8"]),
            ("quantization_config", json!({"quant_method": "compressed-tensors"}), &["compressed-tensors"]),
            ("quantization", json!({"group_size": 64, "bits": 4}), &["MLX", "4 bits"]),
        ] {
            let dir = edited("llama", |_, config| drop(config.insert(field.to_owned(), value)));
            refused(field, &dir, Code::ModelUnsupported, &[&["config.json", field, "GGUF"], parts].concat()).await;
        }
        // Without the field, the tensors reveal it.
        let name = "model.layers.0.self_attn.q_proj.weight";
        for (other, parts) in [
            ("model.layers.0.self_attn.q_proj.qweight", &["q_proj.weight is quantized", "qweight"][..]),
            ("model.layers.0.self_attn.q_proj.weight_packed", &["weight_packed"]),
        ] {
            let dir = renamed("llama", |found| if found == name { other } else { found }.to_owned());
            refused(other, &dir, Code::ModelUnsupported, parts).await;
        }
        for (dtype, size) in [("F64", 8), ("U8", 1), ("F8_E4M3", 1), ("F8_E8M0", 1), ("I64", 8)] {
            let dir = edited("llama", |header, _| {
                let tensor = &mut header[name];
                let at = |end: usize| tensor["data_offsets"][end].as_u64().unwrap();
                let shape = json!([(at(1) - at(0)) / size]);
                tensor["shape"] = shape;
                tensor["dtype"] = json!(dtype);
            });
            refused(dtype, &dir, Code::ModelUnsupported, &[name, dtype, "expected F32, F16 or BF16"]).await;
        }
    }
}

async_test! {
    async fn a_missing_tensor_is_named_with_its_cause() {
        let dir = edited("llama", |_, config| drop(config.insert("num_hidden_layers".to_owned(), json!(9))));
        let parts = ["model.safetensors", "no tensor model.layers.", "others", "LlamaForCausalLM"];
        refused("a layer more", &dir, Code::ModelUnsupported, &parts).await;
        let dir = renamed("llama", |name| format!("base.{name}"));
        refused("a prefix", &dir, Code::ModelUnsupported, &["no tensor model.embed_tokens.weight", "such as base."]).await;
    }
}

async_test! {
    async fn files_that_are_something_else_are_named_as_such() {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n";
        let page = "<!DOCTYPE html>\n<html><title>Sign in</title></html>";
        for (bytes, says) in [(pointer, "a Git LFS pointer"), (page, "a web page"), ("", "is empty")] {
            for file in ["config.json", "model.safetensors", "tokenizer.json"] {
                let dir = golden::dir("bert").with(file, bytes.as_bytes());
                refused(says, &dir, Code::FileCorrupt, &[file, says]).await;
            }
            let gguf = MemoryDir::new("one").with("model.gguf", bytes.as_bytes());
            refused(says, &gguf, Code::FileCorrupt, &["model.gguf", says]).await;
            let config = golden::file("bert", "config.json");
            let bin = MemoryDir::new("bin").with("config.json", config).with("pytorch_model.bin", bytes.as_bytes());
            refused(says, &bin, Code::FileCorrupt, &["pytorch_model.bin", says]).await;
        }
    }
}

async_test! {
    async fn files_that_end_early_are_called_incomplete() {
        for file in ["config.json", "model.safetensors", "tokenizer.json"] {
            let whole = golden::file("bert", file);
            let dir = golden::dir("bert").with(file, &whole[..whole.len() * 2 / 3]);
            refused(file, &dir, Code::FileCorrupt, &[file, "incomplete"]).await;
        }
        let whole = golden::file("llama-gguf", "model.gguf");
        for length in [20, whole.len() / 3, whole.len() - 1] {
            let dir = MemoryDir::new("cut").with("model.gguf", &whole[..length]);
            refused("gguf", &dir, Code::FileCorrupt, &["model.gguf", "incomplete"]).await;
        }
    }
}

async_test! {
    async fn weights_of_pytorch_are_the_same() {
        let right = fingerprint(&golden::dir("bert")).await;
        let config = MemoryDir::new("bin").with("config.json", golden::file("bert", "config.json"));
        let zip = &include_bytes!("../golden/pickle/bert.bin")[..];
        let legacy = &include_bytes!("../golden/pickle/bert-legacy.bin")[..];
        for bytes in [zip, legacy] {
            assert_eq!(fingerprint(&config.clone().with("pytorch_model.bin", bytes)).await, right);
        }
        // Half of the tensors come from each of two files.
        let weights = safetensors::SafeTensors::deserialize(golden::file("bert", "model.safetensors")).unwrap();
        let names = weights.names().into_iter().enumerate();
        let map: Map<String, Value> =
            names.map(|(at, name)| (name.to_owned(), json!(["a.bin", "b.bin"][at % 2]))).collect();
        let index = json!({"metadata": {}, "weight_map": map}).to_string().into_bytes();
        let split = config.with("pytorch_model.bin.index.json", index).with("a.bin", zip).with("b.bin", legacy);
        assert_eq!(fingerprint(&split).await, right);
    }
}
