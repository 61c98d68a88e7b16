//! The matmul's cuts in a browser, as `pocketllm bench --kernels` measures them natively: out of the ordinary runs.
//!
//! `TEST_FILTER=matmul_bench POCKETLLM_BENCH=1 ./tests/run chrome`

#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use pocketllm::gpu::{Backend, Gpu, GpuOptions};
use pocketllm::kernel::tuner;
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
async fn matmul_bench() {
    if option_env!("POCKETLLM_BENCH") != Some("1") {
        return;
    }
    let gpu = Gpu::open(GpuOptions::default()).await.unwrap();
    console_log!("{}, software: {}", gpu.name(), gpu.limits().software);
    let shapes = [[512, 1024, 1024], [64, 1024, 1024], [16, 1024, 1024], [1, 1024, 1024], [512, 8, 1024]];
    for m in tuner::measure(gpu.as_ref(), &shapes).await.unwrap() {
        let percent = 100.0 * m.of_peak;
        console_log!("{:?} {:18} {:8.2} GFLOP/s {percent:5.1}%", m.shape, m.tile, m.gflops);
    }
    console_log!("tuned: {}", tuner::tune(gpu.as_ref()).await.unwrap());
}
