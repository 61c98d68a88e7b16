//! Opens a WebGPU device, and handles its buffers and errors.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
#[cfg(not(target_arch = "wasm32"))]
use std::time::Duration;

use super::adapter::{experimental, has_matrix_units, is_software, limits_of};
use super::backend::check_range;
use super::executor::{self, Executor, ProgramWatch};
#[cfg(all(debug_assertions, not(target_arch = "wasm32")))]
use super::faults::{self, Faults};
use super::memory::{MemoryClass, MemoryTracker, MemoryUse, system_memory};
use super::reported::Reported;
use super::{Backend, Buffer, Limits, Recording, Storage};
use crate::clock::Instant;
#[cfg(not(target_arch = "wasm32"))]
use crate::error::Code;
use crate::error::{Result, bail, err};
use crate::future::LocalFuture;

/// Which limits to request from the adapter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitsChoice {
    /// The largest buffers and bindings that the adapter offers.
    #[default]
    Adapter,
    /// WebGPU's default limits, which even the smallest phone supports.
    Default,
}

/// Options for opening a device.
#[derive(Clone, Copy, Debug, Default)]
pub struct GpuOptions {
    /// The requested limits.
    pub limits: LimitsChoice,
}

/// A WebGPU device: natively on Vulkan, Metal or Direct3D 12, in a tab through the browser.
pub struct Gpu {
    adapter: wgpu::AdapterInfo,
    device: wgpu::Device,
    queue: wgpu::Queue,
    limits: Limits,
    tracker: MemoryTracker,
    reported: Reported,
    executor: RefCell<Executor>,
    /// Bytes written since the last submit.
    unsent: Cell<u64>,
    stop: RefCell<Option<StopCheck>>,
    waited_ms: Cell<f64>,
    #[cfg(all(debug_assertions, not(target_arch = "wasm32")))]
    faults: Faults,
}

/// Called before each submit. Returning an error aborts the recording.
pub type StopCheck = Box<dyn Fn() -> Result<()>>;

/// Maximum bytes of pending writes. wgpu keeps them in staging memory until the next submit.
const MAX_UNSENT: u64 = 32 << 20;

/// How long a device may take to respond. A submit is meant to take a tenth of a second, but a slow software GPU may need many
/// seconds for the first ones. In a tab, the browser monitors the device.
#[cfg(not(target_arch = "wasm32"))]
const PATIENCE: Duration = Duration::from_secs(600);

impl Gpu {
    /// Opens a device on the best adapter.
    ///
    /// # Errors
    /// `webgpu-unavailable` if there is none.
    pub async fn open(options: GpuOptions) -> Result<Rc<Gpu>> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
        let wanted = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let found = instance.request_adapter(&wanted).await;
        #[cfg(target_arch = "wasm32")]
        let found = match found {
            Ok(adapter) => Ok(adapter),
            Err(_) => super::browser::in_compatibility_mode(|| instance.request_adapter(&wanted)).await,
        };
        let adapter = found.map_err(|e| err!(WebgpuUnavailable, "no WebGPU adapter: {e}"))?;
        let offered = adapter.limits();
        let mut wanted = limits_of(&offered)?;
        if options.limits == LimitsChoice::Adapter {
            wanted.max_buffer_size = offered.max_buffer_size;
            wanted.max_storage_buffer_binding_size = offered.max_storage_buffer_binding_size;
        }
        let (info, features) = (adapter.get_info(), adapter.features());
        let mut required = features & (wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP);
        let matrix_units = has_matrix_units(&adapter);
        required.set(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX, matrix_units);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("pocketllm"),
            required_limits: wanted.clone(),
            required_features: required,
            experimental_features: if matrix_units { experimental() } else { Default::default() },
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..Default::default()
        };
        #[cfg(not(target_arch = "wasm32"))]
        let (request, subgroups) =
            (adapter.request_device(&descriptor), required.contains(wgpu::Features::SUBGROUP));
        #[cfg(target_arch = "wasm32")]
        let (request, subgroups) = super::browser::with_subgroups(|| adapter.request_device(&descriptor));
        let (device, queue) = request
            .await
            .map_err(|e| err!(WebgpuUnavailable, "the adapter could not create a device: {e}"))?;
        let one_size = info.subgroup_min_size == info.subgroup_max_size;
        let limits = Limits {
            matrix_units,
            binding_bytes: wanted.max_storage_buffer_binding_size,
            buffer_bytes: wanted.max_buffer_size,
            software: is_software(&info),
            subgroup: info.subgroup_min_size,
            subgroups,
            lanes: if subgroups && one_size { info.subgroup_min_size } else { 0 },
            shader_f16: features.contains(wgpu::Features::SHADER_F16),
        };
        let reported = Reported::default();
        let lost = reported.clone();
        device.set_device_lost_callback(move |reason, message| {
            if lost.set(err!(DeviceLost, "the GPU device was lost ({reason:?}): {message}")) {
                executor::shorten_submits();
            }
        });
        let uncaptured = reported.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| uncaptured.of_wgpu(&error)));
        Ok(Rc::new(Gpu {
            adapter: info,
            device,
            queue,
            limits,
            tracker: MemoryTracker::default(),
            reported,
            executor: RefCell::default(),
            unsent: Cell::new(0),
            stop: RefCell::new(None),
            waited_ms: Cell::new(0.0),
            #[cfg(all(debug_assertions, not(target_arch = "wasm32")))]
            faults: Faults::of_next_device(),
        }))
    }

    /// The driver's description of the adapter.
    pub fn adapter(&self) -> &wgpu::AdapterInfo {
        &self.adapter
    }

    /// Destroys the device. Later calls fail with `device-lost`.
    pub fn destroy(&self) {
        self.reported.set(err!(DeviceLost, "the GPU device was destroyed"));
        self.device.destroy();
    }

    /// Calls `check` before each submit from now on. A recording that it aborts has run only partly, so its buffers are in an
    /// intermediate state.
    pub fn stop_when(&self, check: Option<StopCheck>) {
        *self.stop.borrow_mut() = check;
    }

    /// From now on, calls `watch` while a recording waits for programs that it is the first to use.
    pub fn watch_programs(&self, watch: Option<ProgramWatch>) {
        self.executor.borrow_mut().watch = watch;
    }

    pub(crate) fn check_stop(&self) -> Result<()> {
        self.stop.borrow().as_ref().map_or(Ok(()), |check| check())
    }

    /// The device, for a call that creates something.
    pub(crate) fn device(&self) -> &wgpu::Device {
        self.before_call();
        &self.device
    }

    /// The queue, for a call that writes or submits.
    pub(crate) fn queue(&self) -> &wgpu::Queue {
        self.before_call();
        &self.queue
    }

    /// Every wgpu call goes through here first, so that tests can make it fail.
    fn before_call(&self) {
        #[cfg(all(debug_assertions, not(target_arch = "wasm32")))]
        self.faults.before_call(&self.device, &self.reported);
    }

    /// Returns the error that the device has reported, if any.
    fn check(&self) -> Result<()> {
        let found = self.reported.check();
        // Natively, calls on a lost device may fail as invalid before the loss is reported. Polling reports it once the device has
        // nothing more to do.
        #[cfg(not(target_arch = "wasm32"))]
        if found.as_ref().is_err_and(|error| error.code() == Code::LimitExceeded) {
            let _ =
                self.device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(PATIENCE) });
            return self.reported.check();
        }
        found
    }

    /// Waits until the device has finished everything that was submitted.
    #[cfg(not(target_arch = "wasm32"))]
    fn poll(&self) -> Result<()> {
        self.before_call();
        let polled =
            self.device.poll(wgpu::PollType::Wait { submission_index: None, timeout: Some(PATIENCE) });
        #[cfg(debug_assertions)]
        let polled = match self.faults.strikes(faults::Fault::Timeout) {
            true => Err(wgpu::PollError::Timeout),
            false => polled,
        };
        self.check()?;
        match polled {
            Ok(_) => Ok(()),
            Err(wgpu::PollError::Timeout) => {
                executor::shorten_submits();
                Err(err!(DeviceLost, "the GPU has not answered for {} minutes", PATIENCE.as_secs() / 60))
            }
            Err(error) => Err(err!(DeviceLost, "waiting for the GPU failed: {error}")),
        }
    }

    pub(crate) fn tracker(&self) -> &MemoryTracker {
        &self.tracker
    }

    /// Submits commands. The time counts as waiting, because a software GPU computes during this call.
    pub(crate) fn submit(&self, commands: wgpu::CommandBuffer) {
        let start = Instant::now();
        self.unsent.set(0);
        self.queue().submit([commands]);
        self.waited_ms.set(self.waited_ms.get() + start.elapsed_ms());
    }

    /// Waits until a device callback sends to `done`.
    pub(crate) async fn wait<T>(&self, done: futures_channel::oneshot::Receiver<T>) -> Result<T> {
        let start = Instant::now();
        // A browser calls back on its own. Natively, the device must be polled, and it has called back when the poll returns.
        #[cfg(not(target_arch = "wasm32"))]
        let value = {
            let mut done = done;
            self.poll()?;
            done.try_recv().ok().flatten()
        };
        #[cfg(target_arch = "wasm32")]
        let value = done.await.ok();
        self.waited_ms.set(self.waited_ms.get() + start.elapsed_ms());
        self.check()?;
        value.ok_or_else(|| err!(DeviceLost, "the GPU dropped a request without answering it"))
    }

    async fn read_back(&self, buffer: &Buffer, offset: u64, bytes: u64) -> Result<Vec<u8>> {
        check_range(buffer, offset, bytes)?;
        let Storage::Gpu(source) = buffer.storage() else {
            bail!(InvalidArgument, "buffer {} is not on the GPU", buffer.name());
        };
        let descriptor = wgpu::BufferDescriptor {
            label: Some("read-back"),
            size: bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        };
        let staging = self.device().create_buffer(&descriptor);
        let _lease = self.tracker.lease(MemoryClass::Transfer, bytes);
        let mut encoder = self.device().create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(source, offset, &staging, 0, bytes);
        self.submit(encoder.finish());
        #[cfg(all(debug_assertions, not(target_arch = "wasm32")))]
        if self.faults.strikes(faults::Fault::Map) {
            staging.destroy();
        }
        let (sender, receiver) = futures_channel::oneshot::channel();
        staging.map_async(wgpu::MapMode::Read, .., move |result| {
            // The receiver is gone only if the read was abandoned.
            let _ = sender.send(result);
        });
        self.wait(receiver)
            .await?
            .map_err(|e| err!(DeviceLost, "{} could not be read back: {e}", buffer.name()))?;
        let data = staging
            .get_mapped_range(..)
            .map_err(|e| err!(DeviceLost, "{} could not be read back: {e}", buffer.name()))?
            .to_vec();
        staging.destroy();
        Ok(data)
    }
}

impl Drop for Gpu {
    /// Frees the device's memory immediately. A browser would wait for its next garbage collection.
    fn drop(&mut self) {
        self.destroy();
    }
}

impl Backend for Gpu {
    fn name(&self) -> String {
        match self.adapter.name.as_str() {
            "" => "WebGPU".to_owned(),
            name => name.to_owned(),
        }
    }

    fn limits(&self) -> Limits {
        self.limits
    }

    fn memory(&self) -> MemoryUse {
        self.tracker.usage()
    }

    fn waited_ms(&self) -> f64 {
        self.waited_ms.get()
    }

    fn capacity(&self) -> Option<u64> {
        // No API reports the memory of a graphics card. A software GPU uses the system's memory.
        (self.adapter.device_type == wgpu::DeviceType::Cpu).then(system_memory).flatten()
    }

    fn create(&self, name: &str, bytes: u64, class: MemoryClass) -> Result<Buffer> {
        let bytes = bytes.max(16).next_multiple_of(16);
        if bytes > self.limits.buffer_bytes {
            let limit = self.limits.buffer_bytes;
            bail!(LimitExceeded, "buffer {name}: {bytes} bytes, but the device allows {limit}");
        }
        self.check()?;
        let buffer = self.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some(name),
            size: bytes,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        });
        Ok(Buffer::new(name, bytes, Storage::Gpu(buffer), &self.tracker, class))
    }

    fn write(&self, buffer: &Buffer, offset: u64, data: &[u8]) -> Result<()> {
        let whole = data.len() & !3;
        check_range(buffer, offset, data.len().next_multiple_of(4) as u64)?;
        self.check()?;
        let Storage::Gpu(target) = buffer.storage() else {
            bail!(InvalidArgument, "buffer {} is not on the GPU", buffer.name());
        };
        self.queue().write_buffer(target, offset, &data[..whole]);
        if whole < data.len() {
            let mut word = [0; 4];
            word[..data.len() - whole].copy_from_slice(&data[whole..]);
            self.queue().write_buffer(target, offset + whole as u64, &word);
        }
        self.unsent.set(self.unsent.get() + data.len() as u64);
        if self.unsent.get() >= MAX_UNSENT {
            self.unsent.set(0);
            self.queue().submit([]);
            // Natively, this frees the staging memory of the writes; a browser does so by itself.
            #[cfg(not(target_arch = "wasm32"))]
            self.poll()?;
        }
        Ok(())
    }

    fn run<'a>(&'a self, recording: &'a Recording) -> LocalFuture<'a, Result<()>> {
        Box::pin(async move {
            self.check()?;
            Executor::run(&self.executor, self, recording).await?;
            self.check()
        })
    }

    fn read<'a>(&'a self, buffer: &'a Buffer, offset: u64, bytes: u64) -> LocalFuture<'a, Result<Vec<u8>>> {
        Box::pin(self.read_back(buffer, offset, bytes))
    }
}
