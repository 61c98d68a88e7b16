//! The measurements of `www/bench` in a tab. They are in builds with the feature `bench` only, so visitors do not download them.

use std::rc::Rc;

use js_sys::{Float32Array, Uint32Array};
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::js_error;
use super::options::{self, to_js};
use crate::error::Result;
use crate::gemm::tuner;
use crate::gpu::{Backend, Gpu, GpuOptions, LimitsChoice, MemoryUse};
use crate::reference::Host;
use crate::train::{Bench, Options, Session, dtype};

type Thrown<T> = std::result::Result<T, JsValue>;

/// A loaded model that is set up to train on one batch, whose passes are timed one by one.
#[wasm_bindgen]
pub struct TabBench {
    gpu: Rc<Gpu>,
    bench: Bench,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    adapter: String,
    flops: f64,
    gpu_bytes: MemoryUse,
}

#[wasm_bindgen]
impl TabBench {
    /// Loads the model of `{ url | config, dtype }` and sets it up for a training of its further options, on sequences of
    /// `maxLength` random tokens.
    pub async fn create(options: JsValue) -> Thrown<TabBench> {
        Self::open(&options).await.map_err(js_error)
    }

    /// The adapter, the operations of a forward pass, and the GPU memory taken so far.
    pub fn info(&self) -> Thrown<JsValue> {
        let gpu_bytes = self.gpu.memory();
        to_js(&Measured { adapter: self.gpu.name(), flops: self.bench.flops(), gpu_bytes }).map_err(js_error)
    }

    /// Token ids of all sequences, end to end.
    pub fn ids(&self) -> Uint32Array {
        Uint32Array::from(&self.bench.batch().ids[..])
    }

    /// Positions of the scored tokens.
    pub fn targets(&self) -> Uint32Array {
        let positions: Vec<u32> = self.bench.batch().targets.iter().map(|target| target.position).collect();
        Uint32Array::from(&positions[..])
    }

    /// Logits `[target, vocabulary]`.
    pub async fn logits(&mut self) -> Thrown<Float32Array> {
        Ok(Float32Array::from(&self.bench.logits().await.map_err(js_error)?[..]))
    }

    /// Milliseconds of a forward pass.
    pub async fn forward(&mut self) -> Thrown<f64> {
        self.bench.forward().await.map_err(js_error)
    }

    /// Milliseconds of a step, after a forward pass.
    pub async fn step(&mut self) -> Thrown<f64> {
        self.bench.step().await.map_err(js_error)
    }
}

impl TabBench {
    async fn open(options: &JsValue) -> Result<TabBench> {
        let stored = dtype(options::text(options, "dtype").as_deref().unwrap_or("f32"))?;
        let dir = options::model_dir(options, &JsValue::UNDEFINED)?;
        let gpu = Gpu::open(GpuOptions { limits: LimitsChoice::Adapter }).await?;
        let session = Session::open(gpu.clone(), dir.as_ref(), stored, &mut |_| Ok(())).await?;
        let given: Options = options::parse(options.clone(), "bench options")?;
        let settings = given.resolve(session.model.spec(), None)?;
        let length = settings.max_length;
        Ok(TabBench { gpu, bench: Bench::new(session, settings, length).await? })
    }
}

impl Drop for TabBench {
    /// Frees the memory of the device for the next measurement.
    fn drop(&mut self) {
        self.gpu.destroy();
    }
}

/// Checks and measures the matmuls of [`tuner::SHAPES`] with every tile.
#[wasm_bindgen(js_name = measureMatmuls)]
pub async fn measure_matmuls() -> Thrown<JsValue> {
    let measured = async {
        let gpu = Gpu::open(GpuOptions::default()).await?;
        let measured = tuner::measure(gpu.as_ref(), Host::open().as_ref(), tuner::SHAPES).await;
        gpu.destroy();
        to_js(&measured?)
    };
    measured.await.map_err(js_error)
}
