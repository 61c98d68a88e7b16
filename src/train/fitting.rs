//! Whether a run fits the device's memory, and which change of its settings would make it fit.

use super::method::{Method, dtype_name};
use super::method_options::{MethodKind, MethodOptions};
use super::plan::{Plan, Sizes};
use super::session::Session;
use super::settings::Settings;
use crate::dtype::DType;
use crate::error::{Result, bail};
use crate::zo::estimator::EstimatorKind;

impl Session {
    /// Returns the plan of a run, or rejects a run that needs more than `capacity` bytes.
    ///
    /// # Errors
    /// `out-of-memory` with the first change of settings that fits, where `name` gives each setting's name; the errors of
    /// [`Session::plan`].
    pub async fn check_plan(
        &self,
        settings: &Settings,
        sizes: &Sizes,
        capacity: Option<u64>,
        name: &dyn Fn(&str, &str) -> String,
    ) -> Result<Plan> {
        let plan = self.plan(settings, self.dtype(), sizes).await?;
        let Some(capacity) = capacity.filter(|capacity| plan.peak > *capacity) else { return Ok(plan) };
        let says = |(change, peak): (Change, u64)| {
            let change: Vec<String> = change.iter().map(|(what, value)| name(what, value)).collect();
            format!("{} would take {}", change.join(" "), megabytes(peak))
        };
        let resident = match self.streams_layers() {
            true => None,
            false => self.fitting_change((settings, false), sizes, capacity).await?,
        };
        // Streaming layers costs time. It is suggested only if nothing else fits, or if it is sufficient on its own.
        let streamed = self.fitting_change((settings, true), sizes, capacity).await?;
        let advice = match (resident, streamed) {
            (Some(resident), Some(streamed)) if streamed.0.len() == 1 => {
                format!("{}, or {}, but more slowly", says(resident), says(streamed))
            }
            (Some(change), _) | (None, Some(change)) => says(change),
            (None, None) => "no setting makes it fit: use a smaller model".to_owned(),
        };
        bail!(
            OutOfMemory,
            "the run would take {} of GPU memory ({} of it for weights), but the limit is {}; {advice}",
            megabytes(plan.peak),
            megabytes(plan.weights),
            megabytes(capacity)
        );
    }

    /// The first change of settings that fits, with the memory it takes. The candidates are ordered by what they cost: fewer
    /// examples at a time, weights in f16, an adapter over smaller weights, shorter examples. With `streamed`, layers are also read
    /// from a file.
    async fn fitting_change(
        &self,
        (settings, streamed): (&Settings, bool),
        sizes: &Sizes,
        capacity: u64,
    ) -> Result<Option<(Change, u64)>> {
        let lora = MethodOptions { method: Some(MethodKind::Lora), ..MethodOptions::default() };
        let adapter = if settings.method == Method::Full { lora.method() } else { settings.method.clone() };
        // Streamed layers cannot be trained themselves.
        let first = if streamed { &adapter } else { &settings.method };
        let mut weights = vec![(self.dtype(), first.clone())];
        if self.dtype() == DType::F32 && !streamed {
            weights.push((DType::F16, settings.method.clone()));
        }
        // Low-rank directions are full-parameter training and also work over block formats; tensors chosen by name have no adapter.
        if settings.trainable.is_empty() {
            let low_rank = settings.estimator.kind == EstimatorKind::LowRank && !streamed;
            let method = if low_rank { &settings.method } else { &adapter };
            let smaller = [DType::F16, DType::Q8_0, DType::Q4_0].into_iter();
            let smaller = smaller.filter(|dtype| bits(*dtype) < bits(self.dtype()));
            weights.extend(smaller.map(|dtype| (dtype, method.clone())));
        }
        let longest = sizes.longest();
        let shorter = (3..=9).rev().map(|n| 1 << n).filter(|length| *length < longest);
        let lengths = std::iter::once(None).chain(shorter.map(Some));
        for length in lengths {
            let truncated = length.map_or_else(|| sizes.clone(), |length| sizes.truncated(length));
            for (dtype, method) in &weights {
                // The number of examples in a pass is halved repeatedly, and the smallest is tried first: if that does not fit,
                // none does.
                let halves =
                    std::iter::successors(Some(settings.at_once()), |n| (*n > 1).then(|| n.div_ceil(2)));
                let mut most = None;
                for micro_batch in halves.collect::<Vec<_>>().into_iter().rev() {
                    let wanted = Settings { micro_batch, method: method.clone(), ..settings.clone() };
                    match self.plan_of(&wanted, (*dtype, streamed), &truncated).await {
                        Ok(plan) if plan.peak <= capacity => most = Some((micro_batch, plan.peak)),
                        // Settings that the model cannot be trained with must not be suggested.
                        _ => break,
                    }
                }
                let Some((micro_batch, peak)) = most else { continue };
                let mut change = Change::new();
                if streamed && !self.streams_layers() {
                    change.push(("stream-layers", "true".to_owned()));
                }
                if micro_batch != settings.at_once() {
                    change.push(("micro-batch", micro_batch.to_string()));
                }
                if *method != settings.method {
                    change.push(("method", method.name().to_owned()));
                }
                if *dtype != self.dtype() {
                    change.push(("dtype", dtype_name(*dtype).to_owned()));
                }
                change.extend(length.map(|length| ("max-length", length.to_string())));
                return Ok(Some((change, peak)));
            }
        }
        Ok(None)
    }
}

/// Settings by their flag names, with their values.
type Change = Vec<(&'static str, String)>;

/// The approximate number of bits per element.
fn bits(dtype: DType) -> usize {
    dtype.block_bytes() * 8 / dtype.block_len()
}

/// A number of bytes in a human-readable form.
fn megabytes(bytes: u64) -> String {
    if bytes < 100_000 { format!("{bytes} bytes") } else { format!("{:.1} MB", bytes as f64 / 1e6) }
}
