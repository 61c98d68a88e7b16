//! Adapters in the format of Hugging Face's `peft`: a directory with `adapter_config.json` and
//! `adapter_model.safetensors`.
//!
//! - LoRA: each adapted linear layer has the tensors `base_model.model.<module>.lora_A.weight` `[r, inputs]` and `lora_B`
//!   `[outputs, r]`, and computes y += scale * B (A x). Modules can have individual ranks and scales. The layer's own weight is the
//!   base model's tensor `<module>.weight`.
//! - Prefix tuning: there is one tensor `prompt_embeddings`
//!   `[virtual tokens, layers * 2 * kv_heads * head_dim]`. A row has the keys of layer 0, its
//!   values, the keys of layer 1, and so on. The prefix precedes every sequence like earlier tokens
//!   in a cache: its keys are not rotated, the positions of the real tokens are shifted by its
//!   length, and every token attends to it, also in a bidirectional model.
//!
//! [`tensors`] lists the tensors of an adapter in the order in which they are read and written.

mod config;
mod module;
mod read;
#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))] // the tests block on futures
mod tests;
mod write;

pub use config::{AdapterConfig, Lora, Method, Prefix, Saved, module_of};
pub use module::Module;
pub use read::Adapter;
pub use write::AdapterWriter;

use crate::error::{Result, err};

/// The file name of an adapter's settings.
pub const CONFIG_FILE: &str = "adapter_config.json";

/// The file name of an adapter's weights.
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";

/// The file name of an adapter's weights before October 2023. It is read if there is no other.
pub const PICKLE_FILE: &str = "adapter_model.bin";

/// The `task_type` of a causal model's adapter.
pub const CAUSAL_LM: &str = "CAUSAL_LM";

/// The `task_type` of a model without a head, and of a masked model's prefix. `peft` has no separate task type for masked models.
pub const FEATURE_EXTRACTION: &str = "FEATURE_EXTRACTION";

/// The `task_type` of an adapter of a `*ForSequenceClassification` class.
pub const SEQ_CLS: &str = "SEQ_CLS";

/// The prefix of a module's path in the tensor names of a LoRA file.
const ROOT: &str = "base_model.model.";

/// The name of the tensor of a prefix.
const PROMPT: &str = "prompt_embeddings";

/// The properties of the base model that an adapter must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The linear layers that can be adapted, in order of computation.
    pub linears: Vec<Module>,
    /// Number of layers.
    pub layers: u64,
    /// Number of key and value heads.
    pub kv_heads: u64,
    /// Width of a token's keys in one layer: `kv_heads * head_dim`.
    pub kv_width: u64,
}

/// One tensor of an adapter, `[rows, width]`, and its place in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterTensor {
    /// The name of the tensor in the file. The adapter's tensor can be a part of it.
    pub name: String,
    /// Number of rows.
    pub rows: u64,
    /// Number of columns.
    pub width: u64,
    /// The column of the file's tensor at which the adapter's tensor begins.
    first_column: u64,
    /// Number of columns of the file's tensor.
    columns: u64,
}

/// The tensors of an adapter in order: A and B of each of `modules`, or the keys and values of each
/// layer.
///
/// # Errors
/// `invalid-argument` if a size overflows.
pub fn tensors(method: &Method, modules: &[Module]) -> Result<Vec<AdapterTensor>> {
    match method {
        Method::Lora(lora) => {
            let whole = |module: &Module, part, rows, width| AdapterTensor {
                name: format!("{ROOT}{}.{part}.weight", module.path),
                rows,
                width,
                first_column: 0,
                columns: width,
            };
            let pair = |module: &Module| {
                let rank = lora.rank_of(&module.path);
                [whole(module, "lora_A", rank, module.inputs), whole(module, "lora_B", module.outputs, rank)]
            };
            Ok(modules.iter().flat_map(pair).collect())
        }
        Method::Prefix(prefix) => {
            let columns = prefix.columns().ok_or_else(|| {
                err!(
                    InvalidArgument,
                    "the size of a prefix of {} layers of width {} overflows",
                    prefix.layers,
                    prefix.width
                )
            })?;
            let part = |i| AdapterTensor {
                name: PROMPT.to_owned(),
                rows: prefix.tokens,
                width: prefix.width,
                first_column: i * prefix.width,
                columns,
            };
            Ok((0..2 * prefix.layers).map(part).collect())
        }
    }
}
