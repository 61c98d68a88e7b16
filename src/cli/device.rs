//! Opens the device selected by the global flags.

use std::rc::Rc;

use super::context::{Context, Device, LimitsArg};
use super::print::note;
use crate::cpu;
use crate::error::Result;
use crate::gpu::{Backend, Gpu, GpuOptions, Limits, LimitsChoice};
use crate::reference::Host;

/// Opens the backend.
///
/// # Errors
/// `webgpu-unavailable` if there is no GPU.
pub(super) async fn backend(context: &Context) -> Result<Rc<dyn Backend>> {
    Ok(match context.device {
        Device::Cpu => cpu::open(),
        Device::CpuReference => Host::open(),
        Device::Gpu => {
            let limits = match context.limits {
                LimitsArg::Adapter => LimitsChoice::Adapter,
                LimitsArg::Default => LimitsChoice::Default,
            };
            Gpu::open(GpuOptions { limits }).await?
        }
    })
}

/// Says that the GPU is emulated by software, because the processor itself is faster.
pub(super) fn note_software(backend: &dyn Backend) {
    if backend.limits().software {
        note!("{}", software(&backend.name()));
    }
}

fn software(name: &str) -> String {
    format!("{name} emulates a GPU in software: --device cpu is usually faster")
}

/// The device's limits, or WebGPU's defaults if there is no device.
pub(super) async fn limits(context: &Context) -> Limits {
    backend(context).await.map_or(Limits::WEBGPU_DEFAULT, |backend| backend.limits())
}
