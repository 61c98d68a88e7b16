//! A backend in host memory, which runs the CPU reference kernel of each dispatch, or a faster kernel instead.

use std::cell::RefCell;
use std::rc::Rc;

use super::{Call, KERNELS, Reference};
use crate::error::{Result, bail};
use crate::future::LocalFuture;
use crate::gpu::{
    Backend, Buffer, Limits, MemoryClass, MemoryTracker, MemoryUse, Recording, Storage, upload,
};

/// Runs recordings on the CPU, one dispatch after another.
#[derive(Default)]
pub struct Host {
    tracker: MemoryTracker,
    /// Kernels that replace the CPU references of the same names.
    fast: &'static [(&'static str, Reference)],
}

impl Host {
    /// A backend that runs the CPU reference kernels.
    pub fn open() -> Rc<Host> {
        Rc::default()
    }

    /// A backend that runs these kernels, and the CPU references of all others.
    pub fn with(fast: &'static [(&'static str, Reference)]) -> Rc<Host> {
        Rc::new(Host { fast, ..Host::default() })
    }

    fn words(buffer: &Buffer, offset: u64, bytes: u64) -> Result<&RefCell<Vec<u32>>> {
        let Storage::Host(words) = buffer.storage() else {
            bail!(InvalidArgument, "buffer {} is not on the host", buffer.name());
        };
        let inside = offset.checked_add(bytes).is_some_and(|end| end <= buffer.bytes());
        if !inside || !offset.is_multiple_of(4) {
            bail!(InvalidArgument, "buffer {}: {bytes} bytes at {offset}", buffer.name());
        }
        Ok(words)
    }
}

impl Backend for Host {
    fn name(&self) -> String {
        if self.fast.is_empty() { "cpu-reference" } else { "cpu" }.to_owned()
    }

    fn limits(&self) -> Limits {
        // Large tensors are split in the same way as on the smallest GPU, so that both run the same recording.
        Limits::WEBGPU_DEFAULT
    }

    fn memory(&self) -> MemoryUse {
        self.tracker.usage()
    }

    fn create(&self, name: &str, bytes: u64, class: MemoryClass) -> Result<Buffer> {
        let bytes = bytes.max(16).next_multiple_of(16);
        let limit = self.limits().buffer_bytes;
        if bytes > limit {
            bail!(LimitExceeded, "buffer {name}: {bytes} bytes, but the device allows {limit}");
        }
        let words = RefCell::new(vec![0; (bytes / 4) as usize]);
        Ok(Buffer::new(name, bytes, Storage::Host(words), &self.tracker, class))
    }

    fn write(&self, buffer: &Buffer, offset: u64, data: &[u8]) -> Result<()> {
        let words = Host::words(buffer, offset, data.len().next_multiple_of(4) as u64)?;
        let words = &mut words.borrow_mut()[(offset / 4) as usize..][..data.len().div_ceil(4)];
        let (whole, rest) = data.as_chunks();
        for (word, bytes) in words.iter_mut().zip(whole) {
            *word = u32::from_le_bytes(*bytes);
        }
        if let Some(word) = words.last_mut().filter(|_| !rest.is_empty()) {
            let mut padded = [0; 4];
            padded[..rest.len()].copy_from_slice(rest);
            *word = u32::from_le_bytes(padded);
        }
        Ok(())
    }

    fn run<'a>(&'a self, recording: &'a Recording) -> LocalFuture<'a, Result<()>> {
        Box::pin(async move {
            for (uploads, dispatches) in recording.pieces() {
                for next in uploads {
                    upload(self, next).await?;
                }
                for dispatch in &recording.dispatches()[dispatches] {
                    let name = dispatch.variant.kernel.name;
                    let Some((_, kernel)) = self.fast.iter().chain(KERNELS).find(|(of, _)| *of == name)
                    else {
                        bail!(InvalidArgument, "kernel {name} has no CPU reference");
                    };
                    kernel(&Call(dispatch))?;
                }
            }
            Ok(())
        })
    }

    fn read<'a>(&'a self, buffer: &'a Buffer, offset: u64, bytes: u64) -> LocalFuture<'a, Result<Vec<u8>>> {
        let result = Host::words(buffer, offset, bytes).map(|words| {
            let first = (offset / 4) as usize;
            words.borrow()[first..first + (bytes / 4) as usize]
                .iter()
                .map(|word| word.to_le_bytes())
                .collect::<Vec<_>>()
                .into_flattened()
        });
        Box::pin(async move { result })
    }
}
