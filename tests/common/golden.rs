//! The golden models, adapters and values of `tests/golden/`, built into the tests, because a browser has no files.

use pocketllm::format::files::MemoryDir;
use serde_json::Value;

/// A folder's name, and its files with their contents.
type Folder = (&'static str, &'static [(&'static str, &'static [u8])]);

macro_rules! folder {
    ($folder:literal: $($file:literal)*) => {
        ($folder, &[$(($file, include_bytes!(concat!("../golden/", $folder, "/", $file)) as &[u8])),*])
    };
}

macro_rules! model {
    ($folder:literal) => { folder!($folder: "config.json" "model.safetensors" "cases.json" "expected.safetensors") };
    ($folder:literal gguf) => { folder!($folder: "model.gguf" "cases.json" "expected.safetensors") };
    ($folder:literal base) => { folder!($folder: "config.json" "model.safetensors") };
    ($folder:literal adapter) => {
        folder!($folder: "adapter_config.json" "adapter_model.safetensors" "expected.safetensors")
    };
}

static FOLDERS: &[Folder] = &[
    folder!("bert": "config.json" "model.safetensors" "tokenizer.json" "train.csv" "cases.json" "expected.safetensors"),
    model!("roberta"),
    model!("opt"),
    model!("opt-projected"),
    folder!(
        "opt-published": "config.json" "generation_config.json" "vocab.json" "merges.txt" "special_tokens_map.json"
        "tokenizer_config.json" "pytorch_model.bin" "expected.json"
    ),
    model!("llama"),
    model!("llama-untied"),
    folder!(
        "sharded": "config.json" "model.safetensors.index.json" "model-00001-of-00003.safetensors"
        "model-00002-of-00003.safetensors" "model-00003-of-00003.safetensors"
    ),
    model!("llama3"),
    model!("half/f16"),
    model!("half/bf16"),
    model!("gpt2"),
    model!("gpt2-hub"),
    model!("gemma2"),
    model!("phi"),
    model!("qwen3"),
    model!("qwen3-untied"),
    model!("gemma3"),
    model!("gemma3-hub"),
    model!("qwen2"),
    model!("mistral"),
    model!("distilbert"),
    model!("xlm-roberta"),
    model!("modernbert"),
    model!("gpt-neox"),
    model!("gpt-neox-sequential"),
    model!("smollm3"),
    model!("lfm2"),
    model!("lfm2-biased"),
    model!("olmo2"),
    model!("granite"),
    model!("phi3"),
    model!("electra"),
    model!("electra-wide"),
    model!("roberta-relu"),
    model!("ernie"),
    model!("hunyuan"),
    model!("exaone4"),
    model!("stablelm"),
    model!("stablelm-parallel"),
    model!("gpt-neo"),
    model!("starcoder2"),
    model!("olmo"),
    model!("granite4"),
    model!("modernbert-decoder"),
    model!("gemma"),
    model!("glm"),
    model!("glm4"),
    model!("olmo3"),
    model!("ministral"),
    model!("ministral3"),
    model!("seed-oss"),
    model!("arcee"),
    model!("helium"),
    model!("cohere"),
    model!("cohere2"),
    model!("vaultgemma"),
    model!("gpt-bigcode"),
    model!("gpt-bigcode-by-head"),
    model!("gptj"),
    model!("data2vec-text"),
    model!("ernie-encoder"),
    model!("megatron-bert"),
    model!("roberta-prelayernorm"),
    model!("mpnet"),
    model!("deberta-v3"),
    model!("deberta-v2"),
    model!("ernie-tasks"),
    model!("eurobert"),
    model!("albert"),
    model!("albert-inner"),
    model!("llama-gguf" gguf),
    model!("qwen3-gguf" gguf),
    model!("gemma3-gguf" gguf),
    model!("llama-gguf-k" gguf),
    model!("llama-gguf-mixed" gguf),
    model!("gpt2-gguf" gguf),
    model!("gemma2-gguf" gguf),
    model!("smollm3-gguf" gguf),
    model!("lfm2-gguf" gguf),
    model!("olmo2-gguf" gguf),
    model!("granite-gguf" gguf),
    model!("phi2-gguf" gguf),
    model!("phi3-gguf" gguf),
    model!("gptneox-gguf" gguf),
    model!("ernie4_5-gguf" gguf),
    model!("hunyuan-dense-gguf" gguf),
    model!("exaone4-gguf" gguf),
    model!("stablelm-gguf" gguf),
    model!("starcoder2-gguf" gguf),
    model!("olmo-gguf" gguf),
    model!("gemma-gguf" gguf),
    model!("chatglm-gguf" gguf),
    model!("glm4-gguf" gguf),
    model!("command-r-gguf" gguf),
    model!("cohere2-gguf" gguf),
    model!("seed_oss-gguf" gguf),
    model!("arcee-gguf" gguf),
    model!("starcoder-gguf" gguf),
    model!("classifiers/bert"),
    model!("classifiers/roberta"),
    model!("classifiers/llama"),
    model!("classifiers/gpt2"),
    model!("classifiers/distilbert"),
    model!("classifiers/camembert"),
    model!("classifiers/modernbert"),
    model!("classifiers/modernbert-mean"),
    model!("classifiers/gpt_neox"),
    model!("classifiers/electra"),
    model!("classifiers/gpt_neo"),
    model!("classifiers/gptj"),
    model!("classifiers/megatron-bert"),
    model!("classifiers/roberta-prelayernorm"),
    model!("classifiers/mpnet"),
    model!("classifiers/deberta-v2"),
    model!("classifiers/albert"),
    model!("classifiers/eurobert"),
    folder!("features": "expected.safetensors"),
    folder!("features/encoder": "config.json" "model.safetensors" "cases.json"),
    folder!("features/embedding-gemma": "config.json" "model.safetensors" "cases.json"),
    model!("peft/blocks-bert" base),
    model!("peft/blocks-llama" base),
    model!("steps/distilbert" adapter),
    model!("steps/modernbert" adapter),
    model!("steps/gpt-neox" adapter),
    model!("steps/olmo2" adapter),
    model!("steps/phi3" adapter),
    model!("steps/granite" adapter),
    model!("steps/granite4" adapter),
    model!("steps/mistral" adapter),
    model!("steps/gemma2" adapter),
    model!("steps/gemma3" adapter),
    model!("steps/mpnet" adapter),
    model!("steps/deberta-v3" adapter),
    model!("steps/albert" adapter),
    model!("peft/bert-lora" adapter),
    model!("peft/bert-lora-wide" adapter),
    model!("peft/bert-lora-patterns" adapter),
    model!("peft/llama-lora-saved" adapter),
    model!("peft/llama-lora-classifier" adapter),
    model!("peft/roberta-lora-classifier" adapter),
    model!("peft/opt-lora-biases" adapter),
    model!("peft/bert-prefix" adapter),
    model!("peft/roberta-lora" adapter),
    model!("peft/roberta-lora-wide" adapter),
    model!("peft/roberta-prefix" adapter),
    model!("peft/opt-lora" adapter),
    model!("peft/opt-lora-wide" adapter),
    model!("peft/opt-prefix" adapter),
    model!("peft/llama-lora" adapter),
    model!("peft/llama-lora-wide" adapter),
    model!("peft/llama-lora-patterns" adapter),
    model!("peft/llama-prefix" adapter),
    model!("peft/gpt2-lora" adapter),
    model!("peft/gpt2-lora-wide" adapter),
    model!("peft/gpt2-prefix" adapter),
    model!("peft/blocks-bert-lora" adapter),
    model!("peft/blocks-bert-lora-wide" adapter),
    model!("peft/blocks-bert-prefix" adapter),
    model!("peft/blocks-llama-lora" adapter),
    model!("peft/blocks-llama-lora-wide" adapter),
    model!("peft/blocks-llama-prefix" adapter),
];

/// Every golden model whose logits were computed with transformers, with the folder of its expected values.
pub(crate) fn models() -> impl Iterator<Item = (&'static str, &'static str)> {
    let has = |folder: &Folder, file: &str| folder.1.iter().any(|(name, _)| *name == file);
    FOLDERS.iter().filter_map(move |folder| match folder.0 {
        // The same weights, in three files.
        "sharded" => Some(("sharded", "llama-untied")),
        // Their logits are those of labels.
        name if name.starts_with("classifiers/") => None,
        name if has(folder, "cases.json") && has(folder, "expected.safetensors") => Some((name, name)),
        _ => None,
    })
}

/// The values that PyTorch and peft computed for models with each kind of attention (`tests/golden/steps.py`).
pub(crate) fn steps() -> Value {
    serde_json::from_str(include_str!("../golden/steps.json")).unwrap()
}

/// The fields of every golden `config.json`.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn configs() -> impl Iterator<Item = Value> {
    let configs =
        FOLDERS.iter().flat_map(|(_, files)| files.iter().filter(|(name, _)| *name == "config.json"));
    configs.map(|(_, bytes)| serde_json::from_slice(bytes).unwrap())
}

/// The families of the golden classifiers.
pub(crate) fn classifiers() -> impl Iterator<Item = &'static str> {
    FOLDERS.iter().filter_map(|(name, _)| name.strip_prefix("classifiers/"))
}

fn files(folder: &str) -> &'static [(&'static str, &'static [u8])] {
    FOLDERS.iter().find(|(name, _)| *name == folder).unwrap_or_else(|| panic!("no golden {folder}")).1
}

/// The contents of a file of a folder.
pub(crate) fn file(folder: &str, name: &str) -> &'static [u8] {
    let found = files(folder).iter().find(|(file, _)| *file == name);
    found.unwrap_or_else(|| panic!("no golden {folder}/{name}")).1
}

/// The contents of a file, parsed as JSON.
pub(crate) fn json(folder: &str, name: &str) -> Value {
    serde_json::from_slice(file(folder, name)).unwrap()
}

/// A folder's model or adapter, as a directory.
pub(crate) fn dir(folder: &str) -> MemoryDir {
    let own =
        |name: &str| !["cases.json", "expected.json", "expected.safetensors", "train.csv"].contains(&name);
    let files = files(folder).iter().filter(|(name, _)| own(name));
    files.fold(MemoryDir::new(folder), |dir, (name, bytes)| dir.with(*name, *bytes))
}

/// The values that peft computed with the adapters (`tests/golden/adapters.py`).
pub(crate) fn peft() -> Value {
    serde_json::from_str(include_str!("../golden/peft/expected.json")).unwrap()
}

/// The values that numpy and PyTorch computed for MeZO (`tests/golden/mezo.py`).
pub(crate) fn mezo() -> Value {
    serde_json::from_str(include_str!("../golden/mezo/expected.json")).unwrap()
}

/// The values that peft, PyTorch and numpy computed for steps along directions of B, and for Adam (`tests/golden/directions.py`).
pub(crate) fn directions() -> Value {
    serde_json::from_str(include_str!("../golden/directions.json")).unwrap()
}

/// The path of a golden file, for programs that read it from disk.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) fn path(path: &str) -> String {
    format!("{}/tests/golden/{path}", env!("CARGO_MANIFEST_DIR"))
}
