//! Number formats in which weights are stored. [`Format::ALL`] is the table of them, from which every list of formats in the crate
//! is derived.
//!
//! The block formats are ggml's: the elements of a block share a scale. Decoding follows ggml's `dequantize_row_*` operation by
//! operation, in f32 and without fused multiply-adds, so that the results are bit-equal to those of llama.cpp and of the `gguf`
//! Python package.

mod decode;
mod encode;
mod format;
#[cfg(test)]
mod tests;

use std::fmt;

pub use format::{DType, Decode, Device, Encode, Format};

use crate::error::{Result, bail, err};

impl DType {
    /// The format's entry in the table.
    pub fn format(self) -> &'static Format {
        &Format::ALL[self as usize]
    }

    /// The format with this option name, as in `--dtype q8`.
    ///
    /// # Errors
    /// `invalid-argument` listing the known names.
    pub fn named(name: &str) -> Result<DType> {
        let format = Format::ALL.iter().find(|format| format.options.contains(&name));
        format.map(|format| format.dtype).ok_or_else(|| {
            let names: Vec<&str> = Format::options().collect();
            err!(InvalidArgument, "dtype {name:?}: expected one of {}", names.join(", "))
        })
    }

    /// The option name of the format. For BF16, which no device stores, it is that of the format that replaces it.
    pub fn option(self) -> &'static str {
        self.format().options.first().unwrap_or(&"f32")
    }

    /// Elements per block; 1 for formats without blocks.
    pub fn block_len(self) -> usize {
        self.format().block_len
    }

    /// Bytes per block.
    pub fn block_bytes(self) -> usize {
        self.format().block_bytes
    }

    /// Bytes needed for `elements` elements.
    ///
    /// # Errors
    /// `invalid-argument` if `elements` is not a whole number of blocks or the size overflows.
    pub fn bytes_for(self, elements: u64) -> Result<u64> {
        let block = self.block_len() as u64;
        if !elements.is_multiple_of(block) {
            bail!(InvalidArgument, "{self}: expected a multiple of {block} elements, found {elements}");
        }
        match (elements / block).checked_mul(self.block_bytes() as u64) {
            Some(bytes) => Ok(bytes),
            None => bail!(InvalidArgument, "{self}: the size of {elements} elements overflows 64 bits"),
        }
    }

    /// The name of the format in safetensors and ggml.
    pub fn name(self) -> &'static str {
        self.format().name
    }

    /// Whether the elements of a block share a scale.
    pub fn is_quantized(self) -> bool {
        self.block_len() > 1
    }

    /// Decodes `bytes` to f32. `bytes` and `out` should have the same whole number of blocks. Otherwise, as many blocks as fit in
    /// both are decoded, and the rest of `out` is unchanged.
    pub fn dequantize(self, bytes: &[u8], out: &mut [f32]) {
        (self.format().decode)(bytes, out);
    }

    /// Encodes `values`, whole blocks of finite numbers. Values beyond the range of f16 become infinite in [`DType::F16`], so the
    /// caller must reject them.
    ///
    /// # Errors
    /// `invalid-argument` for a format that can only be read.
    pub fn quantize(self, values: &[f32]) -> Result<Vec<u8>> {
        let Some(encode) = self.format().encode else {
            bail!(InvalidArgument, "{}", self.cannot_encode());
        };
        let mut bytes = Vec::with_capacity(values.len() / self.block_len() * self.block_bytes());
        encode(values, &mut bytes);
        Ok(bytes)
    }

    /// The message that weights cannot be converted to this format.
    pub(crate) fn cannot_encode(self) -> String {
        let others: Vec<&str> = Format::ALL
            .iter()
            .filter(|format| format.encode.is_some())
            .filter_map(|format| format.options.first().copied())
            .collect();
        let (option, others) = (self.option(), others.join(", "));
        format!(
            "weights cannot be converted to {option}, which can only be read from a file that has such blocks; use one of {others}"
        )
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
