//! Reads options from JavaScript values, and converts reports to JavaScript values.

use js_sys::{Array, Function, Reflect};
use serde::{Deserialize, Serialize};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{AbortSignal, Blob};

use crate::error::{Result, bail, err};
use crate::format::files::{BlobDir, FetchDir, ModelDir, RemoteDir, RemoteFile};
use crate::text::chat::Conversation;
use crate::text::dataset;
use crate::text::rows::{Classified, Dataset, Rows};
use crate::text::task::{self, Task};
use crate::train::{Classifier, Draw, ExampleEncoder, Header, RandomModel, Session, draw};

/// A field of an object; `None` if it is absent, undefined or null.
pub(super) fn field(object: &JsValue, name: &str) -> Option<JsValue> {
    let value = Reflect::get(object, &name.into()).ok()?;
    (!value.is_undefined() && !value.is_null()).then_some(value)
}

pub(super) fn text(object: &JsValue, name: &str) -> Option<String> {
    field(object, name)?.as_string()
}

/// Converts a value to a Rust type.
pub(super) fn parse<T: for<'a> Deserialize<'a>>(value: JsValue, what: &str) -> Result<T> {
    serde_wasm_bindgen::from_value(value).map_err(|e| err!(InvalidArgument, "{what}: {e}"))
}

/// Where the model's files are: `files: {name, blob}[]` or `remote: {name, url}[]`, with a common `name`, or `url`; or random
/// weights with the seed `randomWeights` for `config`, the text of a config.json. `signal` aborts downloads.
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
    if let Some(config) = text(options, "config") {
        let seed = field(options, "randomWeights").map_or(Ok(0), |seed| parse(seed, "randomWeights"))?;
        return Ok(Box::new(RandomModel::new("config", config.into_bytes(), seed)?));
    }
    if let Some(remote) = remote_dir(options, cancel)? {
        return Ok(Box::new(remote));
    }
    match text(options, "url") {
        Some(url) => Ok(Box::new(FetchDir::new(&url, signal(cancel)))),
        None => bail!(InvalidArgument, "model: expected files or a url"),
    }
}

/// The directory of a model as in [`model_dir`], without the files that are not needed to describe the model.
pub(super) fn described_dir(options: &JsValue) -> Result<Box<dyn ModelDir>> {
    match remote_dir(options, options)? {
        Some(remote) => Ok(Box::new(remote.without_tokenizer())),
        None => model_dir(options, options),
    }
}

/// The files in the field `remote` of `options`: `{ name, url, size?, token? }[]`, with a common `name`.
fn remote_dir(options: &JsValue, cancel: &JsValue) -> Result<Option<RemoteDir>> {
    #[derive(Deserialize)]
    struct Remote {
        name: String,
        url: String,
        size: Option<f64>,
        token: Option<String>,
    }
    let Some(remote) = field(options, "remote") else { return Ok(None) };
    let listed: Vec<Remote> = parse(remote, "remote")?;
    let files = listed.into_iter().map(|Remote { name, url, size, token }| {
        let size = size.filter(|size| *size >= 0.0).map(|size| size as u64);
        RemoteFile { name, url, size, token }
    });
    let name = text(options, "name").unwrap_or_else(|| "the model".to_owned());
    Ok(Some(RemoteDir::new(name, files, signal(cancel))))
}

fn signal(cancel: &JsValue) -> Option<AbortSignal> {
    field(cancel, "signal").and_then(|signal| signal.dyn_into::<AbortSignal>().ok())
}

/// The bytes of a `Uint8Array`, or of a string in UTF-8; `None` for other values.
pub(super) fn bytes(value: &JsValue) -> Option<Vec<u8>> {
    let array = value.dyn_ref::<js_sys::Uint8Array>().map(copied);
    array.or_else(|| value.as_string().map(String::into_bytes))
}

/// A copy of the bytes of an array. An array whose buffer is detached is empty, and copying it would throw through this module.
pub(super) fn copied(array: &js_sys::Uint8Array) -> Vec<u8> {
    if array.length() == 0 { Vec::new() } else { array.to_vec() }
}

/// Returns an error if the caller has requested a stop by setting `aborted` in the object that it passed.
pub(super) fn check_cancel(cancel: &JsValue) -> Result<()> {
    match field(cancel, "aborted").is_some_and(|aborted| aborted.is_truthy()) {
        true => bail!(Aborted, "stopped on request"),
        false => Ok(()),
    }
}

/// The progress of loading, for `onProgress`.
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
            // An exception in the listener does not stop loading.
            let _ = listener.call1(&JsValue::NULL, &value);
        }
    }
}

/// The prompt around examples: a task's prompt, or a template and label words.
#[derive(Clone, Debug, Default)]
pub(super) struct Prompting {
    task: Option<&'static Task>,
    template: Option<String>,
    labels: Vec<String>,
}

impl Prompting {
    /// The prompt for a call. Values that the call leaves out are taken from `last`.
    pub(super) fn of(config: &JsValue, last: Prompting) -> Result<Prompting> {
        let (task, template) = (text(config, "task"), text(config, "template"));
        let labels: Option<Vec<String>> =
            field(config, "labels").map(|labels| parse(labels, "labels")).transpose()?;
        match task {
            Some(_) if template.is_some() || labels.is_some() => {
                bail!(InvalidArgument, "task: expected no template or labels with it, found some")
            }
            Some(name) => Ok(Prompting { task: Some(task::find(&name)?), ..Prompting::default() }),
            None if template.is_none() && labels.is_none() => Ok(last),
            None => Ok(Prompting {
                task: None,
                template: template.or(last.template),
                labels: labels.unwrap_or(last.labels),
            }),
        }
    }

    /// The prompt of a trajectory's run.
    pub(super) fn of_run(header: &Header) -> Result<Prompting> {
        match &header.task {
            Some(name) => Ok(Prompting { task: Some(task::find(name)?), ..Prompting::default() }),
            None => {
                Ok(Prompting { task: None, template: header.template.clone(), labels: header.labels.clone() })
            }
        }
    }

    /// Whether the two prompts are the same.
    pub(super) fn is_same(&self, other: &Prompting) -> bool {
        let parts = |it: &Prompting| (it.task.map(|task| task.name), it.template.clone(), it.labels.clone());
        parts(self) == parts(other)
    }

    /// The task, if there is one.
    pub(super) fn task(&self) -> Option<&'static Task> {
        self.task
    }

    /// The encoder that turns rows into examples for a model.
    pub(super) fn encoder(&self, session: &Session) -> Result<ExampleEncoder> {
        match self.task {
            Some(task) => ExampleEncoder::of_task(session, task),
            None => ExampleEncoder::new(session, self.template.as_deref(), &self.labels),
        }
    }

    /// The template and the label words that a readout is fitted to; `None` if there are neither.
    ///
    /// # Errors
    /// `invalid-argument` for a template without labels, labels without a template, or a task whose answers are not label words.
    pub(super) fn words(&self, session: &Session) -> Result<Option<(String, Vec<String>)>> {
        if self.task.is_none() && self.template.is_none() && self.labels.is_empty() {
            return Ok(None);
        }
        match (self.encoder(session)?, self.template(session)?) {
            (ExampleEncoder::Classification { labels, .. }, Some(template)) => {
                let words = if self.task.is_some() { labels.words } else { self.labels.clone() };
                Ok(Some((template.to_owned(), words)))
            }
            _ => bail!(
                InvalidArgument,
                "task: expected a masked model for a readout on a task's label words; for a causal model, give a template and labels"
            ),
        }
    }

    /// Rejects a prompt for a readout before the steps of another method.
    ///
    /// # Errors
    /// `invalid-argument` if there is a prompt.
    pub(super) fn refuse_for_readout(&self) -> Result<()> {
        if self.task.is_none() && self.template.is_none() && self.labels.is_empty() {
            return Ok(());
        }
        bail!(
            InvalidArgument,
            "task, template, labels: expected none of them with readout: {}",
            Classifier::WORDS_HAVE_NO_STEPS
        )
    }

    /// The template that labels are inserted into.
    pub(super) fn template(&self, session: &Session) -> Result<Option<&str>> {
        match self.task {
            Some(task) => task.template(session.head()).map(Some),
            None => Ok(self.template.as_deref()),
        }
    }

    /// A data set of one text to classify. Its label, `label`, does not matter.
    pub(super) fn row(
        &self,
        session: &Session,
        text: String,
        text_b: Option<String>,
        label: &str,
    ) -> Result<Dataset> {
        let name = "the text";
        match self.task {
            Some(task) => {
                let row = serde_json::json!([{ "text": text, "text_b": text_b, "label": label }]);
                task.read(session.head(), &format!("{name}.json"), row.to_string().as_bytes())
            }
            None => {
                let row = Classified { text, text_b, label: label.to_owned(), row: 1 };
                Ok(Dataset { name: name.to_owned(), rows: Rows::Classified(vec![row]), task: None })
            }
        }
    }

    /// The data in field `name` of `config`: the bytes or the text of a file. `file` is the file's name.
    pub(super) fn data(
        &self,
        session: &Session,
        config: &JsValue,
        name: &str,
        file: Option<String>,
    ) -> Result<Option<Dataset>> {
        let Some(bytes) = field(config, name).as_ref().and_then(bytes) else { return Ok(None) };
        let file = file.unwrap_or_else(|| name.to_owned());
        let read = match self.task {
            Some(task) => task.read(session.head(), &file, &bytes),
            None => dataset::read(&file, &bytes),
        };
        read.map(Some)
    }
}

/// `seed`: a number or a bigint; 0 if absent.
pub(super) fn seed(options: &JsValue) -> Result<u64> {
    field(options, "seed").map_or(Ok(0), |value| parse(value, "seed"))
}

/// A number that must be a non-negative integer.
fn count(name: &str, value: f64) -> Result<u32> {
    if value.fract() != 0.0 || !(0.0..=f64::from(u32::MAX)).contains(&value) {
        bail!(InvalidArgument, "{name} is {value}, expected a whole number from 0 to {}", u32::MAX);
    }
    Ok(value as u32)
}

/// Options of generation.
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

/// A conversation: an array of messages, or an object with `messages` and variables for the chat
/// template, such as `tools`.
pub(super) fn conversation(prompt: &JsValue) -> Result<Conversation> {
    let json = js_sys::JSON::stringify(prompt).ok().and_then(|json| json.as_string());
    let json = json.ok_or_else(|| err!(InvalidArgument, "messages: expected plain objects"))?;
    Conversation::from_json(&json).map_err(|e| e.at("prompt"))
}

/// Converts a Rust value to a plain object.
pub(super) fn to_js(value: &impl Serialize) -> Result<JsValue> {
    let serializer = serde_wasm_bindgen::Serializer::json_compatible();
    value.serialize(&serializer).map_err(|e| err!(InvalidArgument, "a report could not be made: {e}"))
}

/// The rows to train on and the held-out rows: those that were given as `eval`, or those that `holdOut` takes from the data.
pub(super) fn drawn(
    config: &JsValue,
    data: Dataset,
    held_out: Option<Dataset>,
) -> Result<(Dataset, Option<Dataset>)> {
    let wanted: Draw = parse(config.clone(), "training options")?;
    if held_out.is_some() && wanted.hold_out > 0 {
        bail!(InvalidArgument, "holdOut holds out rows of data in place of eval: give only one of the two");
    }
    let (data, rest) = draw(data, wanted)?;
    Ok((data, held_out.or(rest)))
}
