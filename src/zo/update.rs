//! Updates that have been decided and not yet applied, and the step that the device is given.

use super::random::{Distribution, scaled};
use crate::kernel::step::{self, Branch, MAX_BRANCHES, MAX_UPDATES, Step};

/// One direction to go along, and how far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// Key of the direction.
    pub key: [u32; 2],
    /// What z is multiplied by: -(learning rate * projected gradient / probes).
    pub coefficient: f32,
    /// What z is made of.
    pub distribution: Distribution,
    /// What decaying tensors are multiplied by first: 1 - learning rate * weight decay.
    pub decay: f32,
    /// After a step's last update, the key that weights of less than f32 are rounded with.
    pub rounding: Option<[u32; 2]>,
}

/// What the device adds in a step: the pending updates (at most [`MAX_UPDATES`]), then epsilon along each branch's direction.
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

/// Pending updates alone, to be applied without a pass.
pub fn apply(pending: &[Update]) -> Step {
    step(pending, &[], 0.0, Distribution::Gaussian)
}
