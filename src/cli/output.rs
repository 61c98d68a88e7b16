//! Writes the results of a run.

use std::path::{Path, PathBuf};

use super::files::{self, Replacement};
use crate::dtype::DType;
use crate::error::Result;
use crate::format::files::WEIGHTS_FILE as MODEL_FILE;
use crate::format::peft::{CONFIG_FILE, WEIGHTS_FILE};
use crate::model::{Adapter, AdapterSpec};
use crate::train::{Classifier, Header, Method, ReadoutFiles, Session, save_model};

/// The file name of a LoRA adapter for llama.cpp.
const GGUF_ADAPTER: &str = "adapter.gguf";

/// Writes what was trained into a directory: the whole model, or the adapter in the formats of peft and llama.cpp, in each case
/// with the readout in the header, if any. Returns the path of the file with the weights.
pub(super) async fn write_result(session: &Session, header: Option<&Header>, dir: &Path) -> Result<PathBuf> {
    let classifier = header.map(|header| Classifier::of(header, session)).transpose()?.flatten();
    match session.model.adapter().map(Adapter::spec) {
        None | Some(AdapterSpec::LowRank { .. }) => {
            let readout = match (header, &classifier) {
                (Some(header), Some(classifier)) => {
                    Some(classifier.files(session, header.settings.max_length).await?)
                }
                _ => None,
            };
            write_model(session, readout.as_ref(), dir).await
        }
        Some(_) => {
            let adapter = session.save_adapter(classifier.as_ref()).await?;
            files::make_dir(dir)?;
            files::write(&dir.join(CONFIG_FILE), adapter.config)?;
            let weights = dir.join(WEIGHTS_FILE);
            files::write(&weights, adapter.weights)?;
            for (name, bytes) in adapter.readout {
                files::write(&dir.join(name), bytes)?;
            }
            if let Some(file) = session.save_gguf_adapter().await? {
                files::write(&dir.join(GGUF_ADAPTER), file)?;
            }
            Ok(weights)
        }
    }
}

/// Writes the model, or a readout with the model's weights, into a directory that this program and transformers (for some readouts,
/// sentence-transformers) can open.
async fn write_model(session: &Session, readout: Option<&ReadoutFiles>, dir: &Path) -> Result<PathBuf> {
    for (name, bytes) in session.small_files(readout).await? {
        let path = dir.join(name);
        files::make_dir(path.parent().unwrap_or(dir))?;
        files::write(&path, bytes)?;
    }
    write_weights(session, readout, dir).await
}

/// Bytes of the weights that a method writes: those of the whole model, or almost none for an adapter.
pub(super) fn model_bytes(session: &Session, method: &Method) -> u64 {
    if method.adapter().is_some() {
        return 0;
    }
    let width = if session.dtype() == DType::F16 { 2 } else { 4 };
    session.model.spec().parameters().saturating_mul(width)
}

/// Writes the `model.safetensors` of the model or of a readout.
async fn write_weights(session: &Session, readout: Option<&ReadoutFiles>, dir: &Path) -> Result<PathBuf> {
    let path = files::make_dir(dir)?.join(MODEL_FILE);
    let mut file = Replacement::create(&path)?;
    let mut write = |bytes: &[u8]| file.write(bytes);
    match readout {
        Some(readout) => readout.save(session, &mut write).await?,
        None => save_model(session, &mut write).await?,
    }
    file.commit()?;
    Ok(path)
}
