//! Floor 5: zeroth-order optimisation: the random direction, estimators of the gradient, the update, and its record.

pub mod estimator;
pub mod random;
pub mod schedule;
pub mod trajectory;
pub mod update;
