//! Reads the fields of `config.json` about rotary positions.

use std::rc::Rc;

use super::rotary::{Rotary, RotaryScaling};
use crate::error::{Result, bail};
use crate::format::config::Config;

/// The fields of a `config.json` about the rotary positions of a layer, and their defaults.
#[derive(Clone, Copy, Debug)]
pub struct RotaryFields<'a> {
    /// The layer's type, such as `full_attention`, for configurations with an object for each type in `rope_parameters`.
    pub layer_type: Option<&'a str>,
    /// The name of the field with theta, for configurations that have it at the top level.
    pub theta: &'a str,
    /// The default of theta.
    pub default_theta: f32,
    /// Whether `rope_scaling` applies to this layer.
    pub scaled: bool,
    /// The default of `partial_rotary_factor`, the fraction of a head that is rotated. `None` for families that always rotate whole
    /// heads, where transformers ignores the field.
    pub partial: Option<f32>,
    /// The family's `original_max_position_embeddings`, which is used if there is no such field at the top level.
    pub original: Option<u32>,
    /// Whether the columns of a pair are adjacent in this family.
    pub adjacent: bool,
    /// Whether dynamic scaling with `alpha` multiplies theta by alpha^(dim / (dim - 2)), at every length.
    pub alpha: bool,
}

impl Default for RotaryFields<'_> {
    /// The fields of Llama.
    fn default() -> Self {
        let (theta, default_theta) = ("rope_theta", 10_000.0);
        RotaryFields {
            layer_type: None,
            theta,
            default_theta,
            scaled: true,
            partial: Some(1.0),
            original: None,
            adjacent: false,
            alpha: false,
        }
    }
}

impl Rotary {
    /// Reads the rotary positions of heads of `head_dim` columns from a configuration, as transformers does: theta in
    /// `rope_scaling` or `rope_parameters` takes precedence over theta at the top level.
    ///
    /// # Errors
    /// `model-unsupported` naming a type of scaling that is not implemented, a field of the wrong type, or a rotated part of a head
    /// that is empty or larger than the head.
    pub fn read(config: &Config, head_dim: u32, fields: RotaryFields<'_>) -> Result<Rotary> {
        let rope = rope_object(config, fields)?;

        let theta = match rope.opt_f32("rope_theta")? {
            Some(theta) => theta,
            None => config.f32_or(fields.theta, fields.default_theta)?,
        };
        let said = match rope.opt_f32("partial_rotary_factor")? {
            Some(part) => Some(part),
            None => config.opt_f32("partial_rotary_factor")?,
        };
        let partial = match fields.partial {
            Some(default) => said.unwrap_or(default),
            None => {
                let is_scaled = kind_of(&rope)? != "default";
                if let Some(part) = said.filter(|part| is_scaled && *part != 1.0) {
                    bail!(
                        ModelUnsupported,
                        "{}: `partial_rotary_factor`: expected 1 with scaled rotary positions, found {part}",
                        config.name()
                    );
                }
                1.0
            }
        };
        // Rounded down, after adding a tolerance for the rounding error of a fraction such as 0.7 in f32.
        let dim = (f64::from(head_dim) * f64::from(partial) + 1e-4) as u32;
        let name = config.name();
        if dim == 0 || dim.next_multiple_of(2) > head_dim {
            bail!(
                ModelUnsupported,
                "{name}: rotary positions of {dim} of {head_dim} columns, expected pairs of columns"
            );
        }
        if theta <= 0.0 {
            bail!(ModelUnsupported, "{name}: `{}`: expected more than 0, found {theta}", fields.theta);
        }
        let theta = if fields.alpha { grown_theta(&rope, theta, dim)? } else { theta };
        let scaling = scaling_of((config, fields.original), &rope, dim.div_ceil(2))?;
        Ok(Rotary { theta, dim, adjacent: fields.adjacent, scaling })
    }
}

/// Merges the fields about rotary positions from `rope_parameters` and `rope_scaling`, as transformers does.
///
/// In a family whose layer types have separate objects in `rope_parameters`, the fields of `rope_scaling` take precedence over
/// those of the object. In other families, `rope_scaling` replaces `rope_parameters`.
fn rope_object(config: &Config, fields: RotaryFields<'_>) -> Result<Config> {
    let parameters = config.opt_object("rope_parameters")?;
    // An empty object counts as absent.
    let scaling = if fields.scaled { config.opt_object("rope_scaling")? } else { None };
    let scaling = scaling.filter(|scaling| !scaling.fields().is_empty());
    let empty = || Config::from_fields(config.name(), serde_json::Map::new());
    let Some(layer_type) = fields.layer_type else {
        let rope = scaling.or(parameters).unwrap_or_else(empty);
        if let Some(layer_type) = LAYER_TYPES.into_iter().find(|layer_type| rope.has(layer_type)) {
            bail!(
                ModelUnsupported,
                "{}: `{layer_type}`: rotary positions of each type of layer are not implemented in this family",
                rope.name()
            );
        }
        return Ok(rope);
    };
    let of_type = match parameters {
        Some(all)
            if !all.fields().is_empty() && !LAYER_TYPES.iter().any(|layer_type| all.has(layer_type)) =>
        {
            bail!(
                ModelUnsupported,
                "{}: expected an object for each type of layer, such as `{layer_type}`, found none",
                all.name()
            );
        }
        Some(all) => all.opt_object(layer_type)?,
        None => None,
    };
    Ok(match (of_type, scaling) {
        (Some(own), Some(scaling)) => {
            let mut merged = own.fields().clone();
            merged.extend(scaling.fields().clone());
            Config::from_fields(own.name(), merged)
        }
        (own, scaling) => own.or(scaling).unwrap_or_else(empty),
    })
}

/// The layer types that `rope_parameters` may have objects for.
const LAYER_TYPES: [&str; 2] = ["full_attention", "sliding_attention"];

/// Theta for dynamic scaling with a fixed `alpha`: theta * alpha^(dim / (dim - 2)). The frequencies are then the same at every length.
fn grown_theta(rope: &Config, theta: f32, dim: u32) -> Result<f32> {
    let alpha = match (kind_of(rope)?, rope.opt_f32("alpha")?) {
        ("dynamic", Some(alpha)) if alpha != 0.0 => alpha,
        _ => return Ok(theta),
    };
    let exponent = f64::from(dim) / (f64::from(dim) - 2.0);
    let grown = f64::from(theta) * f64::from(alpha).powf(exponent);
    match grown.is_finite() && grown > 0.0 && grown <= f64::from(f32::MAX) {
        true => Ok(grown as f32),
        false => {
            bail!(
                ModelUnsupported,
                "{}: `alpha`: {alpha} gives rotary positions a base of {grown}, expected a positive number that f32 can hold",
                rope.name()
            )
        }
    }
}

/// The type of scaling in such an object. Older files call the field `type`.
fn kind_of(rope: &Config) -> Result<&str> {
    rope.str_or("rope_type", rope.str_or("type", "default")?)
}

/// The scaling in an object such as `rope_scaling`. `config` is the whole file, and `known` is the family's
/// `original_max_position_embeddings`.
fn scaling_of((config, known): (&Config, Option<u32>), rope: &Config, pairs: u32) -> Result<RotaryScaling> {
    let kind = kind_of(rope)?;
    let factor = |rope: &Config| match rope.f32("factor")? {
        factor if factor > 0.0 => Ok(factor),
        factor => bail!(ModelUnsupported, "{}: `factor`: expected more than 0, found {factor}", rope.name()),
    };
    // Phi stores it outside the object, at the top level.
    let original = || -> Result<u32> {
        let field = "original_max_position_embeddings";
        let said = match config.opt_u32(field)?.or(known) {
            Some(positions) => Some(positions),
            None => rope.opt_u32(field)?,
        };
        match said {
            Some(positions) => Ok(positions.max(1)),
            None => Ok(config.u32("max_position_embeddings")?.max(1)),
        }
    };
    match kind {
        // Dynamic scaling starts beyond `max_position_embeddings`, and no text here is that long.
        "default" | "dynamic" => Ok(RotaryScaling::None),
        "linear" => Ok(RotaryScaling::Linear { factor: factor(rope)? }),
        "llama3" => Ok(RotaryScaling::Llama3 {
            factor: factor(rope)?,
            low: rope.f32("low_freq_factor")?,
            high: rope.f32("high_freq_factor")?,
            original: original()?,
        }),
        "yarn" => {
            let original = original()?;
            let factor = match rope.has("factor") {
                true => factor(rope)?,
                false => config.f32("max_position_embeddings")? / original as f32,
            };
            let grown = |by: f32| if factor <= 1.0 { 1.0 } else { 0.1 * by * factor.ln() + 1.0 };
            let scales = (rope.f32_or("mscale", 0.0)?, rope.f32_or("mscale_all_dim", 0.0)?);
            let attention = match (rope.opt_f32("attention_factor")?, scales) {
                (Some(said), _) => said,
                (None, (one, all)) if one != 0.0 && all != 0.0 => grown(one) / grown(all),
                (None, _) => grown(1.0),
            };
            Ok(RotaryScaling::Yarn {
                factor,
                fast: rope.f32_or("beta_fast", 32.0)?,
                slow: rope.f32_or("beta_slow", 1.0)?,
                original,
                truncate: rope.bool_or("truncate", true)?,
                attention,
            })
        }
        // The name used in the first files of Phi-3.
        "longrope" | "su" => {
            let original = original()?;
            let factor = match rope.has("factor") {
                true => factor(rope)?,
                false => config.u32("max_position_embeddings")? as f32 / original as f32,
            };
            let attention = match rope.opt_f32("attention_factor")? {
                Some(said) => said,
                None if factor <= 1.0 => 1.0,
                None => (1.0 + f64::from(factor).ln() / f64::from(original).ln()).sqrt() as f32,
            };
            let factors = |field| factors(rope, field, pairs);
            let (short, long) = (factors("short_factor")?, factors("long_factor")?);
            Ok(RotaryScaling::LongRope { short, long, original, attention })
        }
        other => bail!(
            ModelUnsupported,
            "{}: rotary positions of type {other:?} are not supported; supported are default, linear, dynamic, llama3, yarn and longrope",
            rope.name()
        ),
    }
}

/// LongRoPE's factors: one positive factor for each pair.
fn factors(rope: &Config, field: &str, pairs: u32) -> Result<Rc<[f32]>> {
    let factors = rope.f32_list(field)?;
    if factors.len() != pairs as usize || !factors.iter().all(|factor| *factor > 0.0) {
        let (name, found) = (rope.name(), factors.len());
        bail!(ModelUnsupported, "{name}: `{field}`: expected {pairs} numbers of more than 0, found {found}");
    }
    Ok(factors.into())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::error::Code;

    fn config(fields: &Value) -> Config {
        Config::from_fields("config.json", fields.as_object().unwrap().clone())
    }

    /// Rotary positions of 10 columns, with pairs half of them apart.
    fn plain(theta: f32, scaling: RotaryScaling) -> Rotary {
        Rotary { theta, dim: 10, adjacent: false, scaling }
    }

    /// All layouts of these fields, compared with transformers: `tests/golden/rotary.py`.
    #[test]
    fn frequencies_are_those_of_transformers() {
        let cases: Value = serde_json::from_str(include_str!("../../tests/golden/rotary.json")).unwrap();
        for case in cases.as_array().unwrap() {
            let rotary = Rotary::read(&config(&case["config"]), 16, RotaryFields::default()).unwrap();
            for (field, long) in [("frequencies", false), ("long_frequencies", true)] {
                let expected: Vec<f64> = match &case[field] {
                    Value::Null => continue,
                    listed => serde_json::from_value(listed.clone()).unwrap(),
                };
                let seen = rotary.frequencies(long);
                assert_eq!(seen.len(), expected.len(), "{}", case["name"]);
                for (seen, expected) in seen.iter().zip(expected) {
                    let apart = (f64::from(*seen) - expected).abs() / expected;
                    assert!(apart < 5e-7, "{}: {seen}, expected {expected}", case["name"]);
                }
            }
            let factor = case["attention_factor"].as_f64().unwrap();
            assert!((f64::from(rotary.attention_factor()) - factor).abs() < 1e-6, "{}", case["name"]);
        }
    }

    #[test]
    fn each_type_of_layer_has_its_own() {
        let full = RotaryFields {
            layer_type: Some("full_attention"),
            default_theta: 1_000_000.0,
            ..RotaryFields::default()
        };
        let sliding = RotaryFields {
            layer_type: Some("sliding_attention"),
            theta: "rope_local_base_freq",
            scaled: false,
            ..RotaryFields::default()
        };
        let linear = RotaryScaling::Linear { factor: 8.0 };
        let nested = serde_json::json!({"rope_parameters": {
            "full_attention": {"rope_type": "linear", "rope_theta": 3e6, "factor": 8.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 5000.0},
        }});
        let top = serde_json::json!({
            "rope_theta": 3e6, "rope_local_base_freq": 5000.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0},
        });
        for fields in [nested, top] {
            let read = |of| Rotary::read(&config(&fields), 10, of).unwrap();
            assert_eq!(read(full), plain(3e6, linear.clone()));
            assert_eq!(read(sliding), plain(5000.0, RotaryScaling::None));
        }
        let none = config(&serde_json::json!({}));
        assert_eq!(Rotary::read(&none, 10, full).unwrap().theta, 1e6);
        assert_eq!(Rotary::read(&none, 10, sliding).unwrap().theta, 1e4);
    }

    /// transformers merges the fields of `rope_scaling` into the object of full attention.
    #[test]
    fn scaling_is_merged_into_the_object_of_its_type_of_layer() {
        let full = RotaryFields {
            layer_type: Some("full_attention"),
            default_theta: 1_000_000.0,
            ..RotaryFields::default()
        };
        let read = |fields| Rotary::read(&config(&fields), 10, full);
        let both = serde_json::json!({
            "rope_parameters": {"full_attention": {"rope_type": "linear", "rope_theta": 3e6, "factor": 8.0}},
            "rope_scaling": {"rope_type": "linear", "factor": 2.0},
        });
        let halved = RotaryScaling::Linear { factor: 2.0 };
        assert_eq!(read(both).unwrap(), plain(3e6, halved));
        let flat = serde_json::json!({"rope_parameters": {"rope_type": "linear", "factor": 2.0}});
        assert!(
            read(flat).unwrap_err().message().contains("`rope_parameters`: expected an object for each type")
        );
    }

    #[test]
    fn what_is_not_implemented_is_refused_by_name() {
        for (fields, says) in [
            (
                r#"{"max_position_embeddings":8,"rope_scaling":{"rope_type":"longrope","short_factor":[1]}}"#,
                "`short_factor`",
            ),
            (r#"{"rope_scaling":{"type":"mrope"}}"#, "mrope"),
            (r#"{"rope_scaling":{"rope_type":"linear"}}"#, "`factor`"),
            (r#"{"rope_scaling":{"rope_type":"linear","factor":0}}"#, "`factor`"),
            (r#"{"rope_scaling":{"rope_type":"llama3","factor":8}}"#, "`low_freq_factor`"),
            (r#"{"rope_parameters":{"full_attention":{"rope_theta":5}}}"#, "`full_attention`"),
            (r#"{"rope_theta":0}"#, "`rope_theta`"),
            (r#"{"partial_rotary_factor":0.05}"#, "0 of 16 columns"),
            (r#"{"partial_rotary_factor":2}"#, "32 of 16 columns"),
        ] {
            let error =
                Rotary::read(&config(&serde_json::from_str(fields).unwrap()), 16, RotaryFields::default())
                    .unwrap_err();
            assert_eq!(error.code(), Code::ModelUnsupported, "{fields}");
            assert!(error.message().contains(says), "{says:?} not in: {error}");
        }
    }
}
