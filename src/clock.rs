//! A monotonic clock for native programs and for a web worker.

/// A point in time, in milliseconds since an arbitrary start.
#[derive(Clone, Copy, Debug)]
pub struct Instant(f64);

impl Instant {
    /// The current time.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn now() -> Self {
        use std::sync::OnceLock;
        static START: OnceLock<std::time::Instant> = OnceLock::new();
        Instant(START.get_or_init(std::time::Instant::now).elapsed().as_secs_f64() * 1e3)
    }

    /// The current time.
    #[cfg(target_arch = "wasm32")]
    pub fn now() -> Self {
        Instant(now())
    }

    /// Milliseconds from `earlier` to this instant.
    pub fn since(self, earlier: Instant) -> f64 {
        self.0 - earlier.0
    }

    /// Milliseconds elapsed since this instant.
    pub fn elapsed_ms(self) -> f64 {
        Instant::now().since(self)
    }
}

#[cfg(target_arch = "wasm32")]
#[wasm_bindgen::prelude::wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;
}
