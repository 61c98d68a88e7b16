//! Measures how a run's time is divided among kernels.

use std::cell::RefCell;
use std::rc::Rc;

use super::timer::{self, Timing};
use super::{Backend, Buffer, Dispatch, Limits, MemoryClass, MemoryUse, Recording};
use crate::error::Result;
use crate::future::LocalFuture;

/// The time of all dispatches of one kernel in a run.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct KernelTime {
    /// The kernel.
    pub kernel: &'static str,
    /// Number of its dispatches.
    pub dispatches: usize,
    /// Milliseconds that these dispatches take in sequence, without other kernels between them.
    pub ms: f64,
    /// Bytes of the tensors that they read and write, counted once per dispatch.
    pub bytes: u64,
}

/// A backend that wraps another and keeps what was run. Timestamp queries are rarely available, and clocks are too coarse for
/// single dispatches, so the dispatches of each kernel are rerun in a loop.
pub struct Profiler {
    inner: Rc<dyn Backend>,
    dispatches: RefCell<Vec<Dispatch>>,
}

impl Profiler {
    /// Wraps a backend.
    pub fn new(inner: Rc<dyn Backend>) -> Rc<Profiler> {
        Rc::new(Profiler { inner, dispatches: RefCell::default() })
    }

    /// Forgets everything run so far.
    pub fn forget(&self) {
        self.dispatches.borrow_mut().clear();
    }

    /// Times the dispatches of each kernel since [`Profiler::forget`], and returns the kernels in order of decreasing time. The
    /// contents of buffers are meaningless afterwards.
    ///
    /// # Errors
    /// The errors of [`Backend::run`].
    pub async fn kernels(&self) -> Result<Vec<KernelTime>> {
        const TIMING: Timing =
            Timing { loop_ms: 20.0, rounds: 3, hopeless: f64::INFINITY, total_ms: 20_000.0 };
        let dispatches = self.dispatches.take();
        let mut names: Vec<&'static str> = dispatches.iter().map(|d| d.variant.kernel.name).collect();
        names.sort_unstable();
        names.dedup();
        let mut times = Vec::new();
        for kernel in names {
            let own = dispatches.iter().filter(|d| d.variant.kernel.name == kernel);
            let recording: Recording = own.cloned().collect();
            let Some(last) = recording.dispatches().last().and_then(|d| d.bindings.last()) else { continue };
            let probe = last.buffer.clone();
            let ms =
                timer::time(self.inner.as_ref(), std::slice::from_ref(&recording), &probe, TIMING).await?;
            let bytes = recording.dispatches().iter().map(|d| d.cost.bytes).sum();
            times.push(KernelTime { kernel, dispatches: recording.dispatches().len(), ms: ms[0], bytes });
        }
        times.sort_by(|a, b| b.ms.total_cmp(&a.ms));
        Ok(times)
    }
}

impl Backend for Profiler {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn limits(&self) -> Limits {
        self.inner.limits()
    }

    fn memory(&self) -> MemoryUse {
        self.inner.memory()
    }

    fn capacity(&self) -> Option<u64> {
        self.inner.capacity()
    }

    fn waited_ms(&self) -> f64 {
        self.inner.waited_ms()
    }

    fn create(&self, name: &str, bytes: u64, class: MemoryClass) -> Result<Buffer> {
        self.inner.create(name, bytes, class)
    }

    fn write(&self, buffer: &Buffer, offset: u64, data: &[u8]) -> Result<()> {
        self.inner.write(buffer, offset, data)
    }

    fn run<'a>(&'a self, recording: &'a Recording) -> LocalFuture<'a, Result<()>> {
        self.dispatches.borrow_mut().extend(recording.dispatches().iter().cloned());
        self.inner.run(recording)
    }

    fn read<'a>(&'a self, buffer: &'a Buffer, offset: u64, bytes: u64) -> LocalFuture<'a, Result<Vec<u8>>> {
        self.inner.read(buffer, offset, bytes)
    }
}
