//! A fit of a readout to the features of its rows, and its progress.

use super::readout_export::has_bias;
use crate::error::Result;
use crate::fit::{Fit, Labels, Readout, Strength};
use crate::model::{ModelSpec, Pooling};

/// How far a readout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadoutProgress {
    /// The features of this many training rows are known.
    Rows(usize),
    /// A classifier is being fitted: `done` of `all` trial fits are done, with which the strength of its penalty is chosen. A
    /// cross-validation counts those of all of its parts.
    Fits {
        /// Number of trial fits so far.
        done: usize,
        /// Number of all trial fits.
        all: usize,
    },
}

/// Fits a linear classifier to `features`, `[rows, hidden]`, with an L2 strength chosen by cross-validation.
///
/// # Errors
/// The errors of [`Readout::fit`]; errors from `progress`.
pub(super) fn fit_linear(
    spec: &ModelSpec,
    pooling: Pooling,
    features: &[f32],
    labels: &Labels,
    progress: &mut dyn FnMut(ReadoutProgress) -> Result<()>,
) -> Result<Readout> {
    let fit = Fit { strength: Strength::Chosen, bias: has_bias(spec, pooling) };
    let mut stopped = Ok(());
    let mut told = |done, all| {
        if stopped.is_ok() {
            stopped = progress(ReadoutProgress::Fits { done, all });
        }
    };
    let readout = Readout::fit_watched(features, spec.hidden as usize, labels, fit, &mut told)?;
    stopped.map(|()| readout)
}
