//! Writes a LoRA adapter in the form that llama.cpp loads (`--lora`), in the layout of its `convert_lora_to_gguf.py`: the factors
//! of the matrix `blk.0.attn_q.weight` are `blk.0.attn_q.weight.lora_a` `[r, inputs]` and `.lora_b` `[outputs, r]`, in f32.
//! llama.cpp computes y += alpha / r * B (A x).

use super::architecture::Architecture;
use crate::error::{Result, bail};

/// The GGUF version to write.
const VERSION: u32 = 3;

/// The alignment of tensors in bytes, which is GGUF's default.
const ALIGNMENT: usize = 32;

/// Types of metadata values.
const FLOAT32: u32 = 6;
const STRING: u32 = 8;

/// `ggml_type` of f32.
const F32: u32 = 0;

/// The factors of one linear layer.
#[derive(Clone, Debug)]
pub struct LoraPair {
    /// The layer's path in Hugging Face's names, such as `model.layers.0.self_attn.q_proj`.
    pub path: String,
    /// A `[rank, inputs]`.
    pub a: Vec<f32>,
    /// B `[outputs, rank]`.
    pub b: Vec<f32>,
}

/// The base model of an adapter.
#[derive(Clone, Copy, Debug)]
pub struct LoraBase<'a> {
    /// `model_type` of its `config.json`.
    pub model_type: &'a str,
    /// Number of query heads.
    pub heads: u32,
    /// Number of key and value heads.
    pub kv_heads: u32,
}

impl LoraBase<'_> {
    fn architecture(&self) -> Option<&'static Architecture> {
        Architecture::of_model_type(self.model_type)
    }

    /// Whether the model has a llama.cpp architecture that this module knows.
    pub fn is_known(&self) -> bool {
        self.architecture().is_some()
    }

    /// Returns the adapter with this rank and alpha as a GGUF file.
    ///
    /// # Errors
    /// `model-unsupported` if the architecture or one of its layers is not known.
    pub fn write(&self, rank: u32, alpha: f32, pairs: &[LoraPair]) -> Result<Vec<u8>> {
        let Some(architecture) = self.architecture() else {
            bail!(
                ModelUnsupported,
                "an adapter of model type {:?} cannot be written as GGUF: llama.cpp's names for it are not known",
                self.model_type
            );
        };
        let mut header = b"GGUF".to_vec();
        header.extend(VERSION.to_le_bytes());
        header.extend((2 * pairs.len() as u64).to_le_bytes());
        header.extend(4_u64.to_le_bytes());
        for (key, value) in [
            ("general.architecture", architecture.name),
            ("general.type", "adapter"),
            ("adapter.type", "lora"),
        ] {
            string(&mut header, key);
            header.extend(STRING.to_le_bytes());
            string(&mut header, value);
        }
        string(&mut header, "adapter.lora.alpha");
        header.extend(FLOAT32.to_le_bytes());
        header.extend(alpha.to_le_bytes());

        let mut data: Vec<u8> = Vec::new();
        let mut tensor = |name: String, values: &[f32], columns: usize| {
            string(&mut header, &name);
            header.extend(2_u32.to_le_bytes());
            // The contiguous dimension comes first.
            header.extend((columns as u64).to_le_bytes());
            header.extend((values.len().checked_div(columns).unwrap_or(0) as u64).to_le_bytes());
            header.extend(F32.to_le_bytes());
            header.extend((data.len() as u64).to_le_bytes());
            data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
            data.resize(data.len().next_multiple_of(ALIGNMENT), 0);
        };
        let rank = rank as usize;
        for LoraPair { path, a, b } in pairs {
            let Some(name) = architecture.gguf(path) else {
                bail!(
                    ModelUnsupported,
                    "{path}: llama.cpp's architecture {} has no such layer",
                    architecture.name
                );
            };
            tensor(format!("{name}.weight.lora_a"), a, a.len() / rank.max(1));
            let heads = match name.rsplit('.').next() {
                Some("attn_q") if architecture.interleaved => self.heads,
                Some("attn_k") if architecture.interleaved => self.kv_heads,
                _ => 0,
            };
            let by_head = architecture.by_head.is_some_and(|module| name.rsplit('.').next() == Some(module));
            let b = match heads {
                0 if by_head => &parts_together(b, self.heads as usize),
                0 => b,
                heads => &interleaved(b, rank, heads as usize),
            };
            tensor(format!("{name}.weight.lora_b"), b, rank);
        }
        header.resize(header.len().next_multiple_of(ALIGNMENT), 0);
        header.extend(data);
        Ok(header)
    }
}

/// Appends a string in GGUF's encoding.
fn string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

/// The rows of B in llama.cpp's order, which has all queries first, then all keys, then all values, instead of each head's together.
fn parts_together(b: &[f32], heads: usize) -> Vec<f32> {
    let part = b.len() / (3 * heads).max(1);
    let rows = (0..3).flat_map(|which| (0..heads).map(move |head| (head * 3 + which) * part));
    rows.flat_map(|first| b[first..first + part].iter().copied()).collect()
}

/// The rows of B in llama.cpp's order, in which the two halves of a head's rotary dimensions alternate.
fn interleaved(b: &[f32], rank: usize, heads: usize) -> Vec<f32> {
    let rows = b.len() / rank.max(1);
    let (head, half) = (rows / heads, rows / heads / 2);
    let row = |to: usize| {
        let (first, within) = (to / head * head, to % head);
        &b[(first + within % 2 * half + within / 2) * rank..][..rank]
    };
    (0..rows).flat_map(row).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::parts_together;

    #[test]
    fn rows_by_head_become_queries_then_keys_then_values() {
        // Two heads of one row, of rank 2.
        let by_head = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5];
        let together = [0.0, 0.5, 3.0, 3.5, 1.0, 1.5, 4.0, 4.5, 2.0, 2.5, 5.0, 5.5];
        assert_eq!(parts_together(&by_head, 2), together);
    }
}
