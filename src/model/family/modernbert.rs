//! ModernBERT (Warner et al. 2024, arXiv 2412.13663): a pre-norm encoder with rotary positions and gated MLPs. Most layers attend
//! to a two-sided window. Ettin's decoders (Weller et al. 2025, arXiv 2507.11412) are the same network with causal attention.

use super::parts::windowed;
use super::{activation, head_dim, layer_count};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::{
    Attention, ClassifierActivation, ClassifierDense, ClassifierSpec, Embedding, HeadSpec, HeadTransform,
    LayerSpec, Mixer, Mlp, ModelSpec, NormKind, Norms, Pooling, Projection, Rotary, RotaryFields, TensorList,
};

pub(super) fn modernbert(config: &Config) -> Result<ModelSpec> {
    let pooling = match config.str_or("classifier_pooling", "cls")? {
        "cls" => Pooling::First,
        "mean" => Pooling::Mean,
        other => {
            bail!(ModelUnsupported, "{}: classifier_pooling {other:?} is not implemented", config.name())
        }
    };
    let version = Version {
        family: "modernbert",
        class: "ModernBertForSequenceClassification",
        causal: false,
        head: ["head.dense", "head.norm"],
        pooling,
        output_bias: true,
    };
    spec(config, &version)
}

pub(super) fn modernbert_decoder(config: &Config) -> Result<ModelSpec> {
    let version = Version {
        family: "modernbert-decoder",
        class: "ModernBertDecoderForSequenceClassification",
        causal: true,
        head: ["lm_head.dense", "lm_head.norm"],
        pooling: Pooling::Last,
        output_bias: config.bool_or("classifier_bias", false)?,
    };
    spec(config, &version)
}

/// The differences between the encoder and the decoder.
struct Version {
    /// `model_type`.
    family: &'static str,
    /// The class for text classification.
    class: &'static str,
    /// Whether a token sees only itself and earlier tokens. Queries, keys and values are then separate matrices.
    causal: bool,
    /// The dense layer and the norm of the language-model head.
    head: [&'static str; 2],
    /// The tokens that the classifier reads.
    pooling: Pooling,
    /// Whether the classifier's output layer has biases.
    output_bias: bool,
}

fn spec(config: &Config, version: &Version) -> Result<ModelSpec> {
    let hidden = config.u32("hidden_size")?;
    let heads = config.u32("num_attention_heads")?;
    let head_dim = head_dim(config, hidden, heads)?;
    let intermediate = config.u32("intermediate_size")?;
    let vocabulary = config.u32("vocab_size")?;
    let layers = layer_count(config, "num_hidden_layers")?;
    let norm_bias = config.bool_or("norm_bias", false)?;
    let norm = NormKind::Layer { eps: config.f32_or("norm_eps", 1e-5)?, bias: norm_bias };
    let activation = activation(config, "hidden_activation", "gelu")?;
    let (bias, mlp_bias) = (config.bool_or("attention_bias", false)?, config.bool_or("mlp_bias", false)?);
    // `local_attention` is the total width of the window, and `sliding_window` is the width of one side.
    let side = match config.opt_u32("sliding_window")? {
        Some(side) => side,
        None => config.u32_or("local_attention", 128)? / 2,
    };
    // One side of the encoder's window does not include the token itself.
    let window = if version.causal { side } else { side.saturating_add(1) };
    let every = config.u32_or("global_attn_every_n_layers", 3)?.max(1);
    let windowed = windowed(config, layers, |i| i % every != 0)?;
    let rotary = |layer_type, theta, default_theta| {
        let layer_type = Some(layer_type);
        let fields =
            RotaryFields { layer_type, theta, default_theta, partial: None, ..RotaryFields::default() };
        Rotary::read(config, head_dim, fields)
    };
    let full = rotary("full_attention", "global_rope_theta", 160_000.0)?;
    let sliding = rotary("sliding_attention", "local_rope_theta", 10_000.0)?;

    // Checkpoints saved from the base model without a head lack the prefix `model.`.
    let mut tensors = TensorList::new(&[("model.", "")]);
    let token_table = tensors.matrix("model.embeddings.tok_embeddings.weight", vocabulary, hidden);
    let embedding_norm = tensors.norm("model.embeddings.norm", norm, hidden);
    let layers = windowed.into_iter().enumerate().map(|(i, windowed)| {
        let layer = format!("model.layers.{i}");
        // The first layer has no norm of its own; the embedding's norm takes its place.
        let attention_norm = (i > 0).then(|| tensors.norm(format!("{layer}.attn_norm"), norm, hidden));
        let (projection, [query, key, value]) = match version.causal {
            true => (
                Projection::Parts,
                ["q_proj", "k_proj", "v_proj"]
                    .map(|name| tensors.linear(format!("{layer}.attn.{name}"), hidden, hidden, bias)),
            ),
            false => {
                let name = format!("{layer}.attn.Wqkv");
                let fused = tensors.linear(name, hidden.saturating_mul(3), hidden, bias);
                (Projection::Together, fused.split([hidden; 3]))
            }
        };
        let output = tensors.linear(format!("{layer}.attn.Wo"), hidden, hidden, bias);
        let mlp_norm = tensors.norm(format!("{layer}.mlp_norm"), norm, hidden);
        let fused =
            tensors.linear(format!("{layer}.mlp.Wi"), intermediate.saturating_mul(2), hidden, mlp_bias);
        let [gate, up] = fused.split([intermediate; 2]);
        let down = tensors.linear(format!("{layer}.mlp.Wo"), hidden, intermediate, mlp_bias);
        let rotary = Some(if windowed { sliding.clone() } else { full.clone() });
        LayerSpec {
            mixer: Mixer::Attention(Attention {
                projection,
                rotary,
                window: windowed.then_some(window),
                ..Attention::new(head_dim, query, key, value, output)
            }),
            mixer_norms: Norms { input: attention_norm, ..Norms::default() },
            mlp: Mlp::Glu { gate, up, together: true, activation, down },
            mlp_norms: Norms::pre(mlp_norm),
        }
    });
    let layers = layers.collect();
    let final_norm = tensors.norm("model.final_norm", norm, hidden);
    let classifier_bias = config.bool_or("classifier_bias", false)?;
    let head_activation = super::activation(config, "classifier_activation", "gelu")?;
    let dense = tensors.linear(version.head[0], hidden, hidden, classifier_bias);
    let head_norm = tensors.norm(version.head[1], norm, hidden);
    let tied = config.bool_or("tie_word_embeddings", true)?;
    let table = if tied { token_table } else { tensors.matrix("decoder.weight", vocabulary, hidden) };
    let biased = config.bool_or("decoder_bias", true)?;
    let bias = biased.then(|| tensors.bias("decoder.bias", vocabulary));
    let transform = Some(HeadTransform { dense, activation: head_activation, norm: head_norm });
    let classifier = ClassifierSpec {
        class: version.class,
        pooling: version.pooling,
        dense: Some(ClassifierDense {
            name: "head.dense",
            bias: classifier_bias,
            activation: ClassifierActivation::Of(head_activation),
            norm: Some(("head.norm", norm)),
        }),
        output: "classifier",
        bias: version.output_bias,
    };
    Ok(ModelSpec {
        family: version.family,
        vocabulary,
        hidden,
        heads,
        kv_heads: heads,
        head_dim,
        intermediate,
        max_length: config.u32_or("max_position_embeddings", 8192)?,
        causal: version.causal,
        embedding: Embedding { norm: Some(embedding_norm), ..Embedding::of(token_table) },
        layers,
        parallel_residual: false,
        final_norm: Some(final_norm),
        head: Ok(HeadSpec { transform, bias, ..HeadSpec::of(table) }),
        classifier: Some(classifier),
        tensors,
    })
}
