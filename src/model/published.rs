//! What a published checkpoint actually contains: the kind of its head, and why a tensor is missing.

use std::collections::BTreeSet;

use super::spec::ModelSpec;
use super::stored::{find, names, other_head};
use crate::error::{Code, Error, Result, bail, err};
use crate::format::checkpoint::{Checkpoint, TensorInfo};
use crate::format::config::Config;

/// Suffixes of the transformers classes that have a language-model head.
const LANGUAGE_MODELS: [&str; 4] = ["ForCausalLM", "ForMaskedLM", "ForPreTraining", "LMHeadModel"];

/// The number of elements of two tensors that are compared at a time: 4 MiB of f32 for each.
const COMPARED: usize = 1 << 20;

/// Rejects a configuration that declares quantized weights: with `quantization_config` as in transformers (GPTQ, AWQ, bitsandbytes,
/// fp8, compressed-tensors), or with `quantization` as in MLX.
///
/// # Errors
/// `model-unsupported`, naming the field and the method.
pub fn refuse_quantized(config: &Config) -> Result<()> {
    for field in ["quantization_config", "quantization", "compression_config"] {
        let Some(value) = config.value(field) else { continue };
        let method = ["quant_method", "quant_algo", "quant_type"].iter().find_map(|key| value[*key].as_str());
        let method = match method {
            Some(method) => method,
            None if field == "quantization" => "MLX",
            None => "an unnamed method",
        };
        let flags = [("load_in_4bit", 4), ("load_in_8bit", 8)];
        let flagged = flags.iter().find(|(key, _)| value[*key] == true).map(|(_, bits)| *bits);
        let bits =
            value["bits"].as_u64().or(flagged).map_or(String::new(), |bits| format!(" with {bits} bits"));
        bail!(
            ModelUnsupported,
            "{}: {field}: the weights are quantized by {method}{bits}, which is not supported; use the model's original \
             weights in f32, f16 or bf16, or a GGUF file of it",
            config.name()
        );
    }
    Ok(())
}

/// The spec of a model whose checkpoint may lack the language-model head, as those of sentence encoders and classifiers do. If the
/// checkpoint has none of the tensors that belong only to the head, they are removed from the spec, and everything that needs the
/// head is rejected ([`ModelSpec::head`]). A head that shares its table with the embeddings has no such tensors. In that case, the
/// class in `architectures`, or a layer of another head, shows whether the head is there.
pub fn without_missing_head(mut spec: ModelSpec, checkpoint: &Checkpoint, config: &Config) -> ModelSpec {
    let Ok(head) = &spec.head else { return spec };
    let own = head.own_tensors(&spec.embedding);
    let tensors = spec.tensors.as_slice();
    // A classifier may also have the head's dense layer and norm.
    let shared = |name: &str| {
        let dense = spec.classifier.and_then(|classifier| classifier.dense);
        let names = dense.into_iter().flat_map(|dense| [Some(dense.name), dense.norm.map(|(norm, _)| norm)]);
        names.flatten().any(|module| name.strip_prefix(module).is_some_and(|rest| rest.starts_with('.')))
    };
    let mut decisive = own.iter().map(|id| &tensors[*id]).filter(|tensor| !shared(&tensor.name)).peekable();
    let has = |name: &String| checkpoint.tensors.contains_key(name);
    let class = class(config);
    let cause = if let Some(first) = decisive.peek() {
        let cause = format!("there is no tensor {}", first.name);
        if decisive.any(|tensor| names(tensor).any(has)) {
            return spec;
        }
        cause
    } else {
        let output = spec.classifier.map(|classifier| format!("{}.weight", classifier.output)).filter(has);
        match output.as_ref().or(other_head(checkpoint)) {
            Some(name) => format!("found {name} instead"),
            None if class.is_some_and(has_other_head) => "its class has a different head".to_owned(),
            None => return spec,
        }
    };
    if spec.tensors.remove_last(&own) {
        let class = class.map_or(String::new(), |class| format!(", a {class},"));
        spec.head = Err(err!(
            ModelUnsupported,
            "{}: the model{class} has no language-model head ({cause}), which this needs; to train a classifier on it, use \
             method readout",
            checkpoint.name()
        ));
    }
    spec
}

/// Checks that a checkpoint has every tensor of a spec. If one is missing, the error names the cause as far as the file and the
/// configuration show it.
///
/// # Errors
/// The errors of [`super::formats`].
pub fn check_tensors(spec: &ModelSpec, checkpoint: &Checkpoint, config: &Config) -> Result<()> {
    for tensor in spec.tensors.as_slice() {
        match find(checkpoint, tensor) {
            Ok(_) => {}
            Err(error) if error.code() == Code::ModelUnsupported => {
                let class = class(config).map_or(String::new(), |class| {
                    format!("; {} says that this is a {class}", config.name())
                });
                return Err(Error::new(error.code(), error.message().to_owned() + &class));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Rejects a checkpoint with a tensor that the spec does not use. A GGUF file has no other tensors than those that its model
/// computes with, so ignoring one, such as the bias of a layer, would change what the model computes.
///
/// # Errors
/// `model-unsupported` naming the tensor.
pub fn refuse_unused(spec: &ModelSpec, checkpoint: &Checkpoint) -> Result<()> {
    let used: BTreeSet<&String> = spec.tensors.as_slice().iter().flat_map(names).collect();
    match checkpoint.tensors.keys().find(|name| !used.contains(name)) {
        None => Ok(()),
        Some(unused) => bail!(
            ModelUnsupported,
            "{}: expected the tensors of a {} with {} layers, found also {unused}, which this model does not compute with",
            checkpoint.name(),
            spec.family,
            spec.layers.len()
        ),
    }
}

/// Checks that a tensor that a checkpoint has under several names has the same values under all of them. They differ only if the
/// head was trained separately from the embeddings, although `config.json` says that they are shared.
///
/// # Errors
/// `model-unsupported` naming two tensors that differ; read errors.
pub async fn check_copies(spec: &ModelSpec, checkpoint: &Checkpoint) -> Result<()> {
    for tensor in spec.tensors.as_slice() {
        let mut found = names(tensor).filter_map(|name| checkpoint.tensors.get(name));
        let Some(used) = found.next() else { continue };
        for copy in found.filter(|copy| !copy.is_stored_as(used)) {
            if copy.shape != used.shape || !have_same_values(checkpoint, used, copy).await? {
                bail!(
                    ModelUnsupported,
                    "{}: {} and {} differ, but the model has one tensor for both; if the head has its own table, \
                     config.json must set tie_word_embeddings to false",
                    checkpoint.name(),
                    used.name,
                    copy.name
                );
            }
        }
    }
    Ok(())
}

/// Whether two tensors of the same shape have the same values.
async fn have_same_values(checkpoint: &Checkpoint, one: &TensorInfo, other: &TensorInfo) -> Result<bool> {
    let elements = one.elements();
    for first in (0..elements).step_by(COMPARED) {
        let count = (elements - first).min(COMPARED as u64) as usize;
        let (a, b) =
            (checkpoint.read_f32(one, first, count).await?, checkpoint.read_f32(other, first, count).await?);
        if a.iter().zip(&b).any(|(a, b)| a.to_bits() != b.to_bits()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The first class in `architectures`.
fn class(config: &Config) -> Option<&str> {
    config.value("architectures")?.get(0)?.as_str()
}

/// Whether a transformers class has a head that is not a language-model head.
fn has_other_head(class: &str) -> bool {
    let is_language_model = LANGUAGE_MODELS.iter().any(|end| class.ends_with(end));
    class.contains("For") && !is_language_model
}
