//! Determines which files make up a model, so that TypeScript only lists and downloads them.

use serde::{Deserialize, Serialize};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::js_error;
use super::options::{self, to_js};
use crate::error::Result;
use crate::format::files::{self, Listed};
use crate::format::sharded;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wanted {
    /// A `.gguf` file that was requested.
    file: Option<String>,
    /// The quantization of a `.gguf` file that was requested, such as `Q8_0`.
    quantization: Option<String>,
    /// The content of the index of split weights.
    index: Option<String>,
}

#[derive(Serialize)]
struct Chosen {
    /// The names of the model's files, in download order.
    files: Vec<String>,
    /// The index, if one of them names further files. The caller reads it and calls again.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<&'static str>,
}

/// Chooses the model's files from a `listing`, an array of `{ name, size? }`. `place` is its name for messages. `options` are
/// `{ file?, quantization?, index? }`.
#[wasm_bindgen(js_name = filesOf)]
pub fn files_of(place: &str, listing: JsValue, options: JsValue) -> std::result::Result<JsValue, JsValue> {
    choose(place, listing, options).map_err(js_error)
}

fn choose(place: &str, listing: JsValue, options: JsValue) -> Result<JsValue> {
    let listing: Vec<Listed> = options::parse(listing, "listing of filesOf")?;
    let wanted: Wanted = options::parse(options, "options of filesOf")?;
    let file = match wanted.quantization {
        Some(quantization) => Some(files::file_of_quantization(place, &listing, &quantization)?),
        None => wanted.file,
    };
    let set = files::files_of(place, &listing, file.as_deref())?;
    let mut names: Vec<String> = set.names().into_iter().map(str::to_owned).collect();
    let mut index = set.index();
    if let (Some(name), Some(content)) = (index, wanted.index) {
        names.extend(sharded::shards(name, content.as_bytes())?);
        index = None;
    }
    to_js(&Chosen { files: names, index })
}

/// The names to request from a server that cannot be listed: the first names without a listing, and further names with a listing of
/// those that exist.
#[wasm_bindgen(js_name = fileNames)]
pub fn file_names(found: JsValue) -> std::result::Result<JsValue, JsValue> {
    let names = || -> Result<JsValue> {
        if found.is_undefined() {
            return to_js(&files::first_names());
        }
        to_js(&files::further_names(&options::parse::<Vec<Listed>>(found, "listing of fileNames")?))
    };
    names().map_err(js_error)
}
