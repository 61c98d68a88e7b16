//! Floor 5: zeroth-order optimisation: the random direction, the two-point estimate, the update, and its record.

pub mod random;
pub mod schedule;
pub mod spsa;
pub mod trajectory;
