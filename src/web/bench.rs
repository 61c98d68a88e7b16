//! The in-browser measurements of `www/bench` and of the page `bench/`. They are only in builds with the feature `bench`, so
//! visitors of the main page do not download them.

use std::rc::Rc;

use js_sys::{Array, Float32Array, Uint32Array};
use serde::Serialize;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use super::device::{self, Device};
use super::js_error;
use super::options::{self, to_js};
use crate::dtype::DType;
use crate::error::{Result, err};
use crate::format::files::ModelDir;
use crate::gemm::Choice;
use crate::gemm::tuner::{self, Known};
use crate::gpu::{Backend, Gpu, GpuOptions, Limits, LimitsChoice, MemoryUse};
use crate::model::Extent;
use crate::reference::Host;
use crate::text::batch::Batch;
use crate::train::{Bench, Options, Session, dtype};

type Thrown<T> = std::result::Result<T, JsValue>;

/// A loaded model that is set up to train on one batch. Its passes are timed one by one.
#[wasm_bindgen]
pub struct TabBench {
    device: Rc<Device>,
    bench: Bench,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Measured {
    adapter: String,
    flops: f64,
    tokens: u32,
    tiles: String,
    gpu_bytes: MemoryUse,
}

/// The tile configurations that a device would use.
#[derive(Serialize)]
struct Choices {
    adapter: String,
    limits: Limits,
    untuned: String,
    tuned: String,
    shapes: Vec<OfShape>,
}

/// The tiles in the two choices for a matmul of this shape: rows, columns, depth.
#[derive(Serialize)]
struct OfShape {
    shape: [u32; 3],
    untuned: &'static str,
    tuned: &'static str,
}

#[wasm_bindgen]
impl TabBench {
    /// Loads the model of `{ url | config, dtype }` and sets it up for a training run with the remaining options, on sequences of
    /// `maxLength` random tokens. `tiles` has the same meaning as for training; by default, the untuned tiles are used.
    pub async fn create(options: JsValue) -> Thrown<TabBench> {
        Self::open(&options).await.map_err(js_error)
    }

    /// The adapter, the operations of a forward pass, and the GPU memory in use.
    pub fn info(&self) -> Thrown<JsValue> {
        let measured = Measured {
            adapter: self.device.name(),
            flops: self.bench.flops(),
            tokens: self.bench.batch().tokens() as u32,
            tiles: self.bench.session().model.tiles().to_string(),
            gpu_bytes: self.device.memory(),
        };
        to_js(&measured).map_err(js_error)
    }

    /// Milliseconds that the host has waited for the device so far. The rest of a step's time is spent on the host.
    #[wasm_bindgen(js_name = waitedMs)]
    pub fn waited_ms(&self) -> f64 {
        self.device.waited_ms()
    }

    /// Token ids of all sequences, packed end to end.
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

    /// Runs a forward pass and returns its time in milliseconds.
    pub async fn forward(&mut self) -> Thrown<f64> {
        self.bench.forward().await.map_err(js_error)
    }

    /// Runs a step and returns its time in milliseconds. Requires a previous forward pass.
    pub async fn step(&mut self) -> Thrown<f64> {
        self.bench.step().await.map_err(js_error)
    }
}

impl TabBench {
    async fn open(options: &JsValue) -> Result<TabBench> {
        let stored = dtype(options::text(options, "dtype").as_deref().unwrap_or("f32"))?;
        let dir = options::model_dir(options, &JsValue::UNDEFINED)?;
        let device = device::open(&JsValue::UNDEFINED).await?;
        let mut session = Session::open(device.clone(), dir.as_ref(), stored, &mut |_| Ok(())).await?;
        if let Some(tiles) = options::text(options, "tiles") {
            session.set_tiles(tuner::choose(device.as_ref(), &tiles, &mut Known::new()).await?);
        }
        let given: Options = options::parse(options.clone(), "bench options")?;
        let settings = given.resolve(session.model.spec(), None)?;
        let length = settings.max_length;
        Ok(TabBench { device, bench: Bench::new(session, settings, length).await? })
    }
}

impl Drop for TabBench {
    /// Frees the device's memory for the next measurement.
    fn drop(&mut self) {
        self.device.destroy();
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

/// Checks and measures the matmul of this shape (rows, columns, depth) with every tile.
#[wasm_bindgen(js_name = measureMatmul)]
pub async fn measure_matmul(shape: Uint32Array) -> Thrown<JsValue> {
    let measured = async {
        let shape = <[u32; 3]>::try_from(shape.to_vec())
            .map_err(|found| err!(InvalidArgument, "a shape has {} numbers, expected 3", found.len()))?;
        let gpu = Gpu::open(GpuOptions::default()).await?;
        let measured = tuner::measure(gpu.as_ref(), Host::open().as_ref(), &[shape]).await;
        gpu.destroy();
        to_js(&measured?)
    };
    measured.await.map_err(js_error)
}

/// The device's limits, the untuned choice of tiles and the tuner's choice, and the tiles of both for [`tuner::SHAPES`].
#[wasm_bindgen(js_name = chooseTiles)]
pub async fn choose_tiles() -> Thrown<JsValue> {
    let chosen = async {
        let gpu = Gpu::open(GpuOptions { limits: LimitsChoice::Adapter }).await?;
        let tuned = tuner::tune(gpu.as_ref(), false).await;
        let (adapter, limits) = (gpu.name(), gpu.limits());
        gpu.destroy();
        let (untuned, tuned) = (Choice::untuned(&limits), tuned?);
        let of = |shape: &[u32; 3]| OfShape {
            shape: *shape,
            untuned: untuned.tile(shape[0], shape[1]).name,
            tuned: tuned.tile(shape[0], shape[1]).name,
        };
        let shapes = tuner::SHAPES.iter().map(of).collect();
        to_js(&Choices { adapter, limits, untuned: untuned.to_string(), tuned: tuned.to_string(), shapes })
    };
    chosen.await.map_err(js_error)
}

/// Logits `[token, vocabulary]` for each element of `sequences`, an array of `Uint32Array`s of token ids, computed by the model of
/// `options`, for comparison with those of another program.
#[wasm_bindgen(js_name = logitsOf)]
pub async fn logits_of(options: JsValue, sequences: Array) -> Thrown<Array> {
    let computed = async {
        let dir = options::model_dir(&options, &JsValue::UNDEFINED)?;
        let gpu = Gpu::open(GpuOptions { limits: LimitsChoice::Adapter }).await?;
        let logits = logits(gpu.clone(), dir.as_ref(), &sequences).await;
        gpu.destroy();
        logits
    };
    computed.await.map_err(js_error)
}

async fn logits(gpu: Rc<Gpu>, dir: &dyn ModelDir, sequences: &Array) -> Result<Array> {
    let mut session = Session::open(gpu, dir, DType::F32, &mut |_| Ok(())).await?;
    let all = Array::new();
    for sequence in sequences.iter() {
        let ids = sequence.dyn_into::<Uint32Array>();
        let ids = ids.map_err(|_| err!(InvalidArgument, "sequences: expected arrays of token ids"))?.to_vec();
        let tokens = ids.len() as u32;
        let (model, workspace) =
            session.prepare(Extent { branches: 1, tokens, targets: tokens, labels: 0 })?;
        all.push(&Float32Array::from(&model.logits(workspace, &Batch::sequence(&ids)).await?[..]));
    }
    Ok(all)
}
