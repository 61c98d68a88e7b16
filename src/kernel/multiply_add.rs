//! Multiply and add: the rate that a matmul's speed is compared with.

use crate::gpu::{Buffer, Cost, Recording, Variant};

super::kernel!("multiply_add");

super::uniform! {
    /// `@binding(0)`.
    pub struct Params {
        /// Multiply-adds per accumulator.
        pub rounds: u32,
    }
}

/// Every variant that can be recorded.
pub fn variants() -> Vec<Variant> {
    vec![(&KERNEL).into()]
}

/// `y[i]` for i < `threads`, a multiple of 64: the sum of 64 accumulators after `rounds` rounds of c = c * x + z. The buffer `x`
/// contains 4 values of x, followed by 4 of z.
pub fn record(recording: &mut Recording, x: &Buffer, y: &Buffer, threads: u32, rounds: u32) {
    let grid = [threads / 64, 1, 1];
    let cost = Cost { work: flops(threads, rounds) as u64, bytes: 4 * u64::from(threads) };
    recording.push(&KERNEL, &Params { rounds }, vec![x.into(), y.into()], grid, cost);
}

/// The number of floating-point operations of [`record`].
pub fn flops(threads: u32, rounds: u32) -> f64 {
    f64::from(threads) * f64::from(rounds) * 128.0
}
