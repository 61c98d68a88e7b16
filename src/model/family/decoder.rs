//! The Llama decoder, with rotary positions, grouped-query attention and SwiGLU. [`Differences`] lists the few ways in which
//! families differ from it.

use super::activation;
use super::parts::{AttentionNames, HeadNorms, MlpLayers, Sizes};
use crate::error::Result;
use crate::format::config::Config;
use crate::model::{
    Attention, ClassifierSpec, Embedding, HeadSpec, LayerSpec, Mixer, ModelSpec, NormKind, Norms, Rotary,
    RotaryFields, TensorList,
};

/// How a family differs from the base architecture.
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
    /// The default of `head_dim`; `None` for hidden width / heads.
    pub head_dim: Option<u32>,
    /// The norms of queries and keys.
    pub head_norms: Option<HeadNorms>,
    /// Whether these norms are applied after rotary positions.
    pub rotated_first: bool,
    /// The module names of the attention.
    pub names: AttentionNames,
    /// Whether a layer normalizes the outputs of its sublayers instead of their inputs.
    pub norms_after: bool,
    /// The output norms of attention and MLP, in families that have them in addition to input norms.
    pub output_norms: Option<[&'static str; 2]>,
    /// Whether the MLP reads the same input as the attention, so that a layer has one norm.
    pub parallel_residual: bool,
    /// Whether queries, keys and values are one fused matrix.
    pub fused_attention: bool,
    /// The layers of the MLP.
    pub mlp: MlpLayers,
    /// The field that has the width of the MLP.
    pub mlp_width: &'static str,
    /// The default of `hidden_act`.
    pub activation: &'static str,
    /// The kind of norms, if they are not RMS norms.
    pub norm: Option<NormKind>,
    /// The default of `rms_norm_eps`.
    pub epsilon: f32,
    /// The default of `max_position_embeddings`.
    pub max_length: u32,
    /// The rotary positions.
    pub rotary: RotaryFields<'static>,
    /// The rotary positions of sliding-window layers, if they differ.
    pub window_rotary: Option<RotaryFields<'static>>,
    /// The default of `tie_word_embeddings`.
    pub tied: bool,
    /// The attention window of each layer; layers beyond the end of the list have none.
    pub windows: Vec<Option<u32>>,
    /// For each layer, whether it has no rotary positions; layers beyond the end of the list have them.
    pub unrotated: Vec<bool>,
    /// The factors applied to parts of the model.
    pub multipliers: Multipliers,
}

/// The factors applied to parts of a model.
pub(super) struct Multipliers {
    pub embedding: f32,
    /// The factor of the attention scores; `None` for 1 / sqrt(head_dim).
    pub attention: Option<f32>,
    /// The factor of a sublayer's output before it is added to the residual stream.
    pub residual: f32,
    pub logits: f32,
}

impl Differences {
    /// Llama itself, without biases, under another family name.
    pub(super) fn none(family: &'static str, class: Option<&'static str>) -> Differences {
        Differences {
            family,
            class,
            qkv_bias: false,
            output_bias: false,
            mlp_bias: false,
            head_dim: None,
            head_norms: None,
            rotated_first: false,
            names: AttentionNames::with_output("o_proj"),
            norms_after: false,
            output_norms: None,
            parallel_residual: false,
            fused_attention: false,
            mlp: MlpLayers::Gated,
            mlp_width: "intermediate_size",
            activation: "silu",
            norm: None,
            epsilon: 1e-6,
            max_length: 2048,
            rotary: RotaryFields { partial: None, ..RotaryFields::default() },
            window_rotary: None,
            tied: false,
            windows: Vec::new(),
            unrotated: Vec::new(),
            multipliers: Multipliers { embedding: 1.0, attention: None, residual: 1.0, logits: 1.0 },
        }
    }

    /// Adds biases to the attention if `attention_bias` is true.
    pub(super) fn with_attention_bias(self, config: &Config) -> Result<Differences> {
        let bias = config.bool_or("attention_bias", false)?;
        Ok(Differences { qkv_bias: bias, output_bias: bias, ..self })
    }
}

/// The spec of a family of this architecture.
pub(super) fn decoder(config: &Config, family: &Differences) -> Result<ModelSpec> {
    let mut sizes = Sizes::read(config, family.head_dim)?;
    sizes.intermediate = config.u32(family.mlp_width)?;
    let Sizes { vocabulary, hidden, heads, kv_heads, head_dim, intermediate, .. } = sizes;
    let norm = match family.norm {
        Some(norm) => norm,
        None => NormKind::rms(config.f32_or("rms_norm_eps", family.epsilon)?),
    };
    let activation = activation(config, "hidden_act", family.activation)?;
    let rotary = Rotary::read(config, head_dim, family.rotary)?;
    let window_rotary = Rotary::read(config, head_dim, family.window_rotary.unwrap_or(family.rotary))?;
    let biases = (family.qkv_bias, family.output_bias);
    let Multipliers { embedding: scale, attention, residual, logits } = family.multipliers;

    // Checkpoints saved from the base model without a head lack the prefix `model.`.
    let mut tensors = TensorList::new(&[("model.", "")]);
    let token_table = tensors.matrix("model.embed_tokens.weight", vocabulary, hidden);
    let layers = (0..sizes.layers).map(|i| {
        let layer = format!("model.layers.{i}");
        let around = |tensors: &mut TensorList, name| {
            let norm = tensors.norm(format!("{layer}.{name}"), norm, hidden);
            let norms = Norms { scale: residual, ..Norms::default() };
            match family.norms_after {
                true => Norms { output: Some(norm), ..norms },
                false => Norms { input: Some(norm), ..norms },
            }
        };
        let output_norm = |tensors: &mut TensorList, sublayer: usize| {
            family
                .output_norms
                .map(|names| tensors.norm(format!("{layer}.{}", names[sublayer]), norm, hidden))
        };
        let attends = |tensors: &mut TensorList| match family.fused_attention {
            true => sizes.fused_attention(tensors, &layer),
            false => sizes.attention(
                tensors,
                &layer,
                family.names,
                biases,
                family.head_norms.map(|norms| (norms, norm)),
            ),
        };
        let feeds =
            |tensors: &mut TensorList| sizes.mlp(tensors, &layer, family.mlp, activation, family.mlp_bias);
        // Tensors are listed in the order of the checkpoint file.
        let (mixer_norms, attention_layer, mlp_norms, mlp);
        if family.norms_after {
            attention_layer = attends(&mut tensors);
            mixer_norms = around(&mut tensors, "post_attention_layernorm");
            mlp = feeds(&mut tensors);
            mlp_norms = around(&mut tensors, "post_feedforward_layernorm");
        } else {
            let input = around(&mut tensors, "input_layernorm");
            attention_layer = attends(&mut tensors);
            mixer_norms = Norms { output: output_norm(&mut tensors, 0), ..input };
            let input = match family.parallel_residual {
                true => input,
                false => around(&mut tensors, "post_attention_layernorm"),
            };
            mlp = feeds(&mut tensors);
            mlp_norms = Norms { output: output_norm(&mut tensors, 1), ..input };
        }
        let at = |list: &[bool]| list.get(i as usize).copied().unwrap_or(false);
        let window = family.windows.get(i as usize).copied().flatten();
        let rotary = if window.is_some() { &window_rotary } else { &rotary };
        let rotary = (!at(&family.unrotated)).then(|| rotary.clone());
        let scale = attention.unwrap_or(attention_layer.scale);
        LayerSpec {
            mixer: Mixer::Attention(Attention {
                rotary,
                rotated_first: family.rotated_first,
                window,
                scale,
                ..attention_layer
            }),
            mixer_norms,
            mlp,
            mlp_norms,
        }
    });
    let layers = layers.collect();
    let final_norm = tensors.norm("model.norm", norm, hidden);
    let tied = config.bool_or("tie_word_embeddings", family.tied)?;
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
        embedding: Embedding { scale, ..Embedding::of(token_table) },
        layers,
        parallel_residual: family.parallel_residual,
        final_norm: Some(final_norm),
        head: Ok(HeadSpec { scale: logits, ..HeadSpec::of(table) }),
        classifier: family.class.map(ClassifierSpec::last_token),
        tensors,
    })
}
