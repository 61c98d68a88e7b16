//! One typed wrapper for each file in `shaders/`. The table [`crate::reference::KERNELS`] has the CPU reference of each kernel.
//!
//! A wrapper declares the kernel's uniform as a struct, with the same fields as in the WGSL, and a `record` function that adds one
//! dispatch to a [`Recording`]. It allocates nothing and never touches a device.
//!
//! Activations are `[branch, token, width]` f32 with contiguous rows: element (b, t, c) of a tensor with row stride `stride` is at
//! `(b * tokens + t) * stride + c`. Norm weights and biases are packed into one buffer `[branch, vector_stride]`, materialized for
//! every branch.

pub mod activation;
pub mod attention;
pub mod cross_entropy_block;
pub mod cross_entropy_labels;
pub mod dequantize;
pub mod embedding;
pub mod embedding_perturbed;
pub mod gather_rows;
pub mod glu;
pub mod kv_append;
pub mod layer_norm;
pub mod materialize;
pub mod matmul;
pub mod mean_loss;
pub mod merge;
pub mod multiply_add;
pub mod pack;
pub mod panels;
pub mod pool;
pub mod rms_norm;
pub mod rotary;
pub mod sample;
pub mod short_convolution;
pub mod softcap;
pub mod step;
pub mod storage;

use crate::gpu::{Recording, Variant};

/// The offset of the bias in a uniform if the layer has no bias.
pub const NO_BIAS: u32 = u32::MAX;

/// Declares a kernel, by default as `KERNEL`, from its file in `shaders/`.
macro_rules! kernel {
    ($name:literal) => {
        $crate::kernel::kernel!(KERNEL, $name);
    };
    ($kernel:ident, $name:literal) => {
        #[doc = concat!("The kernel `shaders/", $name, ".wgsl`.")]
        pub static $kernel: $crate::gpu::Kernel = $crate::gpu::Kernel {
            name: $name,
            source: include_str!(concat!("../../shaders/", $name, ".wgsl")),
        };
    };
}
use kernel;

/// Declares a kernel's uniform, and the offsets of its fields for the test that compares them with the WGSL.
macro_rules! uniform {
    (
        $(#[$about:meta])*
        pub struct Params { $($(#[$about_field:meta])* pub $field:ident: $kind:ty,)* }
    ) => {
        $(#[$about])*
        #[repr(C)]
        #[derive(Clone, Copy, Debug, Default, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
        pub struct Params { $($(#[$about_field])* pub $field: $kind,)* }

        /// Name and byte offset of each field of the uniform.
        pub const FIELDS: &[(&str, usize)] =
            &[$((stringify!($field), std::mem::offset_of!(Params, $field))),*];
    };
}
use uniform;

/// What tests need to know about a kernel.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The kernel's variants.
    pub variants: fn() -> Vec<Variant>,
    /// Size of its uniform in bytes.
    pub uniform_bytes: usize,
    /// Name and byte offset of each field of its uniform.
    pub uniform_fields: &'static [(&'static str, usize)],
}

macro_rules! entries {
    ($($kernel:ident),* $(,)?) => {
        /// Every kernel except the matmul ([`crate::gemm::tiles::ENTRY`]), for tests that iterate over all kernels.
        pub const ALL: &[Entry] = &[$(Entry {
            variants: $kernel::variants,
            uniform_bytes: size_of::<$kernel::Params>(),
            uniform_fields: $kernel::FIELDS,
        }),*];
    };
}

entries![
    activation,
    attention,
    cross_entropy_block,
    cross_entropy_labels,
    dequantize,
    embedding,
    embedding_perturbed,
    gather_rows,
    glu,
    kv_append,
    layer_norm,
    materialize,
    mean_loss,
    merge,
    multiply_add,
    pack,
    pool,
    rms_norm,
    rotary,
    sample,
    short_convolution,
    softcap,
];

/// A grid with one workgroup of 64 for every 64 threads, for kernels that use `lib/linear.wgsl`.
fn threads(count: u64) -> [u32; 3] {
    Recording::fold(count.div_ceil(64))
}

/// Rows that a workgroup sums concurrently: `ROWS` of `shaders/lib/row_sum.wgsl`.
const SUMMED_ROWS: u32 = 4;

/// A grid with one workgroup for each row, for kernels that use `lib/linear.wgsl`.
fn groups(rows: u32) -> [u32; 3] {
    Recording::fold(u64::from(rows))
}
