//! The random direction as a sample: moments and correlations over 10^8 draws agree with the table within sampling error.
#![cfg(not(target_arch = "wasm32"))]

use pocketllm::rng::direction;
use pocketllm::zo::random::{quantiles, stream_key};

/// Number of vec4s to draw, with four samples each.
const VEC4S: u32 = 25_000_000;

/// Maximum deviation from the expected value in standard errors. The probability of exceeding 5 by chance is one in two million.
const SIGMAS: f64 = 5.0;

#[derive(Default)]
struct Sums {
    moments: [f64; 4],
    products: [f64; 4],
}

/// Sums over a range of vec4s: powers of z, and products of z with that of another seed, step and tensor, and with the next element's.
fn sums(range: std::ops::Range<u32>) -> Sums {
    let table = quantiles();
    let (key, seed, step) = (stream_key(1, 7, 0), stream_key(2, 7, 0), stream_key(1, 8, 0));
    let mut sums = Sums::default();
    let mut before = 0.0;
    for index in range {
        let z = direction(key, [index, 3], table);
        let others = [
            direction(seed, [index, 3], table),
            direction(step, [index, 3], table),
            direction(key, [index, 4], table),
        ];
        for lane in 0..4 {
            let x = f64::from(z[lane]);
            let square = x * x;
            for (sum, power) in sums.moments.iter_mut().zip([x, square, square * x, square * square]) {
                *sum += power;
            }
            for (sum, other) in sums.products.iter_mut().zip(others.map(|o| f64::from(o[lane]))) {
                *sum += x * other;
            }
            sums.products[3] += x * before;
            before = x;
        }
    }
    sums
}

#[test]
fn a_hundred_million_draws_are_normal_and_independent() {
    let threads: Vec<_> = (0..4)
        .map(|part| std::thread::spawn(move || sums(part * (VEC4S / 4)..(part + 1) * (VEC4S / 4))))
        .collect();
    let mut total = Sums::default();
    for part in threads.into_iter().map(|thread| thread.join().unwrap()) {
        for i in 0..4 {
            total.moments[i] += part.moments[i];
            total.products[i] += part.products[i];
        }
    }
    let n = f64::from(VEC4S) * 4.0;
    // The table's own even moments, which give the expected values of the sample's moments and their variance.
    let moment = |power: i32| quantiles().iter().map(|q| f64::from(*q).powi(power)).sum::<f64>() / 2048.0;
    let expected = [0.0, moment(2), 0.0, moment(4)];
    let variances = [moment(2), moment(4) - moment(2).powi(2), moment(6), moment(8) - moment(4).powi(2)];
    for (i, name) in ["mean", "variance", "third moment", "kurtosis"].iter().enumerate() {
        let (found, error) = (total.moments[i] / n, (variances[i] / n).sqrt());
        println!("{name}: {found:.6}, expected {:.6} +- {error:.6}", expected[i]);
        assert!((found - expected[i]).abs() < SIGMAS * error, "{name}: {found}");
    }
    let error = 1.0 / n.sqrt();
    for (i, name) in ["seeds", "steps", "tensors", "neighbours"].iter().enumerate() {
        let found = total.products[i] / n;
        println!("correlation between {name}: {found:.6}, expected 0 +- {error:.6}");
        assert!(found.abs() < SIGMAS * error, "{name}: {found}");
    }
}
