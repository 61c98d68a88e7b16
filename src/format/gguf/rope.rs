//! Scaling of rotary positions, from GGUF's metadata and tensors to `rope_scaling` of
//! `config.json`.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value as Json, json};

use super::hyperparameters::Hyperparameters;
use crate::error::{Result, bail};
use crate::format::checkpoint::{Checkpoint, TensorInfo};
use crate::format::source::ByteSource;

/// Maximum number of factors, more than a head has pairs of rotary columns.
const MOST_FACTORS: u64 = 1 << 16;

/// The field with the factor that llama.cpp multiplies cos and sin with, for all types of scaling.
const ATTENTION_FACTOR: &str = "rope.scaling.attn_factor";

/// The scaling that the metadata describes, if any.
pub(super) fn from_metadata(parameters: &Hyperparameters<'_>) -> Result<Option<Json>> {
    expect_one(parameters, &[ATTENTION_FACTOR])?;
    scaling(parameters)
}

/// The scaling that the metadata describes, apart from the factor of cos and sin.
fn scaling(parameters: &Hyperparameters<'_>) -> Result<Option<Json>> {
    let factor = match parameters.opt_f32("rope.scaling.factor")? {
        Some(factor) => factor,
        None => parameters.opt_f32("rope.scale_linear")?.unwrap_or(1.0),
    };
    match parameters.opt_str("rope.scaling.type")? {
        None | Some("linear") if factor != 1.0 => {
            Ok(Some(json!({ "rope_type": "linear", "factor": factor })))
        }
        None | Some("none" | "linear") => Ok(None),
        Some("yarn") => yarn(parameters, factor).map(Some),
        Some(other) => bail!(
            ModelUnsupported,
            "{}: `{}`: expected none, linear or yarn, found {other}",
            parameters.file(),
            parameters.key("rope.scaling.type")
        ),
    }
}

/// The factor that the metadata divides all frequencies by, in addition to the divisors in the tensor `divisors`. llama.cpp applies
/// both.
fn common_divisor(parameters: &Hyperparameters<'_>, divisors: &str) -> Result<f32> {
    let Some(scaling) = scaling(parameters)? else { return Ok(1.0) };
    if scaling["rope_type"] != "linear" {
        bail!(
            ModelUnsupported,
            "{}: `{}`: expected none or linear beside `{divisors}`, found {}",
            parameters.file(),
            parameters.key("rope.scaling.type"),
            scaling["rope_type"]
        );
    }
    Ok(scaling["factor"].as_f64().unwrap_or(1.0) as f32)
}

/// Rejects a factor other than 1 in a field whose factor is not applied.
fn expect_one(parameters: &Hyperparameters<'_>, keys: &[&str]) -> Result<()> {
    for key in keys {
        if let Some(found) = parameters.opt_f32(key)?
            && found != 1.0
        {
            bail!(
                ModelUnsupported,
                "{}: `{}`: expected 1, found {found}",
                parameters.file(),
                parameters.key(key)
            );
        }
    }
    Ok(())
}

/// YaRN. Changes that llama.cpp allows beyond Hugging Face's fields are rejected.
fn yarn(parameters: &Hyperparameters<'_>, factor: f32) -> Result<Json> {
    expect_one(
        parameters,
        &[ATTENTION_FACTOR, "rope.scaling.yarn_attn_factor", "rope.scaling.yarn_ext_factor"],
    )?;
    let mut scaling = json!({ "rope_type": "yarn", "factor": factor });
    if let Some(original) = parameters.opt_u32("rope.scaling.original_context_length")? {
        scaling["original_max_position_embeddings"] = json!(original);
    }
    for (key, field) in
        [("rope.scaling.yarn_beta_fast", "beta_fast"), ("rope.scaling.yarn_beta_slow", "beta_slow")]
    {
        if let Some(turns) = parameters.opt_f32(key)? {
            scaling[field] = json!(turns);
        }
    }
    Ok(scaling)
}

/// The name of the file that contains the tensor.
fn file_of<'a>(parts: &'a [Rc<dyn ByteSource>], tensor: &TensorInfo) -> &'a str {
    parts.get(tensor.source).map_or("", |source| source.name())
}

/// All elements of a small tensor.
pub(super) async fn factors(parts: &[Rc<dyn ByteSource>], tensor: TensorInfo) -> Result<Vec<f32>> {
    if tensor.elements() > MOST_FACTORS {
        let (file, found) = (file_of(parts, &tensor), tensor.elements());
        bail!(
            FileCorrupt,
            "{file}: `{}`: expected at most {MOST_FACTORS} factors, found {found}",
            tensor.name
        );
    }
    let count = tensor.elements() as usize;
    let alone = Checkpoint::new(BTreeMap::new(), BTreeMap::new(), parts.to_vec());
    alone.read_f32(&tensor, 0, count).await
}

/// LongRoPE's scaling. The converter stores its factors as tensors.
pub(super) fn from_factors(
    parameters: &Hyperparameters<'_>,
    mut factors: BTreeMap<String, Vec<f32>>,
) -> Result<Json> {
    // The type of such files is "longrope" or absent.
    if parameters.opt_str("rope.scaling.type")? != Some("longrope") {
        let divisor = common_divisor(parameters, "rope_factors_short.weight")?;
        factors.values_mut().flatten().for_each(|factor| *factor *= divisor);
    }
    let mut take = |name: &str| factors.remove(&format!("rope_factors_{name}.weight")).unwrap_or_default();
    let mut scaling = json!({
        "rope_type": "longrope", "short_factor": take("short"), "long_factor": take("long"),
    });
    if let Some(attention) = parameters.opt_f32(ATTENTION_FACTOR)? {
        scaling["attention_factor"] = json!(attention);
    }
    Ok(scaling)
}

/// Llama 3's scaling. The converter only keeps the divisor of each frequency: f32 `[head_dim / 2]`. The published models differ
/// only in the factor (8 or 32), which is the divisor of the lowest frequency. They are recognized by computing all divisors from
/// it. Other divisors are described as LongRoPE's, with the same factors for short and long texts.
pub(super) async fn from_divisors(
    parameters: &Hyperparameters<'_>,
    parts: &[Rc<dyn ByteSource>],
    tensor: TensorInfo,
    head_dim: u32,
    theta: f32,
) -> Result<Option<Json>> {
    expect_one(parameters, &[ATTENTION_FACTOR])?;
    let file = file_of(parts, &tensor).to_owned();
    if tensor.elements() != u64::from(head_dim / 2) {
        bail!(
            FileCorrupt,
            "{file}: `rope_freqs.weight`: expected {} factors, found {}",
            head_dim / 2,
            tensor.elements()
        );
    }
    let mut factors = factors(parts, tensor).await?;
    if let Some(found) = factors.iter().find(|factor| !factor.is_finite() || **factor <= 0.0) {
        bail!(FileCorrupt, "{file}: `rope_freqs.weight`: expected factors of more than 0, found {found}");
    }
    // Divisors of 1 change nothing.
    if factors.iter().all(|factor| *factor == 1.0) {
        return from_metadata(parameters);
    }
    let divisor = common_divisor(parameters, "rope_freqs.weight")?;
    factors.iter_mut().for_each(|factor| *factor *= divisor);
    Ok(Some(published_llama3(&factors, head_dim, theta).unwrap_or_else(|| {
        json!({
            "rope_type": "longrope", "short_factor": factors, "long_factor": factors, "attention_factor": 1.0,
        })
    })))
}

/// The scaling of the published Llama 3 models, if it gives these divisors.
fn published_llama3(factors: &[f32], head_dim: u32, theta: f32) -> Option<Json> {
    const LOW: f64 = 1.0;
    const HIGH: f64 = 4.0;
    const ORIGINAL: f64 = 8192.0;
    let factor = f64::from(*factors.last()?);
    let is_expected = |(i, found): (usize, &f32)| {
        let wavelength = std::f64::consts::TAU * f64::from(theta).powf(2.0 * i as f64 / f64::from(head_dim));
        let expected = if wavelength < ORIGINAL / HIGH {
            1.0
        } else if wavelength > ORIGINAL / LOW {
            factor
        } else {
            let smooth = (ORIGINAL / wavelength - LOW) / (HIGH - LOW);
            1.0 / ((1.0 - smooth) / factor + smooth)
        };
        (f64::from(*found) - expected).abs() <= 1e-4 * expected
    };
    factors.iter().enumerate().all(is_expected).then(|| {
        json!({
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": LOW,
            "high_freq_factor": HIGH,
            "original_max_position_embeddings": ORIGINAL as u32,
        })
    })
}
