//! Code that the tests share: golden values, comparisons, one test body for native and browser runs, and the comparison of a
//! recording on the device with its CPU reference kernels.

// Each test binary uses a different part of this module.
#![allow(dead_code, unused_macros, unused_imports)]

pub(crate) mod compare;
pub(crate) mod golden;

use std::rc::Rc;

use pocketllm::dtype::DType;
use pocketllm::error::Code;
use pocketllm::gpu::{Backend, Buffer, Gpu, GpuOptions, LimitsChoice, MemoryClass, Recording};
use pocketllm::reference::Host;
use pocketllm::rng::threefry2x32;

/// A test that needs a device: natively it blocks, in a browser it is awaited. `own` before it means that no other test may use the
/// device.
macro_rules! device_test {
    (own $($test:tt)*) => { $crate::common::device_test! { @own_device $($test)* } };
    (@$open:ident $(#[$($attribute:tt)*])* async fn $name:ident($backend:ident: $kind:ty) $body:block) => {
        #[cfg(not(target_arch = "wasm32"))]
        #[test]
        $(#[$($attribute)*])*
        fn $name() {
            pollster::block_on(async {
                let Some($backend): Option<$kind> = $crate::common::$open(stringify!($name)).await else {
                    return;
                };
                $body
            })
        }

        #[cfg(target_arch = "wasm32")]
        #[wasm_bindgen_test::wasm_bindgen_test]
        $(#[$($attribute)*])*
        async fn $name() {
            let Some($backend): Option<$kind> = $crate::common::$open(stringify!($name)).await else {
                return;
            };
            $body
        }
    };
    ($($test:tt)*) => { $crate::common::device_test! { @device $($test)* } };
}
pub(crate) use device_test;

/// A test that needs no device: natively it blocks, in a browser it is awaited.
macro_rules! async_test {
    (async fn $name:ident() $body:block) => {
        #[cfg(not(target_arch = "wasm32"))]
        #[test]
        fn $name() {
            pollster::block_on(async { $body })
        }

        #[cfg(target_arch = "wasm32")]
        #[wasm_bindgen_test::wasm_bindgen_test]
        async fn $name() {
            $body
        }
    };
}
pub(crate) use async_test;

/// Whether a missing adapter is a failure, which is set in the environment of the test run (native) or of the build (wasm).
fn required() -> bool {
    let native = std::env::var("POCKETLLM_REQUIRE_GPU").ok();
    native.as_deref().or(option_env!("POCKETLLM_REQUIRE_GPU")) == Some("1")
}

pub(crate) fn say(line: &str) {
    #[cfg(not(target_arch = "wasm32"))]
    println!("{line}");
    #[cfg(target_arch = "wasm32")]
    wasm_bindgen_test::console_log!("{line}");
}

/// Reports that a test did not run: `tests/run` counts these lines. Natively, the line bypasses the test harness, which captures
/// the output of passing tests.
pub(crate) fn skip(test: &str, why: &str) {
    #[cfg(not(target_arch = "wasm32"))]
    {
        use std::io::Write;
        let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
    }
    #[cfg(target_arch = "wasm32")]
    wasm_bindgen_test::console_log!("skipped: {test}: {why}");
}

/// A device with WebGPU's default limits, or `None` if there is no adapter and none is required. Natively, each test has its own
/// device. In a browser, where tests run one after another and a new device recompiles all its programs, they share one.
pub(crate) async fn device(test: &str) -> Option<Rc<dyn Backend>> {
    #[cfg(not(target_arch = "wasm32"))]
    return own_device(test).await;
    #[cfg(target_arch = "wasm32")]
    {
        thread_local!(static SHARED: std::cell::RefCell<Option<Rc<dyn Backend>>> = const { std::cell::RefCell::new(None) });
        let shared = SHARED.with_borrow(Clone::clone);
        // A device that an earlier test has lost, or on which it has caused an error, cannot create anything.
        let sound = shared.filter(|gpu| gpu.create("probe", 16, MemoryClass::Transfer).is_ok());
        let gpu = match sound {
            Some(gpu) => gpu,
            None => own_device(test).await?,
        };
        SHARED.with_borrow_mut(|shared| *shared = Some(Rc::clone(&gpu)));
        Some(gpu)
    }
}

/// A device that no other test uses, for a test that reads the device's peak memory or loses the device.
pub(crate) async fn own_device(test: &str) -> Option<Rc<dyn Backend>> {
    match Gpu::open(GpuOptions { limits: LimitsChoice::Default }).await {
        Ok(gpu) => Some(gpu),
        Err(error) if error.code() == Code::WebgpuUnavailable && !required() => {
            skip(test, &error.to_string());
            None
        }
        Err(error) => panic!("{test}: {error}"),
    }
}

/// Creates the buffers of a test on one backend.
pub(crate) struct Lab<'a>(pub(crate) &'a dyn Backend);

impl Lab<'_> {
    pub(crate) fn floats(&self, name: &str, values: &[f32]) -> Buffer {
        self.words(name, &values.iter().map(|v| v.to_bits()).collect::<Vec<_>>())
    }

    pub(crate) fn words(&self, name: &str, values: &[u32]) -> Buffer {
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let buffer = self.0.create(name, bytes.len() as u64, MemoryClass::Activations).unwrap();
        self.0.write(&buffer, 0, &bytes).unwrap();
        buffer
    }

    /// Fills the buffer with a number that no kernel writes, so that unwritten elements are detected.
    pub(crate) fn unwritten(&self, name: &str, count: u32) -> Buffer {
        self.floats(name, &vec![UNWRITTEN; count as usize])
    }

    pub(crate) async fn read(&self, buffer: &Buffer) -> Vec<u32> {
        let bytes = self.0.read(buffer, 0, buffer.bytes()).await.unwrap();
        bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
    }
}

/// See [`Lab::unwritten`].
pub(crate) const UNWRITTEN: f32 = 1234.5;

/// Words of each output buffer, on the device and on the host.
pub(crate) type Outputs = Vec<(Vec<u32>, Vec<u32>)>;

/// Records the same dispatches on the device and on the host, runs both, and reads the named buffers back.
pub(crate) async fn both(
    backend: &Rc<dyn Backend>,
    build: impl Fn(&Lab<'_>, &mut Recording) -> Vec<Buffer>,
) -> Outputs {
    let host: Rc<dyn Backend> = Host::open();
    let mut read = Vec::new();
    for backend in [backend, &host] {
        let lab = Lab(backend.as_ref());
        let mut recording = Recording::new();
        let outputs = build(&lab, &mut recording);
        backend.run(&recording).await.unwrap();
        let mut words = Vec::new();
        for output in &outputs {
            words.push(lab.read(output).await);
        }
        read.push(words);
    }
    let host = read.pop().unwrap_or_default();
    read.pop().unwrap_or_default().into_iter().zip(host).collect()
}

/// The largest difference between two float tensors, relative to the larger of 1 and the host's largest magnitude.
pub(crate) fn difference(device: &[u32], host: &[u32]) -> f32 {
    let largest =
        host.iter().map(|v| f32::from_bits(*v).abs()).filter(|v| *v != UNWRITTEN).fold(1.0, f32::max);
    let pairs = device.iter().zip(host).map(|(a, b)| (f32::from_bits(*a), f32::from_bits(*b)));
    // A NaN must not count as no difference.
    pairs.map(|(a, b)| if a.is_finite() { (a - b).abs() } else { f32::INFINITY }).fold(0.0, f32::max)
        / largest
}

/// Numbers in -1..1 that are the same on every platform.
pub(crate) fn noise(seed: u32, count: u32) -> Vec<f32> {
    let unit = |i| threefry2x32([seed, 0], [i, 0])[0] as f32 / 4_294_967_296.0;
    (0..count).map(|i| 2.0 * unit(i) - 1.0).collect()
}

/// Integers below `end` that are the same on every platform.
pub(crate) fn choices(seed: u32, count: u32, end: u32) -> Vec<u32> {
    (0..count).map(|i| threefry2x32([seed, 1], [i, 0])[0] % end).collect()
}

/// Weights in a storage format, as in files: noise or, for a format that can only be read, repetitions of the blocks of its test vector.
pub(crate) fn encoded(dtype: DType, seed: u32, elements: u32) -> Vec<u8> {
    dtype.quantize(&noise(seed, elements)).unwrap_or_else(|_| {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../golden/formats.json")).unwrap();
        let hex = vectors[dtype.name()]["blocks"].as_str().unwrap();
        let bytes = (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap());
        let blocks: Vec<u8> = bytes.collect();
        blocks.iter().copied().cycle().take(dtype.bytes_for(elements.into()).unwrap() as usize).collect()
    })
}
