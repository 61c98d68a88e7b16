//! Compares each kernel on the device with its CPU reference, over ragged shapes.

// A test fails by panicking.
#![allow(clippy::unwrap_used, clippy::panic)]

/// A test of kernels on the device and, natively, on the CPU backend.
macro_rules! kernel_test {
    ($(#[$($attribute:tt)*])* async fn $name:ident($backend:ident: $kind:ty) $body:block) => {
        crate::common::device_test! {
            $(#[$($attribute)*])*
            async fn $name($backend: $kind) $body
        }

        #[cfg(not(target_arch = "wasm32"))]
        mod $name {
            #[allow(unused_imports, reason = "not every test needs all of them")]
            use super::*;

            #[test]
            fn on_the_cpu() {
                pollster::block_on(async {
                    let $backend: $kind = pocketllm::cpu::open();
                    $body
                })
            }
        }
    };
}

mod attention;
#[path = "../common/mod.rs"]
mod common;
mod layouts;
mod losses;
mod matmul;

use std::rc::Rc;

use common::{both, choices, difference, noise};
use pocketllm::dtype::DType;
use pocketllm::gpu::Backend;
use pocketllm::kernel::activation::Activation;
use pocketllm::kernel::*;

#[cfg(target_arch = "wasm32")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);

/// The maximum allowed difference, relative to the larger of 1 and the largest magnitude in the tensor.
const TOLERANCES: &[(&str, f32, &str)] = &[
    ("gather_rows", 0.0, "a copy"),
    ("pool", 1e-6, "sums in another order; division to 2.5 ulp"),
    ("kv_append", 0.0, "a copy"),
    ("matmul", 2e-6, "sums in another order"),
    ("matmul in f16", 5e-3, "operands and sums of 16 products rounded to 11 bits"),
    ("multiply_add", 1e-6, "a sum of 64 in another order; products and sums that a device may fuse"),
    ("short_convolution", 1e-6, "products and sums that a device may fuse"),
    ("rotary", 1e-6, "two products and a sum, which a device may fuse"),
    ("layer_norm", 1e-5, "sums in another order; 1/sqrt of a width-3 row's variance enlarges their rounding"),
    ("rms_norm", 3e-6, "sums in another order, inverse square root to 2 ulp"),
    ("activation", 3e-6, "exp to 3 + 2|x| ulp, division to 2.5 ulp"),
    ("glu", 3e-6, "as activation"),
    ("attention", 1e-5, "sums in another order; exp of scores up to 10 apart, to 3 + 2|x| ulp"),
    ("cross_entropy", 5e-6, "exp to 3 + 2|x| ulp, log to 2^-21 absolutely, sums in another order"),
    ("mean_loss", 1e-6, "sums in another order"),
    ("softcap", 1e-6, "exp to 3 + 2|x| ulp near 1, divisions to 2.5 ulp"),
    ("embedding", 1e-7, "a product"),
    ("sample", 1e-5, "two logs to 2^-21 absolutely"),
];

/// Compares a device tensor with that of the CPU reference.
fn close(kernel: &str, shape: &str, (device, host): &(Vec<u32>, Vec<u32>)) {
    let tolerance = TOLERANCES.iter().find(|(name, ..)| *name == kernel).unwrap().1;
    let seen = difference(device, host);
    common::say(&format!("{kernel} {shape}: {seen:.1e} of {tolerance:.0e}"));
    assert!(seen <= tolerance, "{kernel} {shape}: differs by {seen:e}, allowed {tolerance:e}");
}

kernel_test! {
    async fn elementwise_kernels(backend: Rc<dyn Backend>) {
        for activation in Activation::ALL {
            // Both tails, where a naive formula overflows, each with its own scale; and the middle.
            let middle: Vec<f32> = (-60..=60).map(|i| i as f32 / 10.0).collect();
            for values in [middle, vec![-300.0, -88.0, -30.0, 30.0, 88.0, 300.0], vec![-1e18, 1e18]] {
                let count = values.len() as u32;
                let outputs = both(&backend, |lab, recording| {
                    let x = lab.floats("x", &values);
                    activation::record(recording, activation, &x, count);
                    vec![x]
                }).await;
                close("activation", &format!("{activation:?} from {}", values[0]), &outputs[0]);
            }
            let outputs = both(&backend, |lab, recording| {
                let (rows, width) = (3, 65);
                let x = lab.floats("x", &noise(3, rows * 2 * width));
                let y = lab.unwritten("y", rows * width);
                glu::record(recording, activation, &x, &y, glu::Params { rows, width });
                vec![y]
            }).await;
            close("glu", &format!("{activation:?}"), &outputs[0]);
        }
    }
}

kernel_test! {
    async fn multiply_and_add(backend: Rc<dyn Backend>) {
        let outputs = both(&backend, |lab, recording| {
            let x = lab.floats("x", &[0.5, -0.5, 0.25, 0.75, 1.0, 2.0, -1.0, 0.5]);
            let y = lab.unwritten("y", 128);
            multiply_add::record(recording, &x, &y, 128, 9);
            vec![y]
        }).await;
        close("multiply_add", "128 x 9", &outputs[0]);
    }
}

kernel_test! {
    async fn norms(backend: Rc<dyn Backend>) {
        let shapes = [(2, 3, 1), (1, 1, 3), (2, 17, 30), (3, 2, 36), (1, 3, 64), (2, 5, 65), (1, 2, 100), (2, 3, 257)];
        for (branches, tokens, width) in shapes {
            let (rows, vector_stride) = (branches * tokens, 2 * width + 5);
            let shape = format!("{branches} x {tokens} x {width}");
            let outputs = both(&backend, |lab, recording| {
                // Not centered, like a real model's activations.
                let x: Vec<f32> = noise(1, rows * width).iter().map(|v| v + 0.5).collect();
                let x = lab.floats("x", &x);
                let vectors = lab.floats("vectors", &noise(2, branches * vector_stride));
                let ys = ["y", "unbiased", "unweighted", "rms"].map(|name| lab.unwritten(name, rows * width));
                let (weight, epsilon) = (3, 1e-5);
                let layers = [(weight, 3 + width), (weight, NO_BIAS), (NO_BIAS, NO_BIAS)];
                for (y, (weight, bias)) in ys.iter().zip(layers) {
                    let params = layer_norm::Params {
                        rows, rows_per_branch: tokens, width, weight, bias, vector_stride, epsilon,
                    };
                    layer_norm::record(recording, &x, &vectors, y, params);
                }
                let params = rms_norm::Params {
                    rows, rows_per_branch: tokens, width, weight, vector_stride, epsilon,
                    weight_offset: 0.0, heads: 1, stride: width, column: 0,
                };
                rms_norm::record(recording, &x, &vectors, &ys[3], params);
                ys.to_vec()
            }).await;
            close("layer_norm", &shape, &outputs[0]);
            close("layer_norm", &format!("{shape} without bias"), &outputs[1]);
            close("layer_norm", &format!("{shape} without weight"), &outputs[2]);
            close("rms_norm", &shape, &outputs[3]);
        }
    }
}

kernel_test! {
    async fn norms_of_heads(backend: Rc<dyn Backend>) {
        // Branches, tokens, heads, width, columns before and after the heads.
        let shapes = [(1, 1, 1, 1, 0, 0), (2, 5, 4, 14, 0, 28), (2, 3, 3, 64, 192, 7), (3, 2, 1, 257, 5, 0)];
        for (branches, tokens, heads, width, column, rest) in shapes {
            let (rows_per_branch, stride, vector_stride) = (tokens * heads, column + heads * width + rest, width + 5);
            let shape = format!("{branches} x {tokens} x {heads} x {width}");
            let outputs = both(&backend, |lab, recording| {
                let x = noise(1, branches * tokens * stride);
                let [x, own] = ["x", "own"].map(|name| lab.floats(name, &x));
                let vectors = lab.floats("vectors", &noise(2, branches * vector_stride));
                let y = lab.unwritten("y", branches * tokens * stride);
                let params = rms_norm::Params {
                    rows: branches * rows_per_branch, rows_per_branch, width, weight: 3, vector_stride,
                    epsilon: 1e-6, weight_offset: 1.0, heads, stride, column,
                };
                rms_norm::record(recording, &x, &vectors, &y, params);
                rms_norm::record_in_place(recording, &own, &vectors, params);
                let sum = lab.floats("sum", &noise(4, branches * tokens * stride));
                rms_norm::record_added(recording, &x, &vectors, &sum, params);
                vec![y, own, sum]
            }).await;
            close("rms_norm", &format!("{shape} to another buffer"), &outputs[0]);
            close("rms_norm", &format!("{shape} in place"), &outputs[1]);
            close("rms_norm", &format!("{shape} added"), &outputs[2]);
            // Columns that belong to no head are unchanged.
            let others = |i: usize| !(column..column + heads * width).contains(&(i as u32 % stride));
            let own = &outputs[1].0;
            let before = noise(1, branches * tokens * stride);
            assert!((0..before.len()).filter(|i| others(*i)).all(|i| own[i] == before[i].to_bits()), "{shape}");
        }
    }
}

kernel_test! {
    async fn soft_caps(backend: Rc<dyn Backend>) {
        // Around 0, where the formula could suffer from cancellation, and far out, where it could overflow.
        let middle: Vec<f32> = (-600..=600).map(|i| i as f32 / 10.0).collect();
        let small: Vec<f32> = (-600..=600).map(|i| i as f32 / 1e4).collect();
        for values in [middle, small, vec![-1e30, -1e5, -0.0, 1e5, 1e30]] {
            for cap in [0.5, 30.0] {
                let outputs = both(&backend, |lab, recording| {
                    let x = lab.floats("x", &values);
                    softcap::record(recording, &x, softcap::Params { count: values.len() as u32, cap });
                    vec![x]
                }).await;
                close("softcap", &format!("{cap} from {}", values[0]), &outputs[0]);
            }
        }
    }
}

kernel_test! {
    async fn scaled_rows_of_a_table(backend: Rc<dyn Backend>) {
        for (branches, tokens, width) in [(1, 1, 1), (2, 17, 30), (3, 5, 64)] {
            let outputs = both(&backend, |lab, recording| {
                let table = lab.floats("table", &noise(1, 9 * width).into_iter().chain([0.0; 3]).collect::<Vec<_>>());
                let ids = lab.words("ids", &choices(2, tokens, 9));
                let y = lab.unwritten("y", branches * tokens * width);
                let mut params = embedding::Params {
                    tokens, width, branches, first_row: 0, rows: 9, accumulate: 0, scale: 5.291_502_6,
                };
                embedding::record(recording, DType::F32, &params, &table, &ids, &y);
                (params.accumulate, params.scale) = (1, 1.0);
                embedding::record(recording, DType::F32, &params, &table, &ids, &y);
                vec![y]
            }).await;
            close("embedding", &format!("{branches} x {tokens} x {width}"), &outputs[0]);
        }
    }
}

kernel_test! {
    async fn more_rows_than_a_dimension_of_the_grid(backend: Rc<dyn Backend>) {
        // The grid is folded into 2 x 32,769, one workgroup too many.
        let rows = 65_537;
        let outputs = both(&backend, |lab, recording| {
            let x = lab.floats("x", &noise(1, rows));
            let vectors = lab.floats("vectors", &noise(2, 4));
            let y = lab.unwritten("y", rows + 3);
            let params = rms_norm::Params {
                rows, rows_per_branch: rows, width: 1, weight: 2, vector_stride: 4, epsilon: 1e-2,
                weight_offset: 0.0, heads: 1, stride: 1, column: 0,
            };
            rms_norm::record(recording, &x, &vectors, &y, params);
            vec![y]
        }).await;
        close("rms_norm", "65537 rows", &outputs[0]);
    }
}

kernel_test! {
    async fn rotary_positions(backend: Rc<dyn Backend>) {
        let shapes = [
            (1, 1, 1, 2, 2, 0), (2, 17, 5, 6, 6, 7), (2, 3, 12, 64, 64, 192),
            // Only the first columns of a head.
            (2, 17, 5, 7, 4, 3), (1, 5, 3, 80, 32, 80),
        ];
        let cases = shapes.iter().flat_map(|shape| [false, true].map(|adjacent| (*shape, adjacent)));
        for ((branches, tokens, heads, head_dim, dim, rest), adjacent) in cases {
            let stride = heads * head_dim + rest;
            let (step, apart) = if adjacent { (2, 1) } else { (1, dim / 2) };
            let outputs = both(&backend, |lab, recording| {
                let angles = noise(4, 20 * dim / 2);
                let table: Vec<f32> = angles.iter().flat_map(|a| [(3.0 * a).cos(), (3.0 * a).sin()]).collect();
                let x = lab.floats("x", &noise(1, branches * tokens * stride));
                let table = lab.floats("table", &table);
                let positions = lab.words("positions", &choices(5, tokens, 20));
                let params = rotary::Params { rows: branches * tokens, tokens, stride, heads, head_dim, dim, step, apart };
                rotary::record(recording, &x, &table, &positions, params);
                vec![x]
            }).await;
            close("rotary", &format!("{branches} x {tokens} x {heads} x {dim} of {head_dim}, {apart} apart"), &outputs[0]);
        }
    }
}

kernel_test! {
    async fn copies_of_rows(backend: Rc<dyn Backend>) {
        for (branches, tokens, count, width) in [(1, 1, 1, 1), (2, 17, 5, 30), (3, 5, 9, 65)] {
            let outputs = both(&backend, |lab, recording| {
                let x = lab.floats("x", &noise(1, branches * tokens * width));
                let picks = lab.words("picks", &choices(2, count, tokens));
                let y = lab.unwritten("y", branches * count * width);
                gather_rows::record(recording, &x, &picks, &y, gather_rows::Params {
                    branches, x_start: 0, x_branch: tokens * width, count, width, scale: 0.7,
                });
                // The first rows of x, without their first two columns if the width allows it.
                let column = 2.min(width - 1);
                let cache = lab.unwritten("cache", (tokens + 3) * (width - column));
                let params = kv_append::Params {
                    rows: tokens, width: width - column, stride: width, column, first_row: 2,
                };
                kv_append::record(recording, &x, &cache, params);
                vec![y, cache]
            }).await;
            close("gather_rows", &format!("{branches} x {tokens} x {width}"), &outputs[0]);
            close("kv_append", &format!("{tokens} x {width}"), &outputs[1]);
        }
    }
}

kernel_test! {
    async fn short_convolutions(backend: Rc<dyn Backend>) {
        // Branches, the lengths of sequences, cached tokens of the only sequence, columns and taps.
        let shapes = [
            (1, &[1][..], 0, 1, 1), (2, &[5, 1, 17], 0, 30, 3), (3, &[2, 3], 0, 65, 4), (1, &[1], 9, 30, 3), (1, &[4], 2, 33, 4),
            (2, &[9], 0, 7, 12),
        ];
        for (branches, lengths, cached, width, taps) in shapes {
            let tokens: u32 = lengths.iter().sum();
            let mut spans = Vec::new();
            let mut first = 0;
            for length in lengths {
                for token in first..first + length {
                    let place: u32 = cached + token;
                    spans.extend([first.max((place + 1).saturating_sub(taps)), place + 1]);
                }
                first += length;
            }
            let vector_stride = width * taps + width + 7;
            let outputs = both(&backend, |lab, recording| {
                let y = lab.unwritten("y", branches * tokens * width);
                let cache = lab.floats("cache", &noise(4, (cached + tokens) * width));
                let tensors = short_convolution::Tensors {
                    x: &lab.floats("x", &noise(1, branches * tokens * 3 * width)),
                    spans: &lab.words("spans", &spans),
                    vectors: &lab.floats("vectors", &noise(2, branches * vector_stride)),
                    cache: &cache,
                    y: &y,
                };
                let params = short_convolution::Params {
                    rows: branches * tokens, tokens, width, taps, weight: 3, bias: if width == 30 { NO_BIAS } else { 5 + width * taps },
                    vector_stride, cached, append: (branches == 1).into(),
                };
                short_convolution::record(recording, tensors, params);
                vec![y, cache]
            }).await;
            let shape = format!("{branches} x {lengths:?} x {width}, {taps} taps, {cached} cached");
            close("short_convolution", &shape, &outputs[0]);
            close("short_convolution", &format!("{shape}: the cache"), &outputs[1]);
        }
    }
}

kernel_test! {
    async fn means_of_rows(backend: Rc<dyn Backend>) {
        for (lengths, width) in [(&[1][..], 1), (&[3, 1, 17], 30), (&[65, 2, 128, 7, 5], 65)] {
            let ends: Vec<u32> = lengths.iter().scan(0, |end, length| { *end += length; Some(*end) }).collect();
            let firsts: Vec<u32> = ends.iter().zip(lengths).map(|(end, length)| end - length).collect();
            let (branches, count, rows) = (2, lengths.len() as u32, lengths.iter().sum());
            let ranges: Vec<u32> = firsts.iter().zip(&ends).flat_map(|(first, end)| [*first, *end]).collect();
            let outputs = both(&backend, |lab, recording| {
                let y = lab.unwritten("y", branches * count * width);
                let tensors = pool::Tensors {
                    x: &lab.floats("x", &noise(1, branches * rows * width)),
                    ranges: &lab.words("ranges", &ranges),
                    y: &y,
                };
                let params = pool::Params { branches, x_branch: rows * width, count, width };
                pool::record(recording, tensors, params, rows);
                vec![y]
            }).await;
            close("pool", &format!("{branches} x {count} x {width}"), &outputs[0]);
        }
    }
}
