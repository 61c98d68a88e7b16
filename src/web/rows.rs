//! Reads a file of examples, so that its rows can be shown before they are used for training.

use std::collections::BTreeMap;

use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::js_error;
use super::options::{self, to_js};
use crate::error::{Result, err};
use crate::text::dataset::{self, Encoding, Format, Layout, Note, Problem, Reading, Wanted};
use crate::text::rows::Rows;
use crate::train::{Draw, draw};

/// The rows of a file, and what the file is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReadRows {
    /// `classified`, `completion`, `chat` or `plain`.
    kind: &'static str,
    /// Objects with the fields of the kind; texts, for plain text.
    #[serde(with = "serde_wasm_bindgen::preserve")]
    rows: JsValue,
    /// The same for the rows that are held out.
    #[serde(with = "serde_wasm_bindgen::preserve")]
    held_out: JsValue,
    format: Format,
    encoding: Encoding,
    /// The file's own name of each field's column.
    columns: BTreeMap<&'static str, String>,
    /// The rows that are left out.
    problems: Vec<Problem>,
    /// How columns without known names were understood.
    #[serde(skip_serializing_if = "Option::is_none")]
    layout: Option<Layout>,
    /// What else a person should know about how the file was read, in sentences.
    notes: Vec<String>,
    /// The same as data, for a page that says it in another language.
    noted: Vec<Note>,
}

/// Reads a file. `data` is its bytes or its text, and the extension of `name` is its format.
/// `{ textColumn, labelColumn, labeled, unlabeled }` is what is known about it ([`Wanted`]). If
/// `{ shots, holdOut, dataSeed }` are given, rows are drawn as for training.
#[wasm_bindgen(js_name = readRows)]
pub fn read_rows(data: JsValue, name: String, options: JsValue) -> std::result::Result<JsValue, JsValue> {
    read(data, &name, options).map_err(js_error)
}

fn read(data: JsValue, name: &str, options: JsValue) -> Result<JsValue> {
    let bytes =
        options::bytes(&data).ok_or_else(|| err!(InvalidArgument, "{name}: expected bytes or text"))?;
    let drawn: Draw = options::parse(options.clone(), "options of readRows")?;
    let wanted: Wanted = options::parse(options, "options of readRows")?;
    let Reading { dataset, format, encoding, columns, problems, layout, notes: noted, .. } =
        dataset::inspect(name, &bytes, &wanted)?;
    let (dataset, held_out) = draw(dataset, drawn)?;
    let (kind, rows) = listed(&dataset.rows)?;
    let held_out = match held_out {
        Some(held_out) => listed(&held_out.rows)?.1,
        None => js_sys::Array::new().into(),
    };
    let columns = columns.into_iter().collect();
    let notes = noted.iter().map(Note::to_string).collect();
    to_js(&ReadRows { kind, rows, held_out, format, encoding, columns, problems, layout, notes, noted })
}

fn listed(rows: &Rows) -> Result<(&'static str, JsValue)> {
    Ok(match rows {
        Rows::Classified(rows) => ("classified", to_js(rows)?),
        Rows::Completion(rows) => ("completion", to_js(rows)?),
        Rows::Chat(rows) => ("chat", to_js(rows)?),
        Rows::Plain(texts) => ("plain", to_js(texts)?),
        Rows::Questions(_) => {
            return Err(err!(DataInvalid, "the files of a task are read when it is trained"));
        }
    })
}
