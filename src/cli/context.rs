//! The global flags, which apply to every command.

use clap::ValueEnum;

/// The device that computes.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum Device {
    /// The GPU, through WebGPU.
    #[default]
    Gpu,
    /// The CPU.
    Cpu,
    /// The CPU reference kernels, which are slow.
    CpuReference,
}

/// Which GPU limits to use.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(super) enum LimitsArg {
    /// The adapter's own.
    #[default]
    Adapter,
    /// WebGPU's defaults.
    Default,
}

/// The global flags that every command needs.
pub(super) struct Context {
    pub(super) json: bool,
    pub(super) device: Device,
    pub(super) limits: LimitsArg,
    pub(super) tiles: String,
    pub(super) stream_layers: bool,
}
