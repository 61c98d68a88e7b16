//! The GPU memory of a run, computed before anything is loaded, and compared with what the caller allows.

use std::rc::Rc;

use js_sys::Array;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::js_error;
use super::options::{self, to_js};
use crate::error::{Result, bail, err};
use crate::format::source::NoScratch;
use crate::gpu::Limits;
use crate::train::{Options, Plan, Session, Settings, Sizes, dtype};

/// Bytes by purpose, with the total `peak`, and `adam` for comparison. The options are those of `create` and of a training run in
/// one object: `{ files | url | config, dtype, method, .., batchSize, microBatch, maxLength, labels, maxGpuBytes, streamLayers }`.
/// Reads only `config.json` and the weights' header, and needs no GPU.
#[wasm_bindgen]
pub async fn plan(options: JsValue) -> std::result::Result<JsValue, JsValue> {
    let planned = planned(&options).await.map_err(js_error)?;
    to_js(&planned).map_err(js_error)
}

async fn planned(options: &JsValue) -> Result<Plan> {
    let dir = options::described_dir(options)?;
    let stored = dtype(options::text(options, "dtype").as_deref().unwrap_or("f32"))?;
    let given: Options = options::parse(options.clone(), "plan options")?;
    let session = counted(options, Session::describe(Limits::WEBGPU_DEFAULT, dir.as_ref(), stored).await?)?;
    let spec = session.model.spec();
    let settings = Settings { steps: 1, ..given.resolve(spec, None)? };
    let labels = options::field(options, "labels").map_or(0, |labels| Array::from(&labels).length());
    let length = settings.length_for(spec)?;
    let sizes = Sizes::even(spec.head_kind(), settings.batch_size, length, labels);
    check(&session, &settings, &sizes, max_bytes(options)?).await
}

/// Checks whether a model can be used before its weights are downloaded, and throws the error that loading it would throw.
/// `options` are those of `create`. Reads only `config.json` and the weights' headers.
#[wasm_bindgen(js_name = checkModel)]
pub async fn check_model(options: JsValue) -> std::result::Result<(), JsValue> {
    checked(&options).await.map_err(js_error)
}

async fn checked(options: &JsValue) -> Result<()> {
    let dir = options::described_dir(options)?;
    let stored = dtype(options::text(options, "dtype").as_deref().unwrap_or("f32"))?;
    let session = counted(options, Session::describe(Limits::WEBGPU_DEFAULT, dir.as_ref(), stored).await?)?;
    check_weights(&session, max_bytes(options)?)
}

/// The described model, with streamed layers if `streamLayers` is set.
fn counted(options: &JsValue, session: Session) -> Result<Session> {
    let streams = options::field(options, "streamLayers").is_some_and(|value| value.is_truthy());
    if streams { session.stream_layers(Rc::new(NoScratch)) } else { Ok(session) }
}

/// `maxGpuBytes`, if it is given.
pub(super) fn max_bytes(options: &JsValue) -> Result<Option<u64>> {
    bytes(options, "maxGpuBytes")
}

/// The number of bytes in the field `name`, if it is given.
pub(super) fn bytes(options: &JsValue, name: &str) -> Result<Option<u64>> {
    match options::field(options, name).map(|value| value.as_f64()) {
        None => Ok(None),
        Some(Some(bytes)) if bytes >= 0.0 => Ok(Some(bytes as u64)),
        Some(other) => Err(err!(InvalidArgument, "{name} is {other:?}, expected a number of bytes")),
    }
}

/// Returns the plan of a run, or rejects a run that needs more memory than allowed.
pub(super) async fn check(
    session: &Session,
    settings: &Settings,
    sizes: &Sizes,
    allowed: Option<u64>,
) -> Result<Plan> {
    session.check_plan(settings, sizes, allowed, &option).await
}

/// Rejects a described model whose weights alone need more memory than allowed.
pub(super) fn check_weights(session: &Session, allowed: Option<u64>) -> Result<()> {
    let weights = session.model.backend().memory().weights;
    match allowed.filter(|allowed| weights > *allowed) {
        None => Ok(()),
        Some(allowed) => bail!(
            OutOfMemory,
            "the weights would take {weights} bytes of GPU memory, but the limit is {allowed}: use a smaller dtype \
             (f16, q8, q4), streamLayers: true or a smaller model"
        ),
    }
}

/// A setting in JavaScript's spelling: `micro-batch` becomes `microBatch`.
fn option(what: &str, value: &str) -> String {
    let mut name = String::new();
    for (index, word) in what.split('-').enumerate() {
        let (first, rest) = word.split_at(word.len().min(1));
        name += &if index == 0 { first.to_owned() } else { first.to_uppercase() };
        name += rest;
    }
    let bare = value.parse::<u32>().is_ok() || value == "true";
    if bare { format!("{name}: {value}") } else { format!("{name}: '{value}'") }
}
