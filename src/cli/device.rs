//! Opens the device selected by the global flags.

use std::rc::Rc;

use super::context::{Context, Device, LimitsArg};
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

/// The device's limits, or WebGPU's defaults if there is no device.
pub(super) async fn limits(context: &Context) -> Limits {
    backend(context).await.map_or(Limits::WEBGPU_DEFAULT, |backend| backend.limits())
}
