//! The BERT encoder, with learned positions, and with post-norms or pre-norms. Families differ from it mainly in names, which
//! [`Names`] lists.

use super::{activation, head_dim, layer_count};
use crate::error::{Result, bail};
use crate::format::config::Config;
use crate::model::{
    Activation, Attention, ClassifierSpec, Disentangled, Embedding, HeadSpec, HeadTransform, LayerSpec,
    LearnedPositions, Mixer, Mlp, ModelSpec, Norm, NormKind, Norms, RelativePositions, TensorId, TensorList,
};

/// How a family differs from the base architecture.
pub(super) struct Names {
    /// `model_type`.
    pub family: &'static str,
    /// The prefix of the names of all tensors except those of the head.
    pub prefix: &'static str,
    /// The head's dense layer.
    pub dense: &'static str,
    /// The head's norm.
    pub norm: &'static str,
    /// The layer that scores the vocabulary.
    pub decoder: &'static str,
    /// The bias of that layer.
    pub bias: &'static str,
    /// The nonlinearity of the head; `None` if it is the same as that of the layers.
    pub head_activation: Option<Activation>,
    /// The classifier's head.
    pub classifier: ClassifierSpec,
    /// The modules of an attention and its norm.
    pub attention: AttentionNames,
    /// Whether tokens have types.
    pub types: bool,
    /// The number of task types, if tokens have them.
    pub tasks: Option<u32>,
    /// Relative positions.
    pub relative: Relative,
    /// Rows of the table of learned positions before position 0; `None` without learned positions.
    pub position_offset: Option<u32>,
    /// The epsilon of norms, unless the configuration says otherwise.
    pub epsilon: f32,
    /// Width of the embeddings; `None` for the hidden width.
    pub width: Option<u32>,
    /// The pre-norms; `None` for post-norms, as in BERT.
    pub pre_norms: Option<PreNorms>,
}

/// The names of the modules of an attention and its norm, after the layer's number.
#[derive(Clone, Copy)]
pub(super) struct AttentionNames {
    pub query: &'static str,
    pub key: &'static str,
    pub value: &'static str,
    pub output: &'static str,
    pub norm: &'static str,
}

/// BERT's names.
pub(super) const OF_BERT: AttentionNames = AttentionNames {
    query: "attention.self.query",
    key: "attention.self.key",
    value: "attention.self.value",
    output: "attention.output.dense",
    norm: "attention.output.LayerNorm",
};

/// BERT's epsilon of norms.
pub(super) const EPSILON: f32 = 1e-12;

/// The relative positions of a family.
#[derive(Clone, Copy)]
pub(super) enum Relative {
    /// None.
    None,
    /// A bias for each distance, from a table with so many rows.
    Bias(u32),
    /// Disentangled attention.
    Disentangled {
        /// Number of buckets on each side.
        span: u32,
        /// If distant tokens share buckets, the number of positions that these are made for.
        positions: Option<u32>,
        /// Whether the embeddings of distances are normalized.
        normalized: bool,
    },
}

/// The names of pre-norms.
pub(super) struct PreNorms {
    /// The attention's norm, after the layer's number.
    pub attention: &'static str,
    /// The MLP's norm, after the layer's number.
    pub mlp: &'static str,
    /// The norm of the last layer's output, after the prefix.
    pub last: &'static str,
    /// Whether the embeddings are normalized.
    pub embedding: bool,
}

/// The spec of a family of this architecture.
pub(super) fn encoder(config: &Config, names: &Names) -> Result<ModelSpec> {
    let kind = config.str_or("position_embedding_type", "absolute")?;
    if kind != "absolute" {
        let name = config.name();
        bail!(
            ModelUnsupported,
            "{name}: position_embedding_type {kind:?}, but only \"absolute\" is implemented"
        );
    }
    super::require(config, "is_decoder", false, false)?;
    let hidden = config.u32("hidden_size")?;
    let heads = config.u32("num_attention_heads")?;
    let head_dim = head_dim(config, hidden, heads)?;
    let intermediate = config.u32("intermediate_size")?;
    let vocabulary = config.u32("vocab_size")?;
    let positions = config.u32("max_position_embeddings")?;
    let norm = NormKind::layer(config.f32_or("layer_norm_eps", names.epsilon)?);
    let hidden_act = activation(config, "hidden_act", "gelu")?;
    let width = names.width.unwrap_or(hidden);

    let family = names.prefix.trim_end_matches('.');
    // Checkpoints of the first BERT release call a norm's parameters gamma and beta. Sentence encoders are saved from the base
    // model without a head, so their names lack the family's prefix.
    let mut tensors = TensorList::new(&[
        (names.prefix, ""),
        ("LayerNorm.weight", "LayerNorm.gamma"),
        ("LayerNorm.bias", "LayerNorm.beta"),
        ("cls.predictions.bias", "cls.predictions.decoder.bias"),
        ("lm_head.bias", "lm_head.decoder.bias"),
    ]);
    let token_table =
        tensors.matrix(format!("{family}.embeddings.word_embeddings.weight"), vocabulary, width);
    let learned = names.position_offset.map(|offset| LearnedPositions {
        table: tensors.matrix(format!("{family}.embeddings.position_embeddings.weight"), positions, width),
        offset,
        // If the positions start after the padding token's row, transformers does not count padding tokens.
        padding: offset.checked_sub(1),
    });
    let type_table = match names.types {
        true => Some(type_table(config, &mut tensors, family, width)?),
        false => None,
    };
    let tasks = names.tasks.map(|tasks| {
        tensors.matrix(format!("{family}.embeddings.task_type_embeddings.weight"), tasks, width)
    });
    let normalized = names.pre_norms.as_ref().is_none_or(|norms| norms.embedding);
    let embedding_norm =
        normalized.then(|| tensors.norm(format!("{family}.embeddings.LayerNorm"), norm, width));
    let projected = width != hidden;
    let projection =
        projected.then(|| tensors.linear(format!("{family}.embeddings_project"), hidden, width, true));
    let layers = (0..layer_count(config, "num_hidden_layers")?).map(|i| {
        let layer = format!("{family}.encoder.layer.{i}");
        let AttentionNames { query, key, value, output, norm: norm_name } = names.attention;
        let [query, key, value, output] = [query, key, value, output]
            .map(|name| tensors.linear(format!("{layer}.{name}"), hidden, hidden, true));
        let (attention_name, mlp_name, around): (_, _, fn(Norm) -> Norms) = match &names.pre_norms {
            Some(norms) => (norms.attention, norms.mlp, Norms::pre),
            None => (norm_name, "output.LayerNorm", Norms::post),
        };
        let attention_norm = tensors.norm(format!("{layer}.{attention_name}"), norm, hidden);
        let up = tensors.linear(format!("{layer}.intermediate.dense"), intermediate, hidden, true);
        let down = tensors.linear(format!("{layer}.output.dense"), hidden, intermediate, true);
        let mlp_norm = tensors.norm(format!("{layer}.{mlp_name}"), norm, hidden);
        let mut attention = Attention::new(head_dim, query, key, value, output);
        if let Relative::Disentangled { .. } = names.relative {
            // Each score is the sum of three products.
            attention.scale = 1.0 / (3.0 * head_dim as f32).sqrt();
        }
        LayerSpec {
            mixer: Mixer::Attention(attention),
            mixer_norms: around(attention_norm),
            mlp: Mlp::Plain { up, activation: hidden_act, down },
            mlp_norms: around(mlp_norm),
        }
    });
    let layers = layers.collect();
    let relative = match names.relative {
        Relative::None => None,
        Relative::Bias(buckets) => {
            let table = format!("{family}.encoder.relative_attention_bias.weight");
            Some(RelativePositions::Bias { table: tensors.matrix(table, buckets, heads) })
        }
        Relative::Disentangled { span, positions, normalized } => {
            let table = format!("{family}.encoder.rel_embeddings.weight");
            let table = tensors.matrix(table, span.saturating_mul(2), hidden);
            let norm = normalized.then(|| tensors.norm(format!("{family}.encoder.LayerNorm"), norm, hidden));
            Some(RelativePositions::Disentangled(Disentangled { table, norm, span, positions }))
        }
    };
    let final_norm =
        names.pre_norms.as_ref().map(|norms| tensors.norm(format!("{family}.{}", norms.last), norm, hidden));
    let dense = tensors.linear(names.dense, width, hidden, true);
    let head_norm = tensors.norm(names.norm, norm, width);
    // If the output matrix is tied to the embedding, its bias has a different name.
    let tied = config.bool_or("tie_word_embeddings", true)?;
    let (head_table, bias) = match tied {
        true => (token_table, names.bias.to_owned()),
        false => {
            let weight = tensors.matrix(format!("{}.weight", names.decoder), vocabulary, width);
            (weight, format!("{}.bias", names.decoder))
        }
    };
    let bias = tensors.bias(bias, vocabulary);
    let transform =
        HeadTransform { dense, activation: names.head_activation.unwrap_or(hidden_act), norm: head_norm };
    Ok(ModelSpec {
        family: names.family,
        vocabulary,
        hidden,
        heads,
        kv_heads: heads,
        head_dim,
        intermediate,
        max_length: positions.saturating_sub(names.position_offset.unwrap_or(0)),
        causal: false,
        embedding: Embedding {
            types: type_table,
            tasks,
            relative,
            positions: learned,
            norm: embedding_norm,
            projection,
            projected_last: projected,
            ..Embedding::of(token_table)
        },
        layers,
        parallel_residual: false,
        final_norm,
        head: Ok(HeadSpec { transform: Some(transform), bias: Some(bias), ..HeadSpec::of(head_table) }),
        classifier: Some(names.classifier),
        tensors,
    })
}

/// The table of token types.
///
/// # Errors
/// `model-unsupported` for a table without rows. transformers fails in this case, because all tokens have type 0.
fn type_table(config: &Config, tensors: &mut TensorList, family: &str, width: u32) -> Result<TensorId> {
    let types = config.u32_or("type_vocab_size", 2)?;
    if types == 0 {
        bail!(ModelUnsupported, "{}: type_vocab_size is 0, expected 1 or more", config.name());
    }
    Ok(tensors.matrix(format!("{family}.embeddings.token_type_embeddings.weight"), types, width))
}
