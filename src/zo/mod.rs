//! Zeroth-order optimization. It has the random directions, the gradient estimators, the
//! updates, and the record of one probe.

pub mod estimator;
pub mod optimizer;
pub mod random;
pub mod record;
pub mod schedule;
pub mod update;
