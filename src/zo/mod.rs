//! Zeroth-order optimization: the random directions, the gradient estimators, the updates, and the record of a probe.

pub mod estimator;
pub mod optimizer;
pub mod random;
pub mod record;
pub mod schedule;
pub mod update;
