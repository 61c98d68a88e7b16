//! Updates that are known but not applied yet, and the step parameters for the device.

use super::random::{Distribution, scaled};
use crate::kernel::step::{self, Branch, MAX_BRANCHES, MAX_UPDATES, Step};

/// A step along one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// Key of the direction.
    pub key: [u32; 2],
    /// The factor of z: -(learning rate * projected gradient / probes).
    pub coefficient: f32,
    /// The distribution of z.
    pub distribution: Distribution,
    /// The factor by which tensors with weight decay are multiplied first: 1 - learning rate * weight decay.
    pub decay: f32,
    /// In the last update of a step, the key for rounding weights that are narrower than f32.
    pub rounding: Option<[u32; 2]>,
}

/// What the device adds in a step: the pending updates (at most [`MAX_UPDATES`]), and then epsilon times the direction of each branch.
pub fn step(pending: &[Update], branches: &[Branch], epsilon: f32, distribution: Distribution) -> Step {
    let mut header = step::Header { count: pending.len().min(MAX_UPDATES) as u32, ..Default::default() };
    for (slot, update) in header.updates.iter_mut().zip(pending) {
        *slot = step::Update {
            key: update.key,
            rounding: update.rounding.unwrap_or_default(),
            decay: update.decay,
            rounds: update.rounding.is_some().into(),
        };
    }
    for (slot, branch) in header.branches.iter_mut().zip(&branches[..branches.len().min(MAX_BRANCHES)]) {
        *slot = *branch;
    }
    let mut tables = Vec::new();
    if !pending.is_empty() || !branches.is_empty() {
        tables.push(scaled(distribution, epsilon));
        tables.extend(pending.iter().take(MAX_UPDATES).map(|u| scaled(u.distribution, u.coefficient)));
    }
    Step { header, tables }
}

/// A step that applies the pending updates without a forward pass.
pub fn apply(pending: &[Update]) -> Step {
    step(pending, &[], 0.0, Distribution::Gaussian)
}
