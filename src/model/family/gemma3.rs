//! The text model of Gemma 3 (arXiv 2503.19786): a decoder with norms before and after each sublayer and on query and key heads,
//! all of which multiply by 1 + w. Most layers use a sliding window. EmbeddingGemma (arXiv 2509.20354) is Gemma 3 whose tokens see
//! later tokens too, without a language-model head. [`Version`] lists the few differences of Gemma 2 and VaultGemma.

use super::parts::{AttentionNames, HeadNorms, MlpLayers, Sizes, windowed};
use super::{activation, positive, window};
use crate::error::{Result, bail, err};
use crate::format::config::Config;
use crate::model::{
    Attention, ClassifierSpec, Embedding, HeadSpec, LayerSpec, Mixer, ModelSpec, NormKind, Norms, Rotary,
    RotaryFields, TensorList,
};

/// The differences between the versions.
pub(super) struct Version {
    /// `model_type`.
    pub family: &'static str,
    /// The class for text classification, if there is one.
    pub class: Option<&'static str>,
    /// Whether the outputs of sublayers are normalized, in addition to their inputs.
    pub output_norms: bool,
    /// Whether query and key heads are normalized.
    pub head_norms: bool,
    /// Whether every token sees earlier and later tokens.
    pub bidirectional: bool,
    /// The default period of the layers that see all tokens: the last layer of each period.
    pub pattern: u32,
    /// The rotary positions of layers that see all tokens.
    pub full: RotaryFields<'static>,
    /// The rotary positions of sliding-window layers.
    pub sliding: RotaryFields<'static>,
    /// The softcap of the attention scores.
    pub attention_softcap: Option<f32>,
    /// The softcap of the logits.
    pub logit_softcap: Option<f32>,
    /// The default of `max_position_embeddings`.
    pub max_length: u32,
}

/// transformers also has the field `attn_logit_softcapping` here, but does not use it.
pub(super) fn gemma3(config: &Config) -> Result<ModelSpec> {
    let of = |layer_type, theta, default_theta, scaled| {
        let layer_type = Some(layer_type);
        RotaryFields { layer_type, theta, default_theta, scaled, partial: None, ..RotaryFields::default() }
    };
    let version = Version {
        family: "gemma3_text",
        class: Some("Gemma3TextForSequenceClassification"),
        output_norms: true,
        head_norms: true,
        bidirectional: config.bool_or("use_bidirectional_attention", false)?,
        pattern: config.u32_or("sliding_window_pattern", 6)?.max(1),
        full: of("full_attention", "rope_theta", 1e6, true),
        sliding: of("sliding_attention", "rope_local_base_freq", 1e4, false),
        attention_softcap: None,
        logit_softcap: config.opt_f32("final_logit_softcapping")?,
        max_length: 131_072,
    };
    decoder(config, &version)
}

/// The spec of a version.
pub(super) fn decoder(config: &Config, version: &Version) -> Result<ModelSpec> {
    let sizes = Sizes::read(config, Some(256))?;
    let Sizes { vocabulary, hidden, heads, kv_heads, head_dim, intermediate, .. } = sizes;
    let norm = NormKind::Rms { eps: config.f32_or("rms_norm_eps", 1e-6)?, plus_one: true };
    let head_norms = version.head_norms.then_some((HeadNorms::Each, norm));
    let activation = activation(config, "hidden_activation", "gelu_pytorch_tanh")?;
    let bias = config.bool_or("attention_bias", false)?;
    let windowed = windowed(config, sizes.layers, |i| (i + 1) % version.pattern != 0)?;
    let Some(window) = window(config, 4096)? else {
        bail!(ModelUnsupported, "{}: sliding_window is null, expected a number", config.name());
    };
    // Half of a bidirectional window lies on each side of a token.
    let window = if version.bidirectional { window / 2 + 1 } else { window };
    let full = Rotary::read(config, head_dim, version.full)?;
    let sliding = Rotary::read(config, head_dim, version.sliding)?;
    let positive = |field, number| positive(config, field, number);
    let scalar = positive("query_pre_attn_scalar", config.f32_or("query_pre_attn_scalar", 256.0)?)?;
    let softcap = version.attention_softcap.map(|cap| positive("attn_logit_softcapping", cap)).transpose()?;
    let logit_softcap =
        version.logit_softcap.map(|cap| positive("final_logit_softcapping", cap)).transpose()?;

    // Checkpoints saved from the base model without a head lack the prefix `model.`.
    let mut tensors = TensorList::new(&[("model.", "")]);
    let token_table = tensors.matrix("model.embed_tokens.weight", vocabulary, hidden);
    let layers = windowed.into_iter().enumerate().map(|(i, windowed)| {
        let layer = format!("model.layers.{i}");
        let around = |tensors: &mut TensorList, name| tensors.norm(format!("{layer}.{name}"), norm, hidden);
        let attention_norm = around(&mut tensors, "input_layernorm");
        let attention = sizes.attention(
            &mut tensors,
            &layer,
            AttentionNames::with_output("o_proj"),
            (bias, bias),
            head_norms,
        );
        let attention_output_norm =
            version.output_norms.then(|| around(&mut tensors, "post_attention_layernorm"));
        let mlp_norm = around(&mut tensors, "pre_feedforward_layernorm");
        let mlp = sizes.mlp(&mut tensors, &layer, MlpLayers::Gated, activation, false);
        let mlp_output_norm =
            version.output_norms.then(|| around(&mut tensors, "post_feedforward_layernorm"));
        LayerSpec {
            mixer: Mixer::Attention(Attention {
                rotary: Some(if windowed { sliding.clone() } else { full.clone() }),
                window: windowed.then_some(window),
                scale: scalar.powf(-0.5),
                softcap,
                ..attention
            }),
            mixer_norms: Norms { output: attention_output_norm, ..Norms::pre(attention_norm) },
            mlp,
            mlp_norms: Norms { output: mlp_output_norm, ..Norms::pre(mlp_norm) },
        }
    });
    let layers = layers.collect();
    let final_norm = tensors.norm("model.norm", norm, hidden);
    let tied = config.bool_or("tie_word_embeddings", true)?;
    let head = if version.bidirectional {
        Err(err!(
            ModelUnsupported,
            "{}: use_bidirectional_attention is true, so the model has no language-model head, which this needs; to train a classifier \
             on it, use method readout",
            config.name()
        ))
    } else {
        let table = if tied { token_table } else { tensors.matrix("lm_head.weight", vocabulary, hidden) };
        Ok(HeadSpec { softcap: logit_softcap, ..HeadSpec::of(table) })
    };
    Ok(ModelSpec {
        family: version.family,
        vocabulary,
        hidden,
        heads,
        kv_heads,
        head_dim,
        intermediate,
        max_length: config.u32_or("max_position_embeddings", version.max_length)?,
        causal: !version.bidirectional,
        embedding: Embedding { scale: (hidden as f32).sqrt(), ..Embedding::of(token_table) },
        layers,
        parallel_residual: false,
        final_norm: Some(final_norm),
        head,
        classifier: version.class.map(ClassifierSpec::last_token),
        tensors,
    })
}
