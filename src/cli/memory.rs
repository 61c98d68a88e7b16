//! The planned GPU memory of a run: its limit, and how it is displayed.

use crate::error::Result;
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

/// A plan in one line.
pub(super) fn line(plan: &Plan) -> String {
    let mb = |bytes: u64| bytes as f64 / 1e6;
    format!(
        "GPU memory: at most {:.1} MB ({:.1} weights, {:.1} adapter, {:.1} perturbed weights, {:.1} activations); Adam would take {:.1} MB",
        mb(plan.peak),
        mb(plan.weights),
        mb(plan.adapter),
        mb(plan.scratch),
        mb(plan.activations),
        mb(plan.adam)
    )
}
