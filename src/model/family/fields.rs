//! Configuration fields that several families read in the same way.

use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::Activation;

/// `hidden / heads`, which must be an integer.
pub(super) fn head_dim(config: &Config, hidden: u32, heads: u32) -> Result<u32> {
    if heads == 0 || !hidden.is_multiple_of(heads) {
        let name = config.name();
        bail!(
            ModelUnsupported,
            "{name}: hidden_size {hidden} is not a multiple of num_attention_heads {heads}"
        );
    }
    Ok(hidden / heads)
}

/// Maximum number of layers, so that a spec stays small.
pub(super) const MAX_LAYERS: u32 = 1024;

/// The number of layers, from 1 to [`MAX_LAYERS`].
pub(super) fn layer_count(config: &Config, field: &str) -> Result<u32> {
    match config.u32(field)? {
        count @ 1..=MAX_LAYERS => Ok(count),
        count => {
            bail!(ModelUnsupported, "{}: {field} is {count}, expected 1 to {MAX_LAYERS}", config.name())
        }
    }
}

/// A nonlinearity by its transformers name.
pub(super) fn activation(config: &Config, field: &str, default: &str) -> Result<Activation> {
    match config.str_or(field, default)? {
        "gelu" | "gelu_python" => Ok(Activation::Gelu),
        "gelu_new" | "gelu_pytorch_tanh" | "gelu_python_tanh" | "gelu_fast" | "gelu_accurate" => {
            Ok(Activation::GeluTanh)
        }
        "quick_gelu" => Ok(Activation::GeluSigmoid),
        "relu" => Ok(Activation::Relu),
        "relu2" => Ok(Activation::ReluSquared),
        "silu" | "swish" => Ok(Activation::Silu),
        other => bail!(ModelUnsupported, "{}: {field} {other:?} is not implemented", config.name()),
    }
}

/// Rejects a field whose value is not `value`, since other values are not implemented.
pub(super) fn require(config: &Config, field: &str, value: bool, default: bool) -> Result<()> {
    if config.bool_or(field, default)? != value {
        bail!(ModelUnsupported, "{}: {field} is {}, but only {value} is implemented", config.name(), !value);
    }
    Ok(())
}

/// The value of a field, which must be positive.
///
/// # Errors
/// `model-unsupported` naming the field.
pub(super) fn positive(config: &Config, field: &str, number: f32) -> Result<f32> {
    match number > 0.0 {
        true => Ok(number),
        false => bail!(ModelUnsupported, "{}: {field} is {number}, expected more than 0", config.name()),
    }
}

/// A field that counts something, of which there must be at least one.
///
/// # Errors
/// `model-unsupported` naming the field.
pub(super) fn at_least_one(config: &Config, field: &str, default: u32) -> Result<u32> {
    match config.u32_or(field, default)? {
        0 => bail!(ModelUnsupported, "{}: {field} is 0, expected 1 or more", config.name()),
        count => Ok(count),
    }
}

/// The window in `sliding_window`: `default` if the field is absent, `None` if it is null.
///
/// # Errors
/// `model-unsupported` for a window of 0 tokens.
pub(super) fn window(config: &Config, default: u32) -> Result<Option<u32>> {
    if config.is_null("sliding_window") {
        return Ok(None);
    }
    match config.u32_or("sliding_window", default)? {
        0 => bail!(ModelUnsupported, "{}: sliding_window is 0, expected 1 or more, or null", config.name()),
        window => Ok(Some(window)),
    }
}

#[cfg(test)]
mod tests {
    use super::window;
    use crate::error::Code;
    use crate::format::config::Config;

    #[test]
    fn a_window_that_is_left_out_is_not_one_that_is_null() {
        let of = |text: &str| window(&Config::parse("config.json", text.as_bytes()).unwrap(), 4096);
        assert_eq!(of("{}").unwrap(), Some(4096));
        assert_eq!(of(r#"{ "sliding_window": null }"#).unwrap(), None);
        assert_eq!(of(r#"{ "sliding_window": 8 }"#).unwrap(), Some(8));
        assert_eq!(of(r#"{ "sliding_window": 0 }"#).unwrap_err().code(), Code::ModelUnsupported);
    }
}
