//! A monotonic clock that a browser's worker has, too.

/// A moment, in milliseconds since an arbitrary one.
#[derive(Clone, Copy, Debug)]
pub struct Instant(f64);

impl Instant {
    /// Now.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn now() -> Self {
        use std::sync::OnceLock;
        static START: OnceLock<std::time::Instant> = OnceLock::new();
        Instant(START.get_or_init(std::time::Instant::now).elapsed().as_secs_f64() * 1e3)
    }

    /// Now.
    #[cfg(target_arch = "wasm32")]
    pub fn now() -> Self {
        Instant(now())
    }

    /// Milliseconds from `earlier` to this moment.
    pub fn since(self, earlier: Instant) -> f64 {
        self.0 - earlier.0
    }

    /// Milliseconds from this moment until now.
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
