//! The only place that runs recordings on a device. Pipelines and bind groups are cached by key, and submits are sized by time.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};

use futures_channel::oneshot::{self, Receiver};

use super::memory::{Lease, MemoryClass};
use super::{Backend, Dispatch, Gpu, Recording, Storage, shader, upload};
use crate::clock::Instant;
use crate::error::{Result, bail};

/// The alignment of uniform offsets: WebGPU's default `minUniformBufferOffsetAlignment`.
const SLOT: usize = 256;

/// Number of uniform slots for `dispatches` dispatches, rounded up so that recordings of similar length share a buffer.
fn slots_for(dispatches: usize) -> usize {
    dispatches.next_power_of_two().max(256)
}

/// Size in bytes of the uniform buffer for `dispatches` dispatches.
pub(super) fn uniform_bytes(dispatches: usize) -> u64 {
    (slots_for(dispatches) * SLOT) as u64
}

/// Target duration of one submit. It is short enough to avoid a phone's watchdog and to keep the page responsive.
const SUBMIT_MS: f64 = 100.0;

/// How many times the target duration of a submit has been halved.
static HALVINGS: AtomicU32 = AtomicU32::new(0);

/// Maximum of [`HALVINGS`]: below an eighth of [`SUBMIT_MS`], more submits only cost time.
const MAX_HALVINGS: u32 = 3;

/// Halves the work per submit for the devices that this process opens from now on. Drivers drop a device whose submit takes too
/// long, which may be why the device was lost.
pub(super) fn shorten_submits() {
    HALVINGS.fetch_add(1, Ordering::Relaxed);
}

/// Maximum number of submits in flight: one runs while the next is encoded.
const IN_FLIGHT: usize = 2;

/// Called while programs (compute pipelines) are compiled, with the number that are ready and the number known to be needed.
pub type ProgramWatch = Box<dyn Fn(usize, usize)>;

/// While programs are watched, a submit needs at most this many new ones, so that progress is visible.
const NEW_PROGRAMS: usize = 2;

/// Maximum number of cached bind groups, many times what one step needs. All are dropped when it is exceeded.
const MAX_BIND_GROUPS: usize = 8192;

#[derive(PartialEq, Eq, Hash)]
struct BindGroupKey {
    pipeline: usize,
    slot: usize,
    ranges: Vec<(u64, u64, u64)>,
}

struct Uniforms {
    buffer: wgpu::Buffer,
    slots: usize,
    _lease: Lease,
}

/// The caches and the measured speed of a device.
pub(crate) struct Executor {
    pipelines: Vec<wgpu::ComputePipeline>,
    pipeline_by_key: HashMap<String, usize>,
    bind_groups: HashMap<BindGroupKey, wgpu::BindGroup>,
    uniforms: Option<Uniforms>,
    work_per_ms: f64,
    /// Target duration of one submit in milliseconds.
    submit_ms: f64,
    /// The callback given to [`Gpu::watch_programs`].
    pub(super) watch: Option<ProgramWatch>,
}

impl Default for Executor {
    fn default() -> Self {
        Executor {
            pipelines: Vec::new(),
            pipeline_by_key: HashMap::new(),
            bind_groups: HashMap::new(),
            uniforms: None,
            // The speed of a slow software GPU, so that the first submits are small until the device's speed is known.
            work_per_ms: 1e6,
            submit_ms: SUBMIT_MS / f64::from(1 << HALVINGS.load(Ordering::Relaxed).min(MAX_HALVINGS)),
            watch: None,
        }
    }
}

/// A submit that may still be running.
struct Pending {
    done: Receiver<()>,
    work: u64,
    /// The number of programs that will be ready when it has run.
    programs: usize,
}

impl Executor {
    /// Runs a recording. The cell is never borrowed across an await point.
    pub(crate) async fn run(this: &RefCell<Executor>, gpu: &Gpu, recording: &Recording) -> Result<()> {
        let _waiting = gpu.tracker().lease(MemoryClass::Transfer, recording.waiting_bytes());
        this.borrow_mut().write_uniforms(gpu, recording);
        let mut pending: VecDeque<Pending> = VecDeque::new();
        let mut last_end = Instant::now();
        let mut pieces = recording.pieces();
        let (mut first, mut end) = (0, 0);
        let mut compiling = this.borrow().new_programs(recording);
        loop {
            if first == end {
                let Some((uploads, dispatches)) = pieces.next() else { break };
                // While these bytes are read and wait for the next submit, the device still computes what was submitted before.
                for waiting in uploads {
                    upload(gpu, waiting).await?;
                }
                end = dispatches.end;
                continue;
            }
            if pending.len() >= IN_FLIGHT {
                let Some(oldest) = pending.pop_front() else { break };
                gpu.wait(oldest.done).await?;
                let now = Instant::now();
                this.borrow_mut().learn(oldest.work, now.since(last_end));
                last_end = now;
                if let Some(needed) = compiling {
                    this.borrow().tell_programs(oldest.programs, needed);
                    compiling = compiling.filter(|needed| *needed > oldest.programs);
                }
            }
            gpu.check_stop()?;
            let next = &recording.dispatches()[first..end];
            let most = if compiling.is_some() { this.borrow().with_few_new(next) } else { next.len() };
            let (count, work) = this.borrow().budget(&next[..most]);
            let commands = this.borrow_mut().encode(gpu, recording, first, count)?;
            gpu.submit(commands);
            let (sender, done) = oneshot::channel();
            gpu.queue().on_submitted_work_done(move || {
                // Nobody waits for the last submits of a recording.
                let _ = sender.send(());
            });
            pending.push_back(Pending { done, work, programs: this.borrow().pipelines.len() });
            first += count;
        }
        Ok(())
    }

    /// Reports these numbers to the watch.
    fn tell_programs(&self, ready: usize, needed: usize) {
        if let Some(watch) = &self.watch {
            watch(ready, needed);
        }
    }

    /// The number of programs after a recording has run, if programs are watched and it is the first to use some of them.
    fn new_programs(&self, recording: &Recording) -> Option<usize> {
        self.watch.as_ref()?;
        let keys = recording.dispatches().iter().map(|dispatch| dispatch.variant.key());
        let new: HashSet<String> = keys.filter(|key| !self.pipeline_by_key.contains_key(key)).collect();
        (!new.is_empty()).then(|| self.pipelines.len() + new.len())
    }

    /// The number of leading dispatches that together need only a few new programs; at least one.
    fn with_few_new(&self, dispatches: &[Dispatch]) -> usize {
        let mut new = HashSet::new();
        for (count, dispatch) in dispatches.iter().enumerate() {
            let key = dispatch.variant.key();
            if !self.pipeline_by_key.contains_key(&key) {
                new.insert(key);
            }
            if new.len() > NEW_PROGRAMS {
                return count;
            }
        }
        dispatches.len()
    }

    /// The number of dispatches in the next submit, and their total work.
    fn budget(&self, dispatches: &[Dispatch]) -> (usize, u64) {
        let limit = (self.work_per_ms * self.submit_ms) as u64;
        let mut work = 0_u64;
        for (count, dispatch) in dispatches.iter().enumerate() {
            if count > 0 && work.saturating_add(dispatch.cost.work) > limit {
                return (count, work);
            }
            work = work.saturating_add(dispatch.cost.work);
        }
        (dispatches.len(), work)
    }

    /// Moves the speed estimate part of the way toward the measured speed of a submit, by at most a factor of 2.
    fn learn(&mut self, work: u64, ms: f64) {
        let seen = work as f64 / ms.max(0.05);
        let bounded = seen.clamp(self.work_per_ms / 2.0, self.work_per_ms * 2.0);
        self.work_per_ms = 0.5 * self.work_per_ms + 0.5 * bounded;
    }

    fn write_uniforms(&mut self, gpu: &Gpu, recording: &Recording) {
        let slots = recording.dispatches().len();
        if self.uniforms.as_ref().is_none_or(|u| u.slots < slots) {
            let (slots, bytes) = (slots_for(slots), uniform_bytes(slots));
            let buffer = gpu.device().create_buffer(&wgpu::BufferDescriptor {
                label: Some("uniforms"),
                size: bytes,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            // Bind groups keep the old buffer alive until they are dropped.
            self.bind_groups.clear();
            let lease = gpu.tracker().lease(MemoryClass::Transfer, bytes);
            self.uniforms = Some(Uniforms { buffer, slots, _lease: lease });
        }
        let mut data = vec![0; slots * SLOT];
        for (slot, dispatch) in data.chunks_exact_mut(SLOT).zip(recording.dispatches()) {
            slot[..dispatch.uniform.len()].copy_from_slice(&dispatch.uniform);
        }
        if let Some(uniforms) = &self.uniforms {
            gpu.queue().write_buffer(&uniforms.buffer, 0, &data);
        }
    }

    fn encode(
        &mut self,
        gpu: &Gpu,
        recording: &Recording,
        first: usize,
        count: usize,
    ) -> Result<wgpu::CommandBuffer> {
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for slot in first..first + count {
                let dispatch = &recording.dispatches()[slot];
                let pipeline = self.pipeline(gpu, dispatch)?;
                let key = self.bind_group(gpu, dispatch, pipeline, slot)?;
                pass.set_pipeline(&self.pipelines[pipeline]);
                pass.set_bind_group(0, self.bind_groups.get(&key), &[]);
                let [x, y, z] = dispatch.grid;
                pass.dispatch_workgroups(x, y, z);
            }
        }
        Ok(encoder.finish())
    }

    fn pipeline(&mut self, gpu: &Gpu, dispatch: &Dispatch) -> Result<usize> {
        let key = dispatch.variant.key();
        if let Some(&index) = self.pipeline_by_key.get(&key) {
            return Ok(index);
        }
        let text = shader::compose(&dispatch.variant, &gpu.limits())?;
        let module = gpu.device().create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(&key),
            source: wgpu::ShaderSource::Wgsl(text.into()),
        });
        let pipeline = gpu.device().create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&key),
            // The layout comes from the shader's own declarations: bindings are declared only once, in WGSL.
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &[],
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        self.pipelines.push(pipeline);
        self.pipeline_by_key.insert(key, self.pipelines.len() - 1);
        Ok(self.pipelines.len() - 1)
    }

    fn bind_group(
        &mut self,
        gpu: &Gpu,
        dispatch: &Dispatch,
        pipeline: usize,
        slot: usize,
    ) -> Result<BindGroupKey> {
        let ranges = dispatch.bindings.iter().map(|b| (b.buffer.id(), b.offset, b.bytes)).collect();
        let key = BindGroupKey { pipeline, slot, ranges };
        if self.bind_groups.contains_key(&key) {
            return Ok(key);
        }
        let kernel = dispatch.variant.kernel.name;
        let Some(uniforms) = &self.uniforms else {
            bail!(InvalidArgument, "{kernel}: no uniforms were written");
        };
        let mut entries = vec![wgpu::BindGroupEntry {
            binding: 0,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &uniforms.buffer,
                offset: (slot * SLOT) as u64,
                size: std::num::NonZeroU64::new(SLOT as u64),
            }),
        }];
        for (index, binding) in dispatch.bindings.iter().enumerate() {
            let Storage::Gpu(buffer) = binding.buffer.storage() else {
                bail!(InvalidArgument, "{kernel}: buffer {} is not on the GPU", binding.buffer.name());
            };
            entries.push(wgpu::BindGroupEntry {
                binding: index as u32 + 1,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset: binding.offset,
                    size: std::num::NonZeroU64::new(binding.bytes),
                }),
            });
        }
        let group = gpu.device().create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel),
            layout: &self.pipelines[pipeline].get_bind_group_layout(0),
            entries: &entries,
        });
        if self.bind_groups.len() >= MAX_BIND_GROUPS {
            self.bind_groups.clear();
        }
        self.bind_groups.insert(BindGroupKey { pipeline, slot, ranges: key.ranges.clone() }, group);
        Ok(key)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::gpu::{Dry, Limits};
    use crate::kernel::multiply_add;

    /// Dispatches of 8192 operations per round, the smallest amount of work that the kernel can do.
    fn dispatches(count: usize, rounds: u32) -> Recording {
        let dry = Dry::open(Limits::WEBGPU_DEFAULT);
        let buffer = dry.create("values", 4096, MemoryClass::Scratch).unwrap();
        let mut recording = Recording::new();
        for _ in 0..count {
            multiply_add::record(&mut recording, &buffer, &buffer, 64, rounds);
        }
        recording
    }

    #[test]
    fn the_first_submit_is_short_on_a_device_that_does_a_billion_operations_a_second() {
        let executor = Executor::default();
        let recording = dispatches(1000, 1000);
        let each = recording.dispatches()[0].cost.work;
        let (count, work) = executor.budget(recording.dispatches());
        assert_eq!(work, count as u64 * each);
        // 10^9 operations per second is slower than any phone's GPU, and a watchdog waits for seconds.
        assert!(work as f64 <= 1e9 * executor.submit_ms / 1e3);
        assert!(count > 1 && count < 1000);
    }

    #[test]
    fn a_dispatch_that_is_larger_than_the_budget_is_submitted_alone() {
        let recording = dispatches(3, 100_000);
        let (count, _) = Executor::default().budget(recording.dispatches());
        assert_eq!(count, 1);
    }

    #[test]
    fn the_budget_grows_by_half_at_most_with_each_submit() {
        let mut executor = Executor::default();
        for _ in 0..5 {
            let before = executor.work_per_ms;
            // If the clock did not advance, the device would seem infinitely fast.
            executor.learn(u64::MAX, 0.0);
            assert!(executor.work_per_ms <= 1.5 * before);
        }
    }
}
