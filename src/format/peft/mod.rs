//! Adapters as Hugging Face's `peft` saves and loads them: a directory of `adapter_config.json` and
//! `adapter_model.safetensors`.
//!
//! - LoRA: for each adapted linear layer, `base_model.model.<module>.lora_A.weight` `[r, inputs]` and `lora_B` `[outputs, r]`;
//!   y += scale * B (A x). The layer's weight is the base model's tensor `<module>.weight`.
//! - Prefix tuning: one tensor `prompt_embeddings` `[virtual tokens, layers * 2 * kv_heads * head_dim]`: of a row, the keys of layer 0,
//!   its values, the keys of layer 1, and so on. They stand before every sequence as earlier tokens in a cache would: keys
//!   without rotation, the positions of the real tokens shifted by their number, seen by every token (also of a
//!   bidirectional model).
//!
//! [`tensors`] lists an adapter's tensors in the order that both directions keep.

mod config;
mod module;
mod read;
#[cfg(test)]
#[cfg(not(target_arch = "wasm32"))] // the tests block on futures
mod tests;
mod write;

pub use config::{AdapterConfig, Lora, Method, Prefix};
pub use module::Module;
pub use read::Adapter;
pub use write::AdapterWriter;

use crate::error::{Result, err};

/// The name of an adapter's settings.
pub const CONFIG_FILE: &str = "adapter_config.json";

/// The name of an adapter's weights.
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";

/// The `task_type` of a causal model's adapter.
pub const CAUSAL_LM: &str = "CAUSAL_LM";

/// The `task_type` that `peft` runs prefixes of masked models under; it has none of their own.
pub const FEATURE_EXTRACTION: &str = "FEATURE_EXTRACTION";

/// What stands before a module's path in a LoRA file.
const ROOT: &str = "base_model.model.";

/// The tensor of a prefix.
const PROMPT: &str = "prompt_embeddings";

/// What of the base model an adapter has to fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// The linear layers that may be adapted, in the order of the computation.
    pub linears: Vec<Module>,
    /// Layers.
    pub layers: u64,
    /// Heads of keys and values.
    pub kv_heads: u64,
    /// Columns of a token's keys in one layer: `kv_heads * head_dim`.
    pub kv_width: u64,
}

/// One tensor of an adapter, `[rows, width]`, and where it lies in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterTensor {
    /// The file's tensor that it is, or is a part of.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Columns.
    pub width: u64,
    /// The column of the file's tensor where it begins.
    first_column: u64,
    /// Columns of the file's tensor.
    columns: u64,
}

/// The tensors of an adapter in their order: A and B of each of `modules`, or keys and values of each layer.
///
/// # Errors
/// `invalid-argument` where a size overflows.
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
            let pair = |module| {
                [
                    whole(module, "lora_A", lora.rank, module.inputs),
                    whole(module, "lora_B", module.outputs, lora.rank),
                ]
            };
            Ok(modules.iter().flat_map(pair).collect())
        }
        Method::Prefix(prefix) => {
            let columns = prefix.columns().ok_or_else(|| {
                err!(
                    InvalidArgument,
                    "a prefix of {} layers of width {}: the size overflows",
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
