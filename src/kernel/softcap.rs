//! The softcap of logits (Gemma 2, arXiv 2408.00118).

use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("softcap");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Number of elements.
        pub count: u32,
        /// The bound of the result, positive.
        pub cap: f32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    vec![(&KERNEL).into()]
}

/// `x[i] = cap * tanh(x[i] / cap)` for `count` elements.
pub fn record(recording: &mut Recording, x: &Buffer, params: Params) {
    let elements = u64::from(params.count);
    let cost = Cost { work: 20 * elements, bytes: 8 * elements };
    recording.push(&KERNEL, &params, vec![x.into()], super::threads(elements), cost);
}
