//! The parameters of a step, as the kernels read them: `struct Step` of `shaders/lib/perturb.wgsl`.

use bytemuck::{Pod, Zeroable};

use crate::rng::Table;

/// Maximum number of branches in one step.
pub const MAX_BRANCHES: usize = 16;

/// Maximum number of updates that one pass over the weights applies.
pub const MAX_UPDATES: usize = 16;

/// Replaces the tensor's ordinal if the tensor is frozen.
pub const FROZEN: u32 = u32::MAX;

/// Size of the largest step in bytes.
pub const MAX_BYTES: u64 = (size_of::<Header>() + (1 + MAX_UPDATES) * size_of::<Table>()) as u64;

/// Size of a step without updates in bytes.
pub const BYTES_WITHOUT_UPDATES: u64 = (size_of::<Header>() + size_of::<Table>()) as u64;

/// What one branch sees: the unperturbed weights, or the weights moved along +z or -z.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Branch {
    /// Threefry key of (seed, step, probe).
    pub key: [u32; 2],
    /// 0, or `0x8000_0000` for -z.
    pub sign: u32,
    /// 0 if the branch is not perturbed; 1 if it is; 2 if it is perturbed along the same direction as the previous branch.
    pub perturbed: u32,
}

impl Branch {
    /// A branch that sees the unperturbed weights.
    pub const PLAIN: Branch = Branch { key: [0; 2], sign: 0, perturbed: 0 };

    /// A branch that is moved along +z.
    pub fn along(key: [u32; 2]) -> Branch {
        Branch { key, sign: 0, perturbed: 1 }
    }

    /// The branch to put directly after this one: it is moved the opposite way, and z is drawn only once for both.
    pub fn opposite(self) -> Branch {
        Branch { sign: self.sign ^ 0x8000_0000, perturbed: 2, ..self }
    }
}

/// One update, in the form that the device needs in addition to its table.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
pub struct Update {
    /// Threefry key of (seed, step, probe).
    pub key: [u32; 2],
    /// Key of the random bits for rounding weights that are narrower than f32.
    pub rounding: [u32; 2],
    /// The factor that decaying tensors are multiplied by first.
    pub decay: f32,
    /// 1: the weights are rounded to their storage format after this update.
    pub rounds: u32,
}

/// The step without its tables.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub struct Header {
    /// Always 0.
    pub zero: u32,
    /// Number of pending updates.
    pub count: u32,
    /// What each branch sees.
    pub branches: [Branch; MAX_BRANCHES],
    /// The pending updates, in order.
    pub updates: [Update; MAX_UPDATES],
}

/// The pending updates and the branches of a step, written to the device once per step. The default is one plain branch.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// Everything but the tables.
    pub header: Header,
    /// Epsilon times each quantile; then, for each update, its coefficient times each quantile. Missing tables are not used.
    pub tables: Vec<Table>,
}

impl Step {
    /// One plain branch and no updates, for evaluation.
    pub fn plain() -> Step {
        Step::default()
    }

    /// The same branches, without updates.
    pub fn without_updates(&self) -> Step {
        let tables = self.tables.iter().take(1).copied().collect();
        Step { header: Header { count: 0, ..self.header }, tables }
    }

    /// The step in the device's layout.
    pub fn to_bytes(&self) -> Vec<u8> {
        [bytemuck::bytes_of(&self.header), bytemuck::cast_slice(&self.tables)].concat()
    }

    /// Reads a step from a buffer's words.
    pub(crate) fn from_words(words: &[u32]) -> Option<Step> {
        let (header, tables) = bytemuck::cast_slice::<u32, u8>(words).split_at_checked(size_of::<Header>())?;
        let header: Header = bytemuck::pod_read_unaligned(header);
        let used = (1 + header.count as usize) * size_of::<Table>();
        Some(Step { header, tables: bytemuck::pod_collect_to_vec(tables.get(..used)?) })
    }
}
