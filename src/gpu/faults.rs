//! Makes GPU calls fail on purpose, so that tests can see how a run reacts. Only builds with debug assertions have this.
//!
//! The environment variable `POCKETLLM_GPU_FAULTS` has a fault for each device that the process opens, such as `lost@17,memory@40`:
//! the first device is lost before its 17th call, and the second runs out of memory at its 40th. The counted calls are those of
//! wgpu that create something, write, submit, wait or read. `count@0` injects no fault. Every device prints its number of calls to
//! stderr.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::reported::Reported;

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The device is lost.
    Lost,
    /// The device reports that it is out of memory.
    Memory,
    /// wgpu rejects a call as invalid.
    Invalid,
    /// The next buffer to be read cannot be mapped.
    Map,
    /// The next wait for the device takes too long.
    Timeout,
}

/// The fault of one device.
pub(super) struct Faults {
    planned: Option<(Fault, u64)>,
    calls: Cell<u64>,
    /// Whether the call has been reached, and the fault waits for the next call that it applies to.
    waiting: Cell<bool>,
    reports: bool,
}

impl Faults {
    /// The fault that the environment variable specifies for the next device.
    pub(super) fn of_next_device() -> Faults {
        static DEVICES: AtomicUsize = AtomicUsize::new(0);
        let list = std::env::var("POCKETLLM_GPU_FAULTS").ok();
        let index = DEVICES.fetch_add(1, Ordering::Relaxed);
        let planned = list.as_ref().and_then(|list| list.split(',').nth(index)).and_then(|entry| {
            let (kind, call) = entry.split_once('@')?;
            let kind = match kind {
                "lost" => Fault::Lost,
                "memory" => Fault::Memory,
                "invalid" => Fault::Invalid,
                "map" => Fault::Map,
                "timeout" => Fault::Timeout,
                _ => return None,
            };
            Some((kind, call.parse().ok()?))
        });
        Faults { planned, calls: Cell::new(0), waiting: Cell::new(false), reports: list.is_some() }
    }

    /// Counts a call, and injects the planned fault when its call is reached.
    pub(super) fn before_call(&self, device: &wgpu::Device, reported: &Reported) {
        self.calls.set(self.calls.get() + 1);
        let Some((fault, call)) = self.planned else { return };
        if self.calls.get() != call {
            return;
        }
        match fault {
            Fault::Lost => device.destroy(),
            Fault::Memory => {
                reported.of_wgpu(&wgpu::Error::OutOfMemory { source: "a test has used it up".into() })
            }
            Fault::Invalid => {
                // A buffer that can be mapped for reading cannot also be a uniform.
                let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::UNIFORM;
                let (label, mapped_at_creation) = (Some("of a test"), false);
                let _ = device.create_buffer(&wgpu::BufferDescriptor {
                    label,
                    size: 16,
                    usage,
                    mapped_at_creation,
                });
            }
            Fault::Map | Fault::Timeout => self.waiting.set(true),
        }
    }

    /// Whether `fault` makes the current call fail.
    pub(super) fn strikes(&self, fault: Fault) -> bool {
        self.planned.is_some_and(|(planned, _)| planned == fault) && self.waiting.take()
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        if self.reports {
            eprintln!("GPU calls: {}", self.calls.get());
        }
    }
}
