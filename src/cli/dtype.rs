//! The flag for the storage format of the weights.

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};

use crate::dtype::{DType, Format};
use crate::error::Result;
use crate::train::dtype;

/// The storage format of the matrices.
#[derive(Args, Clone, Debug)]
pub(super) struct DtypeArgs {
    /// Storage format of the matrices. If it is a block format, blocks in a GGUF file are kept unchanged.
    /// Weights can be converted to f16, q8, q4 and q4_1; the other block formats can only be read
    #[arg(long, value_parser = formats(), default_value = "f32")]
    dtype: String,
}

impl DtypeArgs {
    pub(super) fn dtype(&self) -> Result<DType> {
        dtype(&self.dtype)
    }
}

/// The available storage formats.
fn formats() -> PossibleValuesParser {
    let formats = Format::ALL.iter().filter_map(|format| format.options.split_first());
    formats.map(|(name, aliases)| PossibleValue::new(*name).aliases(aliases)).collect::<Vec<_>>().into()
}
