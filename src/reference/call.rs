//! The arguments of a CPU reference kernel: a dispatch over buffers in host memory.

use std::cell::{Ref, RefCell, RefMut};

use bytemuck::{AnyBitPattern, Pod};

use crate::error::{Error, Result, err};
use crate::gpu::{Binding, Dispatch, Storage};

/// A dispatch whose buffers are in host memory.
#[derive(Debug)]
pub struct Call<'a>(pub(super) &'a Dispatch);

impl<'a> Call<'a> {
    /// The fields of the uniform.
    ///
    /// # Errors
    /// `invalid-argument` if the number of bytes does not match.
    pub(crate) fn uniform<U: AnyBitPattern>(&self) -> Result<U> {
        bytemuck::try_pod_read_unaligned(&self.0.uniform)
            .map_err(|e| err!(InvalidArgument, "{}: uniform: {e}", self.name()))
    }

    /// The name of the kernel.
    pub(crate) fn name(&self) -> &'static str {
        self.0.variant.kernel.name
    }

    /// Workgroups in x, y and z.
    pub(crate) fn grid(&self) -> [u32; 3] {
        self.0.grid
    }

    /// The snippet that provides a slot.
    pub(crate) fn provider(&self, slot: &str) -> Option<&'static str> {
        self.0.variant.providers.iter().find(|(s, _)| *s == slot).map(|(_, snippet)| *snippet)
    }

    /// A generated constant.
    pub(crate) fn constant(&self, name: &str) -> Option<u32> {
        self.0.variant.constants.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
    }

    fn binding(&self, index: usize) -> Result<(&'a Binding, &'a RefCell<Vec<u32>>)> {
        let name = self.name();
        let binding = self
            .0
            .bindings
            .get(index)
            .ok_or_else(|| err!(InvalidArgument, "{name}: no binding {}", index + 1))?;
        match binding.buffer.storage() {
            Storage::Host(words) => Ok((binding, words)),
            Storage::Gpu(_) | Storage::Counted => {
                Err(err!(InvalidArgument, "{name}: buffer {} is not on the host", binding.buffer.name()))
            }
        }
    }

    /// The elements that `@binding(index + 1)` reads: f32 or u32.
    ///
    /// # Errors
    /// `invalid-argument` if this dispatch also writes the same buffer, which WebGPU forbids.
    pub(crate) fn input<T: Pod>(&self, index: usize) -> Result<Ref<'a, [T]>> {
        let (binding, words) = self.binding(index)?;
        let words = words.try_borrow().map_err(|_| self.aliased(binding))?;
        let (first, count) = ((binding.offset / 4) as usize, (binding.bytes / 4) as usize);
        Ok(Ref::map(words, |w| bytemuck::cast_slice(&w[first..first + count])))
    }

    /// The elements that `@binding(index + 1)` reads and writes.
    ///
    /// # Errors
    /// `invalid-argument` if the same buffer is bound twice, which WebGPU forbids.
    pub(crate) fn output<T: Pod>(&self, index: usize) -> Result<RefMut<'a, [T]>> {
        let (binding, words) = self.binding(index)?;
        let words = words.try_borrow_mut().map_err(|_| self.aliased(binding))?;
        let (first, count) = ((binding.offset / 4) as usize, (binding.bytes / 4) as usize);
        Ok(RefMut::map(words, |w| bytemuck::cast_slice_mut(&mut w[first..first + count])))
    }

    fn aliased(&self, binding: &Binding) -> Error {
        let (kernel, buffer) = (self.name(), binding.buffer.name());
        err!(InvalidArgument, "{kernel}: one dispatch both reads and writes buffer {buffer}")
    }
}
