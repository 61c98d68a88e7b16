//! Saving the weights as Hugging Face has them.

use std::collections::BTreeMap;

use super::session::Session;
use crate::dtype::DType;
use crate::error::Result;
use crate::format::safetensors_writer::{SafetensorsWriter, TensorSpec};

/// Writes all tensors to `sink` as one safetensors file, f32, a few MiB at a time; names and shapes are those that transformers loads.
///
/// # Errors
/// Those of the backend and of `sink`.
pub async fn save_model(session: &Session, sink: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let (model, tensors) = (&session.model, session.model.spec().tensors.as_slice());
    let specs: Vec<TensorSpec> = tensors
        .iter()
        .map(|t| TensorSpec { name: t.name.clone(), dtype: DType::F32, shape: t.shape() })
        .collect();
    let metadata = BTreeMap::from([("format".to_owned(), "pt".to_owned())]);
    let mut writer = SafetensorsWriter::new(&specs, &metadata, sink)?;
    for (id, spec) in specs.iter().enumerate() {
        let mut write = |values: &[f32]| writer.write_f32(&spec.name, values);
        model.weights().read(model.backend(), id, &mut write).await?;
    }
    writer.finish().map(drop)
}
