//! A short measurement of the device in a tab, before a model is downloaded.

use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::options::{self, to_js};
use super::{device, js_error, plan};
use crate::error::Result;
use crate::train::{Session, dtype, probe_memory, probe_speed};

#[derive(Serialize)]
struct Probed {
    /// Floating-point operations per second.
    flops: f64,
}

/// Measures the device: how fast it passes random tokens through the small random model of `{ config, dtype }` and, if `bytes` is
/// given, whether it has that much memory.
#[wasm_bindgen]
pub async fn probe(options: JsValue) -> std::result::Result<JsValue, JsValue> {
    let probed = probed(&options).await.map_err(js_error)?;
    to_js(&probed).map_err(js_error)
}

async fn probed(options: &JsValue) -> Result<Probed> {
    let stored = dtype(options::text(options, "dtype").as_deref().unwrap_or("f32"))?;
    let dir = options::model_dir(options, &JsValue::UNDEFINED)?;
    let bytes = plan::bytes(options, "bytes")?;
    let device = device::open(&JsValue::UNDEFINED).await?;
    let measured = async {
        let mut session = Session::open(device.clone(), dir.as_ref(), stored, &mut |_| Ok(())).await?;
        let flops = probe_speed(&mut session).await?;
        drop(session);
        if let Some(bytes) = bytes {
            probe_memory(device.as_ref(), bytes).await?;
        }
        Ok(Probed { flops })
    };
    let result = measured.await;
    device.destroy();
    result
}
