//! Options as JavaScript gives them, and reports as it gets them.

use js_sys::{Array, Function, JSON, Reflect};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{AbortSignal, Blob};

use crate::error::{Result, bail, err};
use crate::format::files::{BlobDir, FetchDir, ModelDir};
use crate::text::dataset::{self, Dataset};
use crate::train::Settings;
use crate::zo::schedule::Schedule;

/// A field of an object; `undefined` where it is absent or null.
pub(super) fn field(object: &JsValue, name: &str) -> Option<JsValue> {
    let value = Reflect::get(object, &name.into()).ok()?;
    (!value.is_undefined() && !value.is_null()).then_some(value)
}

pub(super) fn text(object: &JsValue, name: &str) -> Option<String> {
    field(object, name)?.as_string()
}

/// A value as a Rust type.
pub(super) fn parse<T: for<'a> Deserialize<'a>>(value: JsValue, what: &str) -> Result<T> {
    serde_wasm_bindgen::from_value(value).map_err(|e| err!(InvalidArgument, "{what}: {e}"))
}

/// Where the model's files are: `files: {name, blob}[]`, with the `name` of them all, or `url`; `signal` ends downloads.
pub(super) fn model_dir(options: &JsValue, cancel: &JsValue) -> Result<Box<dyn ModelDir>> {
    if let Some(files) = field(options, "files") {
        let mut named = Vec::new();
        for file in Array::from(&files) {
            let blob = field(&file, "blob").and_then(|blob| blob.dyn_into::<Blob>().ok());
            match (text(&file, "name"), blob) {
                (Some(name), Some(blob)) => named.push((name, blob)),
                _ => bail!(InvalidArgument, "files: each needs a name and a blob"),
            }
        }
        let name = text(options, "name").unwrap_or_else(|| "the chosen files".to_owned());
        return Ok(Box::new(BlobDir::new(name, named)));
    }
    let signal = field(cancel, "signal").and_then(|signal| signal.dyn_into::<AbortSignal>().ok());
    match text(options, "url") {
        Some(url) => Ok(Box::new(FetchDir::new(&url, signal))),
        None => bail!(InvalidArgument, "model: expected files or a url"),
    }
}

/// Whether the caller has asked to stop: `aborted` of the object that it passed.
pub(super) fn check_cancel(cancel: &JsValue) -> Result<()> {
    match field(cancel, "aborted").is_some_and(|aborted| aborted.is_truthy()) {
        true => bail!(Aborted, "stopped as asked"),
        false => Ok(()),
    }
}

/// How far loading is, for `onProgress`.
#[derive(Serialize)]
pub(super) struct Progress<'a> {
    pub stage: &'a str,
    pub file: &'a str,
    pub loaded: u64,
    pub total: u64,
}

impl Progress<'_> {
    pub(super) fn tell(&self, listener: &Function) {
        if let Ok(value) = to_js(self) {
            // A listener that throws does not stop the loading.
            let _ = listener.call1(&JsValue::NULL, &value);
        }
    }
}

/// The data in field `name`: a file's text, or an array of rows; `file` is what messages call it.
pub(super) fn data(config: &JsValue, name: &str, file: Option<String>) -> Result<Option<Dataset>> {
    let Some(value) = field(config, name) else { return Ok(None) };
    let (text, file) = match value.as_string() {
        Some(text) => (text, file.unwrap_or_else(|| format!("{name}.txt"))),
        None => {
            let json = JSON::stringify(&value).ok().and_then(|json| json.as_string());
            let json = json.ok_or_else(|| err!(DataInvalid, "{name}: expected text or an array of rows"))?;
            (json, format!("{name}.json"))
        }
    };
    dataset::read(&file, text.as_bytes()).map(Some)
}

/// The scalar options of a training.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TrainOptions {
    method: Option<String>,
    estimator: Option<String>,
    probes: Option<f64>,
    steps: f64,
    batch_size: Option<f64>,
    learning_rate: f64,
    schedule: Option<Schedule>,
    weight_decay: Option<f64>,
    epsilon: Option<f64>,
    evaluate_every: Option<f64>,
    max_length: Option<f64>,
    template: Option<String>,
    labels: Option<Vec<String>>,
}

impl TrainOptions {
    /// Template and labels.
    pub(super) fn prompting(&self) -> (Option<String>, Vec<String>) {
        (self.template.clone(), self.labels.clone().unwrap_or_default())
    }

    /// Checked settings; the seed comes apart, since it may be a bigint.
    pub(super) fn settings(&self, seed: u64) -> Result<Settings> {
        if let Some(method) = self.method.as_deref().filter(|method| *method != "full") {
            bail!(InvalidArgument, "method {method:?}, expected \"full\"");
        }
        let estimator = self.estimator.as_deref().unwrap_or("two-point");
        // SPSA is what the method was called first (Spall 1992).
        if !["two-point", "spsa"].contains(&estimator) {
            bail!(InvalidArgument, "estimator {estimator:?}, expected \"two-point\"");
        }
        if let Some(probes) = self.probes.filter(|probes| *probes != 1.0) {
            bail!(InvalidArgument, "probes is {probes}, expected 1");
        }
        let settings = Settings {
            steps: count("steps", self.steps)?,
            batch_size: count("batchSize", self.batch_size.unwrap_or(16.0))?,
            learning_rate: self.learning_rate as f32,
            schedule: self.schedule.unwrap_or_default(),
            weight_decay: self.weight_decay.unwrap_or(0.0) as f32,
            epsilon: self.epsilon.unwrap_or(1e-3) as f32,
            seed,
            evaluate_every: count("evaluateEvery", self.evaluate_every.unwrap_or(0.0))?,
            max_length: count("maxLength", self.max_length.unwrap_or(0.0))?,
        };
        settings.check()?;
        Ok(settings)
    }
}

/// A number that must be a count.
fn count(name: &str, value: f64) -> Result<u32> {
    if value.fract() != 0.0 || !(0.0..=f64::from(u32::MAX)).contains(&value) {
        bail!(InvalidArgument, "{name} is {value}, expected a whole number from 0 on");
    }
    Ok(value as u32)
}

/// `seed`: a number or a bigint, 0 when left out.
pub(super) fn seed(options: &JsValue) -> Result<u64> {
    match field(options, "seed") {
        None => Ok(0),
        Some(value) => parse(value, "seed"),
    }
}

/// How a token is to be generated.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GenerateOptions {
    pub max_tokens: f64,
    pub temperature: f64,
}

impl GenerateOptions {
    pub(super) fn tokens(&self) -> Result<u32> {
        count("maxTokens", self.max_tokens)
    }
}

/// A Rust value as a plain object.
pub(super) fn to_js(value: &impl Serialize) -> Result<JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map_err(|e| err!(InvalidArgument, "a report could not be made: {e}"))
}
