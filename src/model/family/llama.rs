//! Llama (Touvron et al. 2023) and its kin (SmolLM2, TinyLlama): a pre-norm decoder with rotary positions, grouped
//! heads and SwiGLU. Other families differ from it in little, as [`Differences`] says.

use super::activation;
use super::parts::Sizes;
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::{
    Attention, ClassifierSpec, Embedding, HeadSpec, LayerSpec, ModelSpec, NormKind, Norms, Rotary,
    RotaryFields, TensorList,
};

/// How a family differs from the others of this architecture.
pub(super) struct Differences {
    /// `model_type`.
    pub family: &'static str,
    /// The class for text classification, if there is one.
    pub class: Option<&'static str>,
    /// Whether queries, keys and values have biases.
    pub qkv_bias: bool,
    /// Whether the output of attention has a bias.
    pub output_bias: bool,
    /// Whether the layers of the MLP have biases.
    pub mlp_bias: bool,
    /// Whether query and key heads are normalized.
    pub head_norms: bool,
    /// `max_position_embeddings` where the configuration does not say it.
    pub max_length: u32,
    /// For each layer the window of its attention; layers beyond the list have none.
    pub windows: Vec<Option<u32>>,
}

pub(super) fn llama(config: &Config) -> Result<ModelSpec> {
    if config.has("sliding_window") {
        bail!(ModelUnsupported, "{}: sliding_window is not implemented", config.name());
    }
    let bias = config.bool_or("attention_bias", false)?;
    let differences = Differences {
        family: "llama",
        class: Some("LlamaForSequenceClassification"),
        qkv_bias: bias,
        output_bias: bias,
        mlp_bias: config.bool_or("mlp_bias", false)?,
        head_norms: false,
        max_length: 2048,
        windows: Vec::new(),
    };
    decoder(config, &differences)
}

/// The spec of a family of this architecture.
pub(super) fn decoder(config: &Config, family: &Differences) -> Result<ModelSpec> {
    let sizes = Sizes::read(config, None)?;
    let Sizes { vocabulary, hidden, heads, kv_heads, head_dim, intermediate, .. } = sizes;
    let norm = NormKind::rms(config.f32_or("rms_norm_eps", 1e-6)?);
    let activation = activation(config, "hidden_act", "silu")?;
    let rotary = Rotary::read(config, head_dim, RotaryFields::default())?;
    let biases = (family.qkv_bias, family.output_bias);

    let mut tensors = TensorList::new(&[]);
    let token_table = tensors.matrix("model.embed_tokens.weight", vocabulary, hidden);
    let layers = (0..sizes.layers).map(|i| {
        let layer = format!("model.layers.{i}");
        let attention_norm = tensors.norm(format!("{layer}.input_layernorm"), norm, hidden);
        let attention =
            sizes.attention(&mut tensors, &layer, "o_proj", biases, family.head_norms.then_some(norm));
        let mlp_norm = tensors.norm(format!("{layer}.post_attention_layernorm"), norm, hidden);
        let window = family.windows.get(i as usize).copied().flatten();
        LayerSpec {
            attention: Attention { rotary: Some(rotary), window, ..attention },
            attention_norms: Norms::pre(attention_norm),
            mlp: sizes.mlp(&mut tensors, &layer, activation, family.mlp_bias),
            mlp_norms: Norms::pre(mlp_norm),
        }
    });
    let layers = layers.collect();
    let final_norm = tensors.norm("model.norm", norm, hidden);
    let tied = config.bool_or("tie_word_embeddings", false)?;
    let table = if tied { token_table } else { tensors.matrix("lm_head.weight", vocabulary, hidden) };
    Ok(ModelSpec {
        family: family.family,
        vocabulary,
        hidden,
        heads,
        kv_heads,
        head_dim,
        intermediate,
        max_length: config.u32_or("max_position_embeddings", family.max_length)?,
        causal: true,
        embedding: Embedding::of(token_table),
        layers,
        parallel_residual: false,
        final_norm: Some(final_norm),
        head: Ok(HeadSpec::of(table)),
        classifier: family.class.map(ClassifierSpec::last_token),
        tensors,
    })
}
