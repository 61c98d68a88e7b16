//! Floor 3: one typed wrapper for each file in `shaders/`, with the CPU twin of the same name in [`crate::reference`].
//!
//! A wrapper has the kernel's uniform as a struct, field by field what the WGSL declares, and a `record` that
//! adds one dispatch to a [`Recording`](crate::gpu::Recording). It allocates nothing and never touches a device.
//!
//! Activations are `[branch, token, width]` f32, rows laid end to end: element (b, t, c) of a tensor whose rows are
//! `stride` apart stands at `(b * tokens + t) * stride + c`. Small parameters (norm weights, biases) are
//! `[branch, vector_stride]`: all of the model's vectors side by side, formed for every branch.

pub mod activation;
pub mod append_rows;
pub mod attention;
pub mod cross_entropy_block;
pub mod cross_entropy_labels;
pub mod dequantize;
pub mod embedding;
pub mod gated;
pub mod gather_rows;
pub mod layer_norm;
pub mod layout;
pub mod lookup;
pub mod materialise;
pub mod matmul;
pub mod mean_loss;
pub mod merge;
pub mod multiply_add;
pub mod pack;
pub mod rms_norm;
pub mod rotary;
pub mod sample;
pub mod step;
pub mod storage;
pub mod tiles;
pub mod tuner;

use crate::gpu::{Recording, Variant};

/// In a uniform, in the place of a vector's offset: the model has no such vector.
pub const NO_VECTOR: u32 = u32::MAX;

/// Declares a kernel's uniform, and its fields' offsets for the test that holds them against the WGSL.
macro_rules! uniform {
    (
        $(#[$about:meta])*
        pub struct Params { $($(#[$about_field:meta])* pub $field:ident: $kind:ty,)* }
    ) => {
        $(#[$about])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, bytemuck::Pod, bytemuck::Zeroable)]
        pub struct Params { $($(#[$about_field])* pub $field: $kind,)* }

        /// Name and byte offset of each field of the uniform.
        pub const FIELDS: &[(&str, usize)] =
            &[$((stringify!($field), std::mem::offset_of!(Params, $field))),*];
    };
}
use uniform;

/// A kernel as tests see it.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Its variants.
    pub variants: fn() -> Vec<Variant>,
    /// Bytes of its uniform.
    pub uniform_bytes: usize,
    /// Name and byte offset of each field of its uniform.
    pub uniform_fields: &'static [(&'static str, usize)],
}

macro_rules! entries {
    ($($kernel:ident),* $(,)?) => {
        /// Every kernel, for tests that go over all of them.
        pub const ALL: &[Entry] = &[$(Entry {
            variants: $kernel::variants,
            uniform_bytes: size_of::<$kernel::Params>(),
            uniform_fields: $kernel::FIELDS,
        }),*];
    };
}

entries![
    activation,
    append_rows,
    attention,
    cross_entropy_block,
    cross_entropy_labels,
    dequantize,
    embedding,
    gated,
    gather_rows,
    layer_norm,
    lookup,
    materialise,
    matmul,
    mean_loss,
    merge,
    multiply_add,
    pack,
    rms_norm,
    rotary,
    sample,
];

/// A grid with one workgroup of 64 for every 64 threads, for kernels that use `lib/linear.wgsl`.
fn threads(count: u64) -> [u32; 3] {
    Recording::fold(count.div_ceil(64))
}

/// Rows that a workgroup sums side by side: `ROWS` of `shaders/lib/row_sum.wgsl`.
const SUMMED_ROWS: u32 = 4;

/// A grid with one workgroup a row, for kernels that use `lib/linear.wgsl`.
fn groups(rows: u32) -> [u32; 3] {
    Recording::fold(u64::from(rows))
}
