//! Export from a tab: the weights, a model directory, or an adapter.

use js_sys::{Function, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use super::fine_tuner::Tuner;
use super::js_error;
use crate::error::{Error, Result, bail, err};
use crate::format::files::WEIGHTS_FILE;
use crate::format::source::reason;
use crate::model::{Adapter, AdapterSpec};
use crate::train::{Classifier, ExampleEncoder, ReadoutFiles};

#[wasm_bindgen]
impl Tuner {
    /// Passes the model as a safetensors file to `write`, in chunks that are valid only during the call.
    #[wasm_bindgen(js_name = exportModel)]
    pub async fn export_model(&mut self, write: Function) -> std::result::Result<(), JsValue> {
        self.settle().await.map_err(js_error)?;
        let readout = self.readout_files().await.map_err(js_error)?;
        let mut sink =
            |bytes: &[u8]| write.call1(&JsValue::NULL, &Uint8Array::from(bytes)).map(drop).map_err(unkept);
        self.save(readout.as_ref(), &mut sink).await.map_err(js_error)
    }

    /// Passes the files of a directory that transformers can open to `write`, as a path and a chunk. The chunks of a file are
    /// consecutive, and are valid only during the call.
    #[wasm_bindgen(js_name = exportDirectory)]
    pub async fn export_directory(&mut self, write: Function) -> std::result::Result<(), JsValue> {
        self.directory(&write).await.map_err(js_error)
    }

    /// The adapter's files: a string `config` and bytes `weights` for peft, bytes `gguf` if llama.cpp supports such adapters, and
    /// `readout`, the bytes of the readout's files by name.
    #[wasm_bindgen(js_name = exportAdapter)]
    pub async fn export_adapter(&mut self) -> std::result::Result<JsValue, JsValue> {
        self.settle().await.map_err(js_error)?;
        let readout = self.fitted().map_err(js_error)?;
        let adapter = self.session.save_adapter(readout.as_ref()).await.map_err(js_error)?;
        let parts = js_sys::Object::new();
        let set = |name: &str, value: &JsValue| js_sys::Reflect::set(&parts, &name.into(), value).map(drop);
        set("config", &adapter.config.into())?;
        set("weights", &Uint8Array::from(&adapter.weights[..]))?;
        let files = js_sys::Object::new();
        for (name, bytes) in adapter.readout {
            js_sys::Reflect::set(&files, &name.into(), &Uint8Array::from(&bytes[..]))?;
        }
        set("readout", &files)?;
        if let Some(file) = self.session.save_gguf_adapter().await.map_err(js_error)? {
            set("gguf", &Uint8Array::from(&file[..]))?;
        }
        Ok(parts.into())
    }
}

impl Tuner {
    async fn directory(&mut self, write: &Function) -> Result<()> {
        self.settle().await?;
        // The sum of low-rank updates is part of the saved weights; other adapters are not.
        match self.session.model.adapter().map(Adapter::spec) {
            None | Some(AdapterSpec::LowRank { .. }) => {}
            Some(_) => bail!(
                InvalidArgument,
                "the model is unchanged, because an adapter was trained: export the adapter"
            ),
        }
        let readout = self.readout_files().await?;
        let send = |path: &str, bytes: &[u8]| {
            write.call2(&JsValue::NULL, &path.into(), &Uint8Array::from(bytes)).map(drop).map_err(unkept)
        };
        for (path, bytes) in self.session.small_files(readout.as_ref()).await? {
            send(&path, &bytes)?;
        }
        self.save(readout.as_ref(), &mut |bytes| send(WEIGHTS_FILE, bytes)).await
    }

    /// The readout that was fitted or restored.
    fn fitted(&self) -> Result<Option<Classifier>> {
        Ok(match self.readout()? {
            Some(ExampleEncoder::Readout(classifier)) => Some(classifier),
            _ => None,
        })
    }

    /// The readout that was fitted or restored, as files.
    async fn readout_files(&self) -> Result<Option<ReadoutFiles>> {
        match self.fitted()? {
            Some(classifier) => Ok(Some(classifier.files(&self.session, self.max_length).await?)),
            None => Ok(None),
        }
    }

    /// Writes the weights of a readout or of the model.
    async fn save(
        &self,
        readout: Option<&ReadoutFiles>,
        sink: &mut dyn FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        match readout {
            Some(files) => files.save(&self.session, sink).await,
            None => crate::train::save_model(&self.session, sink).await,
        }
    }
}

/// The error for a chunk that JavaScript did not accept.
fn unkept(thrown: JsValue) -> Error {
    err!(StorageFull, "a chunk of the model could not be stored: {}", reason(&thrown))
}
