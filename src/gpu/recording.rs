//! Recordings: lists of kernel dispatches, as plain data.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use bytemuck::NoUninit;

use super::Buffer;
use crate::format::source::ByteSource;

/// A kernel: one WGSL file.
#[derive(Debug)]
pub struct Kernel {
    /// The name of its file in `shaders/`, without the extension.
    pub name: &'static str,
    /// The text of the file, before its `//#use` lines are replaced.
    pub source: &'static str,
}

/// A kernel with its providers and generated constants: the source of one pipeline.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The kernel.
    pub kernel: &'static Kernel,
    /// For each `//#use @slot` in the text, the snippet that fills it.
    pub providers: Vec<(&'static str, &'static str)>,
    /// `const NAME: u32 = value;` lines that are put before the text.
    pub constants: Vec<(&'static str, u32)>,
}

impl From<&'static Kernel> for Variant {
    fn from(kernel: &'static Kernel) -> Self {
        Variant { kernel, providers: Vec::new(), constants: Vec::new() }
    }
}

impl Variant {
    /// This variant with a provider added.
    pub fn provide(mut self, slot: &'static str, snippet: &'static str) -> Self {
        self.providers.push((slot, snippet));
        self
    }

    /// This variant with a generated constant added.
    pub fn constant(mut self, name: &'static str, value: u32) -> Self {
        self.constants.push((name, value));
        self
    }

    /// A string that is unique to this variant.
    pub fn key(&self) -> String {
        let mut key = self.kernel.name.to_owned();
        for (slot, snippet) in &self.providers {
            key += &format!(" {slot}={snippet}");
        }
        for (name, value) in &self.constants {
            key += &format!(" {name}={value}");
        }
        key
    }
}

/// A range of a buffer, bound to a kernel.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The buffer.
    pub buffer: Buffer,
    /// The first byte, a multiple of 256 unless the whole buffer is bound.
    pub offset: u64,
    /// Number of bytes.
    pub bytes: u64,
}

impl From<&Buffer> for Binding {
    fn from(buffer: &Buffer) -> Self {
        Binding { buffer: buffer.clone(), offset: 0, bytes: buffer.bytes() }
    }
}

/// One dispatch of a kernel.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// The variant to compile.
    pub variant: Variant,
    /// The bytes of `@binding(0)`.
    pub uniform: Vec<u8>,
    /// The bindings from `@binding(1)` on.
    pub bindings: Vec<Binding>,
    /// Workgroups in x, y, z.
    pub grid: [u32; 3],
    /// The approximate cost.
    pub cost: Cost,
}

/// The approximate cost of a dispatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Number of scalar operations, which determines how many dispatches a submit contains.
    pub work: u64,
    /// Bytes of the tensors that it reads and writes, each counted once: the minimum memory traffic.
    pub bytes: u64,
}

/// Bytes of a file that are written to the start of a buffer while a recording runs.
#[derive(Clone)]
pub struct Upload {
    /// The buffer.
    pub buffer: Buffer,
    /// The file.
    pub file: Rc<dyn ByteSource>,
    /// The first byte in the file.
    pub offset: u64,
    /// Number of bytes.
    pub bytes: u64,
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, buffer) = (self.file.name(), self.buffer.name());
        write!(f, "{} bytes at {} of {file} to {buffer}", self.bytes, self.offset)
    }
}

/// A list of dispatches that run in order. Each sees what earlier ones wrote. Between them, file contents may be uploaded.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    dispatches: Vec<Dispatch>,
    /// Uploads, as lists with the index of the dispatch that they precede.
    uploads: Vec<(usize, Vec<Upload>)>,
    /// For the id of each bound buffer, the index of the last dispatch that binds it.
    last_uses: HashMap<u64, usize>,
}

/// Maximum number of workgroups in one dimension of a dispatch: WebGPU's default limit.
pub(crate) const MAX_WORKGROUPS: u32 = 65_535;

impl Recording {
    /// An empty recording.
    pub fn new() -> Self {
        Self::default()
    }

    /// The dispatches, in order.
    pub fn dispatches(&self) -> &[Dispatch] {
        &self.dispatches
    }

    /// Adds uploads. Earlier dispatches still see the previous contents of the buffers.
    pub fn upload(&mut self, uploads: Vec<Upload>) {
        self.uploads.push((self.dispatches.len(), uploads));
    }

    /// The recording in pieces: uploads, and the range of dispatches between them and the next uploads.
    pub fn pieces(&self) -> impl Iterator<Item = (&[Upload], Range<usize>)> {
        let begin: (usize, &[Upload]) = (0, &[]);
        let begins = [begin].into_iter().chain(self.uploads.iter().map(|(first, list)| (*first, &list[..])));
        let ends = self.uploads.iter().map(|(first, _)| *first).chain([self.dispatches.len()]);
        begins.zip(ends).map(|((first, uploads), end)| (uploads, first..end))
    }

    /// Maximum bytes of uploads that are waiting while a recording runs: those of two consecutive pieces, the next one on the
    /// device and the one that the host is reading.
    pub(super) fn waiting_bytes(&self) -> u64 {
        let bytes = |(_, list): &(usize, Vec<Upload>)| list.iter().map(|upload| upload.bytes).sum::<u64>();
        2 * self.uploads.iter().map(bytes).max().unwrap_or(0)
    }

    /// The index of the last dispatch that binds a buffer, for reading or writing.
    pub fn last_use(&self, buffer: &Buffer) -> Option<usize> {
        self.last_uses.get(&buffer.id()).copied()
    }

    /// Adds a dispatch, unless its grid is empty.
    pub fn push<U: NoUninit>(
        &mut self,
        variant: impl Into<Variant>,
        uniform: &U,
        bindings: Vec<Binding>,
        grid: [u32; 3],
        cost: Cost,
    ) {
        if grid.contains(&0) {
            return;
        }
        let uniform = bytemuck::bytes_of(uniform).to_vec();
        self.extend([Dispatch { variant: variant.into(), uniform, bindings, grid, cost }]);
    }

    /// A grid of `groups` workgroups folded over x and y, for kernels that use `lib/linear.wgsl`. A dimension has at most 65,535
    /// workgroups.
    pub fn fold(groups: u64) -> [u32; 3] {
        let rows = groups.div_ceil(u64::from(MAX_WORKGROUPS)).max(1);
        let columns = groups.div_ceil(rows);
        // Two dimensions together hold about 2^32 workgroups, more than any buffer has elements.
        [columns as u32, rows as u32, 1]
    }
}

impl Extend<Dispatch> for Recording {
    fn extend<I: IntoIterator<Item = Dispatch>>(&mut self, dispatches: I) {
        for dispatch in dispatches {
            let index = self.dispatches.len();
            self.last_uses.extend(dispatch.bindings.iter().map(|binding| (binding.buffer.id(), index)));
            self.dispatches.push(dispatch);
        }
    }
}

impl FromIterator<Dispatch> for Recording {
    fn from_iter<I: IntoIterator<Item = Dispatch>>(dispatches: I) -> Recording {
        let mut recording = Recording::new();
        recording.extend(dispatches);
        recording
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_grids_cover_and_stay_within_the_limit() {
        for groups in [0_u64, 1, 65_535, 65_536, 1 << 20, (1 << 20) + 1, 1 << 28] {
            let [x, y, _] = Recording::fold(groups);
            assert!(u64::from(x) * u64::from(y) >= groups);
            assert!(x <= MAX_WORKGROUPS && y <= MAX_WORKGROUPS);
        }
    }
}
