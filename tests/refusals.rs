//! Damaged models, unusable data and foreign trajectories are rejected with the right code and a message that names the place,
//! without a panic and without a large allocation, both natively and in a browser's worker, on the CPU reference kernels.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
#[cfg(not(target_arch = "wasm32"))]
#[path = "../fuzz/replay.rs"]
mod replay_of_fuzzers;
#[cfg(not(target_arch = "wasm32"))]
#[path = "../fuzz/src/targets.rs"]
mod targets;
#[path = "common/watched.rs"]
mod watched;

use common::{async_test, golden};
use pocketllm::error::{Code, Error, Result};
use pocketllm::format::files::MemoryDir;
use pocketllm::format::pickle;
use pocketllm::format::source::MemorySource;
use pocketllm::reference::Host;
use pocketllm::text::dataset;
use pocketllm::train::Trajectory;
use pocketllm::train::{ExampleEncoder, Session, Settings, Trainer, replay};
use serde_json::{Map, Value, json};

/// The files themselves are smaller than 128 KiB.
const LARGE: usize = 4 << 20;

const TEMPLATE: &str = "{text} It was [MASK] .";
const QUERY: &str = "bert.encoder.layer.0.attention.self.query.weight";
const KEY: &str = "bert.encoder.layer.0.attention.self.key.weight";
const WIDE: &str = "bert.encoder.layer.1.intermediate.dense.weight";

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn bert_weights() -> &'static [u8] {
    golden::file("bert", "model.safetensors")
}

fn bert() -> MemoryDir {
    golden::dir("bert")
}

async fn open(dir: &MemoryDir) -> Result<Session> {
    Session::open(Host::open(), dir, pocketllm::dtype::DType::F32, &mut |_| Ok(())).await
}

fn labels(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// Checks the code and every part of the message, and that nothing large was allocated.
fn check(what: &str, error: &Error, code: Code, parts: &[&str]) {
    assert_eq!(error.code(), code, "{what}: {error}");
    for part in parts {
        assert!(error.message().contains(part), "{what}: {part:?} is not in: {error}");
    }
    let largest = watched::largest();
    assert!(largest < LARGE, "{what}: {largest} bytes were allocated at once");
}

async fn refused(what: &str, dir: &MemoryDir, code: Code, parts: &[&str]) {
    match open(dir).await {
        Ok(_) => panic!("{what}: was opened"),
        Err(error) => check(what, &error, code, parts),
    }
}

async fn weights_refused(what: &str, weights: Vec<u8>, parts: &[&str]) {
    let dir = bert().with("model.safetensors", weights);
    let parts = [&["model.safetensors"], parts].concat();
    refused(what, &dir, Code::FileCorrupt, &parts).await;
}

/// The golden weights with a header changed by `edit`.
fn header_edited(edit: impl FnOnce(&mut Map<String, Value>)) -> Vec<u8> {
    let length = u64::from_le_bytes(bert_weights()[..8].try_into().unwrap()) as usize;
    let mut header: Map<String, Value> = serde_json::from_slice(&bert_weights()[8..8 + length]).unwrap();
    edit(&mut header);
    let header = Value::Object(header).to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &bert_weights()[8 + length..]].concat()
}

fn config_edited(field: &str, value: Value) -> MemoryDir {
    let mut config: Map<String, Value> = serde_json::from_slice(golden::file("bert", "config.json")).unwrap();
    config.insert(field.to_owned(), value);
    bert().with("config.json", Value::Object(config).to_string().into_bytes())
}

async_test! {
    async fn the_whole_model_is_opened() {
        let unchanged = bert().with("model.safetensors", header_edited(|_| ()));
        assert!(open(&bert()).await.is_ok() && open(&unchanged).await.is_ok());
    }
}

async_test! {
    async fn truncated_weights() {
        let header = 8 + u64::from_le_bytes(bert_weights()[..8].try_into().unwrap()) as usize;
        weights_refused("nothing", Vec::new(), &["the file is empty"]).await;
        for length in [1, 7] {
            weights_refused("no length", bert_weights()[..length].to_vec(), &["at least 8 bytes", &length.to_string()]).await;
        }
        for length in [8, 9, header - 1] {
            weights_refused("in the header", bert_weights()[..length].to_vec(), &["expected a header of at most"]).await;
        }
        for length in [header, header + 1, bert_weights().len() / 2, bert_weights().len() - 1] {
            weights_refused("in the data", bert_weights()[..length].to_vec(), &["tensor `", "expected offsets within"]).await;
        }
        let longer = [bert_weights(), &[0]].concat();
        weights_refused("a byte more", longer, &["bytes of tensors, found"]).await;
    }
}

async_test! {
    async fn absurd_header_length() {
        for length in [u64::MAX, 1 << 63, 1 << 40, bert_weights().len() as u64 - 7] {
            let mut weights = bert_weights().to_vec();
            weights[..8].copy_from_slice(&length.to_le_bytes());
            weights_refused("length", weights, &["expected a header of at most", &length.to_string()]).await;
        }
        let mut weights = bert_weights().to_vec();
        weights[..8].copy_from_slice(&0_u64.to_le_bytes());
        weights_refused("no header", weights, &["expected the header to begin with"]).await;
        let mut weights = bert_weights().to_vec();
        weights[20] = 0xff;
        weights_refused("not JSON", weights, &["header:"]).await;
    }
}

async_test! {
    async fn overlapping_tensors() {
        let both = header_edited(|header| header[QUERY]["data_offsets"] = header[KEY]["data_offsets"].clone());
        weights_refused("the same place", both, &["tensor `", "overlaps `", KEY, QUERY]).await;
        let moved = header_edited(|header| {
            let offsets = &mut header[QUERY]["data_offsets"];
            for at in 0..2 {
                offsets[at] = json!(offsets[at].as_u64().unwrap() - 4);
            }
        });
        weights_refused("four bytes early", moved, &[QUERY, "overlaps `"]).await;
        let far = header_edited(|header| header[QUERY]["data_offsets"] = json!([u64::MAX - 1, u64::MAX]));
        weights_refused("far away", far, &[QUERY, "expected offsets within"]).await;
        let swapped = header_edited(|header| header[QUERY]["data_offsets"] = json!([8, 4]));
        weights_refused("backwards", swapped, &[QUERY, "8..4"]).await;
    }
}

async_test! {
    async fn missing_tensor() {
        let renamed = header_edited(|header| {
            let tensor = header.remove(QUERY).unwrap();
            header.insert("something.else".to_owned(), tensor);
        });
        let renamed = bert().with("model.safetensors", renamed);
        refused("renamed", &renamed, Code::ModelUnsupported, &["model.safetensors", "no tensor", QUERY]).await;
        let layers = config_edited("num_hidden_layers", json!(3));
        refused("a layer more", &layers, Code::ModelUnsupported, &["no tensor bert.encoder.layer.2."]).await;
    }
}

async_test! {
    async fn wrong_shape() {
        let turned = header_edited(|header| header[WIDE]["shape"] = json!([36, 44]));
        weights_refused("turned", turned, &[WIDE, "has shape [36, 44], expected [44, 36]"]).await;
        let flat = header_edited(|header| header[WIDE]["shape"] = json!([44 * 36]));
        weights_refused("flat", flat, &[WIDE, "has shape [1584]"]).await;
        for shape in [json!([44, 35]), json!([u64::MAX, u64::MAX]), json!([1_u64 << 40, 1_u64 << 40])] {
            let other = header_edited(|header| header[WIDE]["shape"] = shape);
            weights_refused("another size", other, &[WIDE, "bytes for F32 ["]).await;
        }
        let hidden = config_edited("hidden_size", json!(39));
        refused("another model", &hidden, Code::FileCorrupt, &["has shape [", "expected ["]).await;
    }
}

async_test! {
    async fn damaged_pickles() {
        let mut random = 1_u64;
        let mut next = |below: usize| {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (random >> 33) as usize % below
        };
        for whole in [
            &include_bytes!("golden/pickle/tiny.bin")[..],
            include_bytes!("golden/pickle/legacy.bin"),
            include_bytes!("golden/pickle/views.bin"),
            include_bytes!("golden/pickle/zip64.bin"),
        ] {
            for _ in 0..2000 {
                let mut bytes = whole.to_vec();
                for _ in 0..1 + next(4) {
                    let (at, from) = (next(bytes.len()), next(whole.len() - 9));
                    match next(4) {
                        0 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][next(5)],
                        1 => bytes[at] = whole[from],
                        2 => drop(bytes.splice(at..at, whole[from..from + 9].iter().copied())),
                        _ => drop(bytes.drain(at..(at + next(9)).min(bytes.len()))),
                    }
                }
                let source = std::rc::Rc::new(MemorySource::new("x.bin", bytes));
                // Everything read from a damaged file has sizes that fit in the file.
                if let Ok(checkpoint) = pickle::parse(source).await {
                    for tensor in checkpoint.tensors.values() {
                        let count = tensor.elements().min(1 << 16) as usize;
                        let _ = checkpoint.read_f32(tensor, 0, count).await;
                    }
                }
            }
        }
        let largest = watched::largest();
        assert!(largest < LARGE, "{largest} bytes were allocated at once");
    }
}

async_test! {
    async fn unknown_model_type() {
        let dir = config_edited("model_type", json!("mamba"));
        refused("type", &dir, Code::ModelUnsupported, &["config.json", "model_type \"mamba\"", ", llama"]).await;
        let dir = config_edited("num_hidden_layers", json!(4_000_000_000_u32));
        refused("layers", &dir, Code::ModelUnsupported, &["config.json", "num_hidden_layers is 4000000000"]).await;
        let dir = bert().with("config.json", b"{\"model_type\": ".to_vec());
        refused("half a config", &dir, Code::FileCorrupt, &["config.json"]).await;
    }
}

async_test! {
    async fn bad_tokenizer() {
        let tokenizer = golden::file("bert", "tokenizer.json");
        let half = tokenizer[..tokenizer.len() / 2].to_vec();
        for bytes in [vec![], b"{}".to_vec(), b"[1]".to_vec(), vec![0xff; 99], half] {
            refused("damaged", &bert().with("tokenizer.json", bytes), Code::FileCorrupt, &["tokenizer.json"]).await;
        }
        let mut tokenizer: Value = serde_json::from_slice(tokenizer).unwrap();
        tokenizer["model"]["vocab"]["surplus"] = json!(5000);
        let dir = bert().with("tokenizer.json", tokenizer.to_string().into_bytes());
        // A token that the model has no row for is rejected only if a text contains it.
        assert!(open(&dir).await.is_ok());
    }
}

async_test! {
    async fn empty_data() {
        for (name, bytes) in [("none.csv", &b""[..]), ("blank.txt", b" \n\n"), ("bom.jsonl", b"\xef\xbb\xbf")] {
            let error = dataset::read(name, bytes).unwrap_err();
            check(name, &error, Code::DataInvalid, &[name, "found an empty file"]);
        }
        let error = dataset::read("head.csv", b"text,label\n").unwrap_err();
        check("only a header", &error, Code::DataInvalid, &["head.csv", "at least one row"]);
    }
}

async_test! {
    async fn unknown_label() {
        let session = open(&bert()).await.unwrap();
        let objective = ExampleEncoder::new(&session, Some(TEMPLATE), &labels(&["great", "terrible"])).unwrap();
        let data = dataset::read("t.csv", b"text,label\na film,great\na story,superb\n").unwrap();
        let error = objective.encode(&session, &data, 64).map(drop).unwrap_err();
        check("label", &error, Code::DataInvalid, &["t.csv", "row 3", "`label`", "great, terrible", "\"superb\""]);
    }
}

async_test! {
    async fn label_word_outside_of_the_vocabulary() {
        let session = open(&bert()).await.unwrap();
        let error = ExampleEncoder::new(&session, Some(TEMPLATE), &labels(&["great", "flabbergasting"])).map(drop);
        check("word", &error.unwrap_err(), Code::DataInvalid, &["label word \"flabbergasting\""]);
    }
}

async_test! {
    async fn settings_that_are_no_numbers() {
        for rate in [f32::NAN, f32::INFINITY, 0.0, -1e-3] {
            let error = Settings { learning_rate: rate, ..Settings::default() }.check().unwrap_err();
            check("rate", &error, Code::InvalidArgument, &[&format!("learning rate is {rate}"), "expected"]);
        }
        let error = Settings { epsilon: f32::NAN, ..Settings::default() }.check().unwrap_err();
        check("epsilon", &error, Code::InvalidArgument, &["epsilon is NaN"]);
        let error = Settings { weight_decay: f32::NAN, ..Settings::default() }.check().unwrap_err();
        check("decay", &error, Code::InvalidArgument, &["weight decay is NaN"]);
    }
}

async_test! {
    async fn trajectory_of_another_model() {
        let trajectory = trajectory().await;
        let mut same = open(&bert()).await.unwrap();
        replay(&mut same, &trajectory, &mut |_| Ok(())).await.unwrap();

        let mut weights = bert_weights().to_vec();
        *weights.last_mut().unwrap() ^= 1;
        let mut session = open(&bert().with("model.safetensors", weights)).await.unwrap();
        let error = replay(&mut session, &trajectory, &mut |_| Ok(())).await.unwrap_err();
        check("one bit", &error, Code::TrajectoryMismatch, &["other weights", &trajectory.header.fingerprint]);

        let llama = golden::dir("llama");
        let mut session = open(&llama).await.unwrap();
        let error = replay(&mut session, &trajectory, &mut |_| Ok(())).await.unwrap_err();
        check("family", &error, Code::TrajectoryMismatch, &["made with a bert model", "this is a llama model"]);
    }
}

async_test! {
    async fn damaged_trajectory() {
        let bytes = trajectory().await.to_bytes().unwrap();
        for length in [0, 7, 15, 16, bytes.len() - 2 * 32 - 1] {
            let error = Trajectory::parse("t.pocket", &bytes[..length]).unwrap_err();
            check("cut", &error, Code::FileCorrupt, &["t.pocket", "ends within its header", &length.to_string()]);
        }
        let mut long = bytes.clone();
        long[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        let error = Trajectory::parse("t.pocket", &long).unwrap_err();
        check("long", &error, Code::FileCorrupt, &["t.pocket", "header of 4294967295 bytes"]);
        let mut flipped = bytes.clone();
        let at = bytes.len() - 2 * 32;
        flipped[at] ^= 1;
        let error = Trajectory::parse("t.pocket", &flipped).unwrap_err();
        check("flipped", &error, Code::FileCorrupt, &["t.pocket", "record 0 is damaged"]);
    }
}

/// Two steps on the golden model.
async fn trajectory() -> Trajectory {
    let mut session = open(&bert()).await.unwrap();
    let objective = ExampleEncoder::new(&session, Some(TEMPLATE), &labels(&["great", "terrible"])).unwrap();
    let data = dataset::read("train.csv", golden::file("bert", "train.csv")).unwrap();
    let examples = objective.encode(&session, &data, 64).unwrap();
    let settings = Settings { steps: 2, batch_size: 4, learning_rate: 1e-3, ..Settings::default() };
    let mut trainer = Trainer::new(&session, settings, objective, Some(TEMPLATE), examples).unwrap();
    while trainer.step(&mut session).await.unwrap().is_some() {}
    trainer.trajectory().clone()
}
