//! The interface to JavaScript. The npm package wraps it; users do not call it directly.
//!
//! Errors reach JavaScript as `Error` objects with the fields `code` and `message`. Calls on one tuner never
//! overlap: the package's worker queues them.

mod asking;
#[cfg(feature = "bench")]
mod bench;
mod device;
mod export;
mod files;
mod fine_tuner;
mod options;
mod plan;
mod probe;
mod readout;
mod report;
mod rows;
mod training;

#[cfg(feature = "bench")]
pub use bench::{TabBench, choose_tiles, logits_of, measure_matmul, measure_matmuls};
#[cfg(feature = "cpu")]
pub use device::{crew_module, join_crew};
pub use files::{file_names, files_of};
pub use fine_tuner::Tuner;
pub use plan::{check_model, plan};
pub use probe::probe;
pub use rows::read_rows;

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::error::Error;

/// Reports panics in the browser's console.
#[wasm_bindgen(start)]
pub fn start() {
    console_error_panic_hook::set_once();
}

/// An `Error` with its `code`.
fn js_error(error: Error) -> JsValue {
    let thrown = js_sys::Error::new(error.message());
    // Setting a field of a fresh, extensible object cannot fail.
    let _ = js_sys::Reflect::set(&thrown, &"code".into(), &error.code().as_str().into());
    thrown.into()
}
