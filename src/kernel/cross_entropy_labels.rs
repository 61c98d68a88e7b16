//! Cross-entropy over a few label words.

use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("cross_entropy_labels");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Branches times targets.
        pub rows: u32,
        /// Number of targets in each branch.
        pub rows_per_branch: u32,
        /// Number of label words.
        pub labels: u32,
        /// Offset in `vectors` of the vocabulary's bias, or [`NO_BIAS`](super::NO_BIAS).
        pub bias: u32,
        /// Elements of a branch in `vectors`.
        pub vector_stride: u32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    vec![(&KERNEL).into()]
}

/// The tensors.
#[derive(Clone, Copy, Debug)]
pub struct Tensors<'a> {
    /// `[branch, target, label]` f32, without the label words' biases, which the kernel adds.
    pub logits: &'a Buffer,
    /// `[branch, vector_stride]` f32.
    pub vectors: &'a Buffer,
    /// `[label]` u32: each label word's token.
    pub label_ids: &'a Buffer,
    /// `[target]` u32: the correct label.
    pub targets: &'a Buffer,
    /// `[branch, target]` f32, written.
    pub loss: &'a Buffer,
    /// `[branch, target]` u32, written: the label with the largest logit.
    pub prediction: &'a Buffer,
}

/// `loss = log(sum of exp(logits + bias)) - (logits + bias)[target]`.
pub fn record(recording: &mut Recording, tensors: Tensors<'_>, params: Params) {
    let Tensors { logits, vectors, label_ids, targets, loss, prediction } = tensors;
    let bindings = [logits, vectors, label_ids, targets, loss, prediction].map(Into::into).to_vec();
    let logits = u64::from(params.rows) * u64::from(params.labels);
    let cost = Cost { work: 10 * logits, bytes: 4 * logits };
    recording.push(&KERNEL, &params, bindings, super::threads(u64::from(params.rows)), cost);
}
