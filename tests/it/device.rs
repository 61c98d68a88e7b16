//! Device behavior: what it counts, what it rejects, and the error when it is lost.

use std::rc::Rc;

use crate::common::device_test;
use pocketllm::error::Code;
use pocketllm::gpu::{Backend, Gpu, GpuOptions, LimitsChoice, MemoryClass, Recording};
use pocketllm::kernel::activation::{self, Activation};

device_test! {
    async fn every_byte_is_counted_and_given_back(backend: Rc<dyn Backend>) {
        let before = backend.memory().total();
        let weights = backend.create("weights", 1000, MemoryClass::Weights).unwrap();
        assert_eq!(weights.bytes(), 1008, "sizes are multiples of 16");
        assert_eq!(backend.memory().weights, 1008);
        let scratch = backend.create("scratch", 64, MemoryClass::Scratch).unwrap();
        assert_eq!(backend.memory().total(), before + 1008 + 64);
        drop((weights, scratch));
        assert_eq!(backend.memory().total(), before);
        assert!(backend.memory().peak >= before + 1008 + 64);
    }
}

device_test! {
    async fn what_is_too_large_is_refused_by_name(backend: Rc<dyn Backend>) {
        let most = backend.limits().buffer_bytes;
        let error = backend.create("a great tensor", most + 16, MemoryClass::Weights).unwrap_err();
        assert_eq!(error.code(), Code::LimitExceeded);
        assert!(error.message().contains("a great tensor"), "{error}");
        let small = backend.create("small", 16, MemoryClass::Weights).unwrap();
        assert_eq!(backend.write(&small, 8, &[0; 12]).unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(backend.read(&small, 8, 16).await.unwrap_err().code(), Code::InvalidArgument);
    }
}

device_test! {
    async fn a_lost_device_is_an_error_with_its_code(_backend: Rc<dyn Backend>) {
        let gpu = Gpu::open(GpuOptions { limits: LimitsChoice::Default }).await.unwrap();
        let x = gpu.create("x", 256, MemoryClass::Activations).unwrap();
        let mut recording = Recording::new();
        activation::record(&mut recording, Activation::Relu, &x, 64);
        gpu.run(&recording).await.unwrap();
        gpu.destroy();
        for error in [
            gpu.run(&recording).await.unwrap_err(),
            gpu.read(&x, 0, 256).await.unwrap_err(),
            gpu.write(&x, 0, &[0; 4]).unwrap_err(),
            gpu.create("z", 16, MemoryClass::Activations).unwrap_err(),
        ] {
            assert_eq!(error.code(), Code::DeviceLost, "{error}");
        }
    }
}

/// wgpu cannot request this feature from a browser, so `src/gpu/subgroups.rs` does.
#[cfg(target_arch = "wasm32")]
#[wasm_bindgen_test::wasm_bindgen_test]
async fn subgroups_are_requested_where_the_browser_offers_them() {
    let method = || js_sys::eval("globalThis.GPUAdapter?.prototype.requestDevice").unwrap();
    let offered = js_sys::eval(
        "Promise.resolve(navigator.gpu?.requestAdapter()).then((adapter) => adapter?.features.has('subgroups'))",
    );
    let offered: js_sys::Promise = wasm_bindgen::JsCast::unchecked_into(offered.unwrap());
    let offered = wasm_bindgen_futures::JsFuture::from(offered).await.unwrap().as_bool();
    let browsers_own = method();
    let Some(offered) = offered else {
        return crate::common::skip("subgroups", "no adapter");
    };
    let gpu = Gpu::open(GpuOptions::default()).await.unwrap();
    assert_eq!(gpu.limits().subgroups, offered);
    crate::common::say(&format!("subgroups: {offered}, {} lanes", gpu.limits().lanes));
    assert_eq!(method(), browsers_own, "the browser's method is back in its place");
}
