//! What a step adds to the weights, as the kernels read it: `struct Step` of `shaders/lib/perturb.wgsl`.

use bytemuck::{Pod, Zeroable};

/// Half-normal quantiles in the table of the Gaussian.
pub const QUANTILES: usize = 2048;

/// The most branches that one step may have.
pub const MAX_BRANCHES: usize = 16;

/// What one branch sees: the weights as they are, or moved along +z or -z.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Branch {
    /// Threefry key of (seed, step, probe).
    pub key: [u32; 2],
    /// 0, or `0x8000_0000` for -z.
    pub sign: u32,
    /// 1 where the branch is perturbed.
    pub perturbed: u32,
}

impl Branch {
    /// The branch that sees the weights as they are.
    pub const PLAIN: Branch = Branch { key: [0; 2], sign: 0, perturbed: 0 };
}

/// The pending update and the branches of a step. Written to the device once a step; all zeros: one plain branch.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct Step {
    /// Threefry key of the pending update's (seed, step, probe).
    pub update_key: [u32; 2],
    /// 1 where an update is pending.
    pub update: u32,
    /// What the pending update first multiplies decaying tensors by: 1 - learning rate * weight decay.
    pub decay: f32,
    /// Always 0.
    pub zero: u32,
    padding: u32,
    /// What each branch sees.
    pub branches: [Branch; MAX_BRANCHES],
    /// Epsilon times each quantile.
    pub perturbation: [f32; QUANTILES],
    /// The pending update's coefficient, -(learning rate * projected gradient), times each quantile.
    pub coefficient: [f32; QUANTILES],
}

impl Step {
    /// One plain branch and no update: evaluation.
    pub fn plain() -> Box<Step> {
        bytemuck::zeroed_box()
    }
}
