//! The fuzz targets: one function for each kind of input from outside. Whatever the bytes are, it must return without a panic.
//!
//! The fuzzers in this folder call them with bytes mutated by libFuzzer; `tests/refusals.rs` calls them with the committed corpora.

use std::collections::BTreeMap;
use std::rc::Rc;

use pocketllm::dtype::DType;
use pocketllm::error::{Code, Error, Result};
use pocketllm::format::checkpoint::Checkpoint;
use pocketllm::format::config::Config;
use pocketllm::format::files::{Listed, ModelDir};
use pocketllm::format::peft::{Adapter, AdapterConfig, Base, Module, tensors};
use pocketllm::format::source::{ByteSource, MemorySource};
use pocketllm::format::{gguf, pickle, safetensors, sharded};
use pocketllm::future::LocalFuture;
use pocketllm::gpu::Limits;
use pocketllm::model::family;
use pocketllm::text::chat::{ChatTemplate, Conversation, Message, Variables};
use pocketllm::text::dataset::{self, Format, Wanted};
use pocketllm::text::template::Template;
use pocketllm::text::tokenizer::{Tokenizer, TokenizerFiles};
use pocketllm::train::{Session, Trajectory};
use pollster::block_on;

/// A kind of input, and the function that reads it.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// Every target, by the name of its fuzzer and its corpus.
pub(crate) const TARGETS: &[Target] = &[
    ("safetensors", safetensors),
    ("gguf", gguf),
    ("config", config),
    ("tokenizer", tokenizer),
    ("peft", peft),
    ("trajectory", trajectory),
    ("data", data),
    ("chat", chat),
    ("prompt", prompt),
    ("pickle", pickle),
];

/// Maximum number of elements of a tensor that are decoded.
const DECODED: usize = 1 << 12;

/// Number of zeros after the bytes of a model file, so that a corpus only needs headers.
const ZEROS: u64 = 1 << 20;

/// A text with many kinds of characters.
const TEXT: &str = "Hello  world, it's 1234\n\té\u{301} 日本 😀 <s>[MASK]</s> ▁x\u{0}";

/// A file with zeros after its bytes.
struct Padded {
    bytes: Vec<u8>,
    len: u64,
}

impl ByteSource for Padded {
    fn name(&self) -> &str {
        "file"
    }

    fn len(&self) -> u64 {
        self.len
    }

    fn read(&self, offset: u64, len: usize) -> LocalFuture<'_, Result<Vec<u8>>> {
        let read = || {
            if offset.checked_add(len as u64).is_none_or(|end| end > self.len) {
                return Err(Error::new(Code::FileCorrupt, "file: ends before"));
            }
            let own = self.bytes.get(offset as usize..).unwrap_or_default();
            let mut read = own[..own.len().min(len)].to_vec();
            read.resize(len, 0);
            Ok(read)
        };
        Box::pin(std::future::ready(read()))
    }
}

/// A folder with a few files. Weight files are followed by zeros.
struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    /// Parses consecutive files, each preceded by a line `@@` with its name.
    fn of(bytes: &[u8]) -> Files {
        const MARK: &[u8] = b"@@ ";
        let mut files = BTreeMap::new();
        let mut rest = bytes;
        while let Some(after) = rest.strip_prefix(MARK) {
            let line = after.iter().position(|byte| *byte == b'\n').unwrap_or(after.len());
            let body = &after[(line + 1).min(after.len())..];
            let end = body.windows(4).position(|w| w[0] == b'\n' && w[1..] == *MARK);
            let name = String::from_utf8_lossy(&after[..line]).into_owned();
            files.insert(name, body[..end.unwrap_or(body.len())].to_vec());
            rest = end.map_or(&[], |end| &body[end + 1..]);
        }
        Files(files)
    }
}

impl ModelDir for Files {
    fn name(&self) -> &str {
        "folder"
    }

    fn open<'a>(&'a self, file: &'a str) -> LocalFuture<'a, Result<Option<Rc<dyn ByteSource>>>> {
        let source = self
            .0
            .get(file)
            .map(|bytes| -> Rc<dyn ByteSource> { Rc::new(MemorySource::new(file, bytes.clone())) });
        Box::pin(std::future::ready(Ok(source)))
    }
}

fn source(bytes: &[u8], zeros: u64) -> Rc<dyn ByteSource> {
    Rc::new(Padded { bytes: bytes.to_vec(), len: bytes.len() as u64 + zeros })
}

/// Decodes the start and the end of every tensor.
fn decode(checkpoint: &Checkpoint) {
    for tensor in checkpoint.tensors.values() {
        let count = tensor.elements().min(DECODED as u64) as usize;
        for first in [0, tensor.elements() - count as u64] {
            let _ = block_on(checkpoint.read_f32(tensor, first, count));
        }
    }
}

/// Parses the file unchanged; then the same bytes as a header with the right length, followed by as many bytes of tensors as it
/// describes.
fn safetensors(bytes: &[u8]) {
    if let Ok(checkpoint) = block_on(safetensors::parse(source(bytes, 0))) {
        decode(&checkpoint);
    }
    let ends = |value: &serde_json::Value| value["data_offsets"][1].as_u64();
    let header = serde_json::from_slice::<serde_json::Map<_, _>>(bytes).unwrap_or_default();
    let data = header.values().filter_map(ends).max().unwrap_or(0).min(ZEROS);
    let file = [&(bytes.len() as u64).to_le_bytes(), bytes].concat();
    if let Ok(checkpoint) = block_on(safetensors::parse(source(&file, data))) {
        decode(&checkpoint);
    }
    let _ = sharded::shards("model.safetensors.index.json", bytes);
}

/// A whole model in one file: its metadata, tensors, configuration, tokenizer and chat template.
fn gguf(bytes: &[u8]) {
    let Ok(model) = block_on(gguf::parse(vec![source(bytes, ZEROS)])) else { return };
    decode(&model.checkpoint);
    let dir = Padded { bytes: bytes.to_vec(), len: bytes.len() as u64 + ZEROS };
    describe(&OneFile(Rc::new(dir)));
}

/// A folder whose only file is `model.gguf`.
struct OneFile(Rc<dyn ByteSource>);

impl ModelDir for OneFile {
    fn name(&self) -> &str {
        "folder"
    }

    fn open<'a>(&'a self, file: &'a str) -> LocalFuture<'a, Result<Option<Rc<dyn ByteSource>>>> {
        Box::pin(std::future::ready(Ok((file == "model.gguf").then(|| self.0.clone()))))
    }

    fn listing(&self) -> Option<Vec<pocketllm::format::files::Listed>> {
        Some(vec![Listed { name: "model.gguf".to_owned(), size: Some(self.0.len()) }])
    }
}

/// Opens a model without allocating its weights, and uses its tokenizer and its chat template.
fn describe(dir: &dyn ModelDir) {
    let Ok(session) = block_on(Session::describe(Limits::WEBGPU_DEFAULT, dir, DType::F32)) else { return };
    if let Ok(tokenizer) = session.tokenizer() {
        encode(tokenizer);
    }
    if let Ok(template) = session.chat_template() {
        let _ = template.render(&turns(), &Variables::new(), true);
    }
}

fn encode(tokenizer: &Tokenizer) {
    if let Ok(ids) = tokenizer.encode(TEXT, true) {
        let _ = tokenizer.decode(&ids, false);
    }
    let _ = tokenizer.single_token("great", true);
}

fn config(bytes: &[u8]) {
    if let Ok(spec) = Config::parse("config.json", bytes).and_then(|config| family::spec(&config)) {
        let _ = (spec.parameters(), spec.linears(), spec.head_tensors(), spec.qkv_width());
    }
}

fn tokenizer(bytes: &[u8]) {
    let files = Files::of(bytes).0;
    let text = |name: &str| files.get(name).and_then(|bytes| str::from_utf8(bytes).ok());
    let of = TokenizerFiles { files: &files, model_type: text("model_type"), class: text("class") };
    if let Ok(Some(tokenizer)) = Tokenizer::from_files(of) {
        encode(&tokenizer);
        if let Ok(json) = tokenizer.to_json() {
            let _ = Tokenizer::from_json(json.as_bytes(), "tokenizer.json");
        }
    }
    let _ = ChatTemplate::from_files(&files);
}

/// The base model of the adapters in the corpus.
fn base() -> Base {
    let linear =
        |path: &str, outputs| Module { path: path.to_owned(), inputs: 3, outputs, transposed: false };
    Base {
        linears: vec![linear("m.0.q", 5), linear("m.0.k", 5), linear("m.0.v", 4), linear("m.1.q", 5)],
        layers: 2,
        kv_heads: 2,
        kv_width: 4,
    }
}

fn peft(bytes: &[u8]) {
    let files = Files::of(bytes);
    if let Ok(config) = AdapterConfig::parse("adapter_config.json", bytes) {
        let _ = tensors(&config.method, &base().linears);
    }
    let Ok(adapter) = block_on(Adapter::open(&files)) else { return };
    let _ = adapter.replaced();
    let Ok(modules) = adapter.modules(&base()) else { return };
    let _ = adapter.config.to_json(&modules);
    if let Ok(tensors) = tensors(&adapter.config.method, &modules) {
        for tensor in &tensors {
            let _ = block_on(adapter.read(tensor));
        }
    }
}

/// Parses the file unchanged; then a file of a header, initial values and records with correct checksums, which a fuzzer could not find.
fn trajectory(bytes: &[u8]) {
    read_again(bytes);
    let parts = Files::of(bytes).0;
    let part = |name: &str| parts.get(name).map_or(&[][..], Vec::as_slice);
    let json = part("header");
    let mut file = b"PKTLTRAJ".to_vec();
    file.extend(1_u32.to_le_bytes());
    file.extend((json.len() as u32).to_le_bytes());
    file.extend([json, part("values")].concat());
    file.extend(crc32fast::hash(&file).to_le_bytes());
    for record in part("records").chunks_exact(28) {
        file.extend(record);
        file.extend(crc32fast::hash(record).to_le_bytes());
    }
    read_again(&file);
}

/// A trajectory that can be parsed can also be written, and is then the same.
fn read_again(bytes: &[u8]) {
    let Ok(read) = Trajectory::parse("t", bytes) else { return };
    let _ = read.header.settings.check();
    let written = read.to_bytes().expect("what was read can be written");
    let again = Trajectory::parse("t", &written).expect("what was written can be read");
    assert_eq!(again.to_bytes().expect("it can be written again"), written);
    assert_eq!(again.records.len(), read.records.len());
}

/// The first byte selects the file name and what is known about the file.
fn data(bytes: &[u8]) {
    const NAMES: &[&str] = &["a.csv", "a.tsv", "a.jsonl", "a.json", "a.txt", "a"];
    const FORMATS: &[Option<Format>] =
        &[None, Some(Format::Csv), Some(Format::Tsv), Some(Format::Jsonl), Some(Format::Txt)];
    let Some((choice, bytes)) = bytes.split_first() else { return };
    let choice = usize::from(*choice);
    let wanted = Wanted {
        labeled: choice & 128 != 0,
        unlabeled: choice & 64 != 0,
        format: FORMATS[choice / 6 % FORMATS.len()],
        ..Wanted::default()
    };
    if let Ok(reading) = dataset::inspect(NAMES[choice % NAMES.len()], bytes, &wanted) {
        assert!(!reading.dataset.is_empty());
        let _ = reading.dataset.fingerprint();
        let _ = reading.whole();
    }
}

fn turns() -> [Message; 2] {
    [Message::new("user", "a,b"), Message::new("assistant", "é\n")]
}

/// A chat template, and a conversation as a row of a data file.
fn chat(bytes: &[u8]) {
    let files = Files::of(bytes).0;
    let text = |name: &str| files.get(name).and_then(|bytes| str::from_utf8(bytes).ok());
    let conversation = text("row").and_then(|row| Conversation::from_json(row).ok());
    let tokens =
        vec![("bos_token".to_owned(), "<s>".to_owned()), ("eos_token".to_owned(), "</s>".to_owned())];
    let Some(Ok(template)) = text("template").map(|source| ChatTemplate::new("t", source, tokens)) else {
        return;
    };
    let _ = template.render(&turns(), &Variables::new(), true);
    if let Some(conversation) = conversation {
        let _ = template.render(&conversation.messages, &conversation.variables, false);
        let _ = template.unread(&conversation);
    }
}

fn prompt(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    for mask in [None, Some("[MASK]"), Some("<m>")] {
        if let Ok(template) = Template::parse(text, mask) {
            let _ = template.render("a {text} [MASK]", Some("<m>"));
            let _ = template.render("a", None);
        }
    }
}

fn pickle(bytes: &[u8]) {
    if let Ok(checkpoint) = block_on(pickle::parse(source(bytes, 0))) {
        decode(&checkpoint);
    }
}
