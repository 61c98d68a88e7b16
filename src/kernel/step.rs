//! What a step adds to the weights, as the kernels read it: `struct Step` of `shaders/lib/perturb.wgsl`.

use bytemuck::{Pod, Zeroable};

use crate::rng::Table;

/// The most branches that one step may have.
pub const MAX_BRANCHES: usize = 16;

/// The most updates that one pass over the weights applies.
pub const MAX_UPDATES: usize = 16;

/// In the place of a tensor's ordinal: the tensor is frozen.
pub const FROZEN: u32 = u32::MAX;

/// Bytes of the largest step.
pub const MAX_BYTES: u64 = (size_of::<Header>() + (1 + MAX_UPDATES) * size_of::<Table>()) as u64;

/// What one branch sees: the weights as they are, or moved along +z or -z.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Branch {
    /// Threefry key of (seed, step, probe).
    pub key: [u32; 2],
    /// 0, or `0x8000_0000` for -z.
    pub sign: u32,
    /// 1 where the branch is perturbed; 2 where so is the one before it, along the same direction.
    pub perturbed: u32,
}

impl Branch {
    /// The branch that sees the weights as they are.
    pub const PLAIN: Branch = Branch { key: [0; 2], sign: 0, perturbed: 0 };

    /// The branch that is moved along +z.
    pub fn along(key: [u32; 2]) -> Branch {
        Branch { key, sign: 0, perturbed: 1 }
    }

    /// The one to stand after this: it is moved the other way, and z is drawn once for both.
    pub fn opposite(self) -> Branch {
        Branch { sign: self.sign ^ 0x8000_0000, perturbed: 2, ..self }
    }
}

/// One update, as the device needs it beside its table.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct Update {
    /// Threefry key of (seed, step, probe).
    pub key: [u32; 2],
    /// Key of the bits that weights of less than f32 are rounded with.
    pub rounding: [u32; 2],
    /// What decaying tensors are multiplied by first.
    pub decay: f32,
    /// 1: the weights are rounded as they are stored after this update.
    pub rounds: u32,
}

/// The step but for its tables.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct Header {
    /// Always 0.
    pub zero: u32,
    /// Updates that are pending.
    pub count: u32,
    /// What each branch sees.
    pub branches: [Branch; MAX_BRANCHES],
    /// The pending updates, in order.
    pub updates: [Update; MAX_UPDATES],
}

/// The pending updates and the branches of a step. Written to the device once a step; the default: one plain branch.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// All but the tables.
    pub header: Header,
    /// Epsilon times each quantile; then, for each update, its coefficient times each quantile. Missing ones are not used.
    pub tables: Vec<Table>,
}

impl Step {
    /// One plain branch and no update: evaluation.
    pub fn plain() -> Step {
        Step::default()
    }

    /// As the device reads it.
    pub fn to_bytes(&self) -> Vec<u8> {
        [bytemuck::bytes_of(&self.header), bytemuck::cast_slice(&self.tables)].concat()
    }

    /// From a buffer's words.
    pub(crate) fn from_words(words: &[u32]) -> Option<Step> {
        let (header, tables) = bytemuck::cast_slice::<u32, u8>(words).split_at_checked(size_of::<Header>())?;
        let header: Header = bytemuck::pod_read_unaligned(header);
        let used = (1 + header.count as usize) * size_of::<Table>();
        Some(Step { header, tables: bytemuck::pod_collect_to_vec(tables.get(..used)?) })
    }
}
