//! The planned GPU memory of a run: its limit, and how it is displayed.

use super::context::Device;
use crate::error::Result;
use crate::gpu::Backend;
use crate::train::{Plan, Session, Settings, Sizes};

/// The limit on the memory of a run.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct LimitArgs {
    /// Refuse a run that would take more bytes of GPU memory [default: what the device is known to have]
    #[arg(long)]
    max_gpu_bytes: Option<u64>,
}

impl LimitArgs {
    /// Plans a run.
    ///
    /// # Errors
    /// `out-of-memory` if the run needs more than the flag allows or, without the flag, more than the `known` capacity of the device.
    pub(super) async fn check(
        &self,
        session: &Session,
        settings: &Settings,
        sizes: &Sizes,
        known: Option<u64>,
    ) -> Result<Plan> {
        let flag = |what: &str, value: &str| match value {
            "true" => format!("--{what}"),
            value => format!("--{what} {value}"),
        };
        session.check_plan(settings, sizes, self.max_gpu_bytes.or(known), &flag).await
    }
}

/// A plan in one line, with the name of the device. Without steps, as for a readout, there is nothing that Adam would do.
pub(super) fn line(device: Device, backend: &dyn Backend, plan: &Plan, steps: bool) -> String {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let memory = match device {
        Device::Gpu => format!("GPU memory on {}", backend.name()),
        Device::Cpu | Device::CpuReference => "memory on the processor".to_owned(),
    };
    let adam = match steps {
        true => format!("; backpropagation with Adam would take {:.1} MB", mb(plan.adam)),
        false => String::new(),
    };
    format!(
        "{memory}: at most {:.1} MB ({:.1} weights, {:.1} adapter, {:.1} perturbed weights, {:.1} activations){adam}",
        mb(plan.peak),
        mb(plan.weights),
        mb(plan.adapter),
        mb(plan.scratch),
        mb(plan.activations)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu;

    #[test]
    fn a_plan_names_the_device_and_compares_only_steps_with_backpropagation() {
        let (backend, plan) = (cpu::open(), Plan::default());
        let steps = line(Device::Cpu, backend.as_ref(), &plan, true);
        assert!(steps.starts_with("memory on the processor: at most 0.0 MB"), "{steps}");
        assert!(steps.ends_with("; backpropagation with Adam would take 0.0 MB"), "{steps}");
        let readout = line(Device::Gpu, backend.as_ref(), &plan, false);
        assert!(readout.starts_with("GPU memory on cpu: at most") && readout.ends_with(')'), "{readout}");
    }
}
