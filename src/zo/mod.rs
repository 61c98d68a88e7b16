//! Floor 5: zeroth-order optimization. It has the random directions, the gradient estimators, the
//! updates, and the record of a run.

pub mod estimator;
pub mod random;
mod record;
pub mod schedule;
pub mod trajectory;
pub mod update;
