//! Mean of the losses of each branch.

use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("mean_loss");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Number of losses in a branch.
        pub count: u32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    vec![(&KERNEL).into()]
}

/// `mean[b] = (sum over n of loss[b, n]) / count`: loss `[branch, count]`, mean `[branch]`.
pub fn record(recording: &mut Recording, loss: &Buffer, mean: &Buffer, branches: u32, count: u32) {
    let losses = u64::from(branches) * u64::from(count);
    let cost = Cost { work: losses, bytes: 4 * losses };
    let bindings = vec![loss.into(), mean.into()];
    recording.push(&KERNEL, &Params { count }, bindings, [branches, 1, 1], cost);
}
