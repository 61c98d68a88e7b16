//! Attention over spans of visible keys, with grouped heads.

use crate::error::{Result, bail};
use crate::gpu::{Buffer, Cost, Kernel, Recording, Variant};

super::kernel!("attention");
super::kernel!(REGISTERS, "attention_registers");
super::kernel!(DECODE, "attention_decode");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Tokens of a branch.
        pub tokens: u32,
        /// Query heads.
        pub heads: u32,
        /// Key and value heads, a divisor of `heads`.
        pub kv_heads: u32,
        /// Columns of a row of `query`.
        pub q_stride: u32,
        /// Rows of a branch in `key_value`.
        pub kv_rows: u32,
        /// Columns of a row of `key_value`.
        pub kv_stride: u32,
        /// Column where the key heads begin.
        pub k_column: u32,
        /// Column where the value heads begin.
        pub v_column: u32,
        /// The factor of the scores, usually 1 / sqrt(head_dim).
        pub scale: f32,
        /// Number of keys that tokens see before their spans; 0 without a prefix.
        pub prefix_rows: u32,
        /// Elements of a branch in `prefix`.
        pub prefix_stride: u32,
        /// The first element of the prefix's keys within a branch, `[prefix_rows, kv_heads * head_dim]`.
        pub prefix_key: u32,
        /// The first element of the prefix's values within a branch.
        pub prefix_value: u32,
        /// Scores s become softcap * tanh(s / softcap); 0 for no softcap.
        pub softcap: f32,
        /// Number of keys that a token sees at most, those of the prefix included; 0 if there is no limit. The spans already obey it;
        /// it limits the rows of the prefix.
        pub window: u32,
        /// Distances of a key from a query have values if they are less than this in both directions; 0 without relative positions.
        pub reach: u32,
    }
}

impl Params {
    /// Number of distances that have values.
    pub(crate) fn distances(&self) -> usize {
        (2 * self.reach as usize).saturating_sub(1)
    }

    /// The row of the values for the distance of a key from a token.
    pub(crate) fn distance(&self, token: usize, key: usize) -> usize {
        (key + self.reach as usize - 1).saturating_sub(token)
    }

    /// The first row of the prefix that a token with this span sees. The prefix stands in front of the token's sequence, so a token
    /// whose span is as long as the window sees nothing of it.
    pub(crate) fn first_in_prefix(&self, [first, end]: [u32; 2]) -> u32 {
        match self.window {
            0 => 0,
            window => (self.prefix_rows + (end - first)).saturating_sub(window).min(self.prefix_rows),
        }
    }
}

/// How scores depend on the distance of a key from its query.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Relative {
    /// They do not.
    #[default]
    None,
    /// Each head adds a bias.
    Bias,
    /// Disentangled attention (He et al. 2020, arXiv 2006.03654): the score is scale * (q k + q k' + q' k), where q' and k' are the
    /// distance's query and key.
    Disentangled,
}

/// The parts of attention that a model or an adapter may have.
#[derive(Clone, Copy, Debug, Default)]
struct Extras {
    prefixed: bool,
    capped: bool,
    relative: Relative,
}

/// Variants with head sizes of every kind, with and without a prefix and a softcap, and with relative positions of each kind.
pub fn variants() -> Vec<Variant> {
    let head_dims =
        [("attention_vec4", 64), ("attention_vec4", 256), ("attention_scalar", 1), ("attention_scalar", 65)];
    let of = |(kernel, relative, prefixed, capped): (&'static Kernel, _, _, _)| {
        let most = if kernel.name == REGISTERS.name { MOST_IN_REGISTERS } else { MAX_HEAD_DIM };
        let extras = Extras { prefixed, capped, relative };
        head_dims.map(|(access, head_dim)| variant(kernel, access, head_dim.min(most), extras))
    };
    let kernels = [&KERNEL, &REGISTERS, &DECODE].into_iter().flat_map(|kernel| {
        [
            (kernel, Relative::None, false, false),
            (kernel, Relative::None, true, false),
            (kernel, Relative::None, false, true),
            (kernel, Relative::None, true, true),
            (kernel, Relative::Bias, false, false),
        ]
    });
    let disentangled = [&KERNEL, &DECODE].map(|kernel| (kernel, Relative::Disentangled, false, false));
    kernels.chain(disentangled).flat_map(of).collect()
}

/// The tensors. `query` and `key_value` may be the same fused projection.
#[derive(Clone, Copy, Debug)]
pub struct Tensors<'a> {
    /// `[branch, token, q_stride]` f32, head h at column `h * head_dim`.
    pub query: &'a Buffer,
    /// `[branch, kv_rows, kv_stride]` f32.
    pub key_value: &'a Buffer,
    /// `[token]` of two u32: the range of rows of `key_value` that a token sees, first and end.
    pub spans: &'a Buffer,
    /// `[branch, prefix_stride]` f32: an adapter's tensors, packed. Any buffer if there is no prefix.
    pub prefix: &'a Buffer,
    /// f32, with the row `reach - 1 + key - query` for each distance: biases `[branch, 2 reach - 1, heads]`, or queries and then keys
    /// `[branch, 2 reach - 1, 2 * heads * head_dim]`. Any buffer without relative positions.
    pub distances: &'a Buffer,
    /// `[branch, token, heads * head_dim]` f32, written.
    pub output: &'a Buffer,
}

/// The arguments that are not in the uniform.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Number of branches.
    pub branches: u32,
    /// Columns of a head, at most [`MAX_HEAD_DIM`].
    pub head_dim: u32,
    /// Whether attention over many tokens keeps its output in registers, instead of in workgroup memory.
    pub in_registers: bool,
    /// The total length of all spans, without the prefix.
    pub visible: u64,
    /// How scores depend on distances.
    pub relative: Relative,
}

/// Maximum columns of a head: a workgroup of 64 holds one head in chunks of 4 columns.
pub const MAX_HEAD_DIM: u32 = 256;

/// Maximum columns of a head whose outputs one invocation keeps in registers: they take half of the 8,192 bytes of variables that
/// WebGPU allows.
const MOST_IN_REGISTERS: u32 = 128;

/// Maximum number of tokens for which one workgroup per token is faster than one per 32 tokens, most of which would be missing.
const FEW_TOKENS: u32 = 4;

/// `output[b, t, h] = softmax(softcap(scale * q k^T) + distances) v` over the rows of the prefix and the keys in the token's span.
///
/// # Errors
/// `model-unsupported` if `head_dim` is 0 or above [`MAX_HEAD_DIM`], or if `kv_heads` does not divide `heads`.
pub fn record(recording: &mut Recording, tensors: Tensors<'_>, shape: Shape, params: Params) -> Result<()> {
    let (heads, kv_heads) = (params.heads, params.kv_heads);
    if shape.head_dim == 0 || shape.head_dim > MAX_HEAD_DIM {
        bail!(ModelUnsupported, "attention: head size {}, expected 1 to {MAX_HEAD_DIM}", shape.head_dim);
    }
    if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
        bail!(ModelUnsupported, "attention: {heads} heads cannot share {kv_heads} key and value heads");
    }
    let columns = [shape.head_dim, params.q_stride, params.kv_stride, params.k_column, params.v_column];
    let places = [params.prefix_stride, params.prefix_key, params.prefix_value];
    let access = match columns.iter().chain(&places).all(|c| c.is_multiple_of(4)) {
        true => "attention_vec4",
        false => "attention_scalar",
    };
    let (kernel, columns) = match params.tokens {
        0..=FEW_TOKENS => (&DECODE, params.tokens),
        many if shape.in_registers && fits_registers(shape) => (&REGISTERS, many.div_ceil(128)),
        _ => (&KERNEL, params.tokens.div_ceil(32)),
    };
    let grid = [columns, heads, shape.branches];
    let Tensors { query, key_value, spans, prefix, distances, output } = tensors;
    let bindings = [query, key_value, spans, prefix, distances, output].map(Into::into).to_vec();
    let visible = shape.visible + u64::from(params.tokens) * u64::from(params.prefix_rows);
    let [heads, kv_heads, size, branches] = [heads, kv_heads, shape.head_dim, shape.branches].map(u64::from);
    let rows = u64::from(params.kv_rows) + u64::from(params.prefix_rows);
    // With disentangled attention, a score is the sum of three products, each of a multiplication and an addition.
    let operations = if shape.relative == Relative::Disentangled { 8 } else { 4 };
    let cost = Cost {
        work: operations * visible * heads * size * branches,
        bytes: 8 * branches * size * (heads * u64::from(params.tokens) + kv_heads * rows),
    };
    let extras =
        Extras { prefixed: params.prefix_rows > 0, capped: params.softcap > 0.0, relative: shape.relative };
    let variant = variant(kernel, access, shape.head_dim, extras);
    recording.push(variant, &params, bindings, grid, cost);
    Ok(())
}

/// Whether attention can keep its outputs in registers. Its code computes 32 vectors of scores in a row, in each of which the
/// distances of disentangled attention need a loop, so that compilers would take minutes.
fn fits_registers(shape: Shape) -> bool {
    shape.head_dim <= MOST_IN_REGISTERS && shape.relative != Relative::Disentangled
}

fn variant(kernel: &'static Kernel, access: &'static str, head_dim: u32, extras: Extras) -> Variant {
    let Extras { prefixed, capped, relative } = extras;
    let variant = Variant::from(kernel).provide("access", access).constant("HEAD_DIM", head_dim);
    let variant = variant.constant("PREFIXED", prefixed.into()).constant("CAPPED", capped.into());
    variant.constant("RELATIVE", relative as u32)
}

impl Relative {
    /// The kind of a variant's constant.
    pub(crate) fn of(constant: Option<u32>) -> Relative {
        let kinds = [Relative::None, Relative::Bias, Relative::Disentangled];
        constant.and_then(|kind| kinds.get(kind as usize).copied()).unwrap_or_default()
    }
}
